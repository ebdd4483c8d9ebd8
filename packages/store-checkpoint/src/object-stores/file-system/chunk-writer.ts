import { fdatasync, fsync, writev, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import { attempt, attemptAsync, storageError } from './fs-errors.ts';
import { BORROWED_BYTES, type Batch, Batcher, type Release } from './write-batch.ts';

const writevAsync = promisify(writev);
const fsyncAsync = promisify(fsync);
const fdatasyncAsync = promisify(fdatasync);

/** While one is copied to the page cache the next is made ready. */
const WRITES_AT_ONCE = 2;
/** The disk starts early on what is there, so that the last sync has little left to wait for. */
const FIRST_SYNC = 2_097_152;
const SYNC_EVERY = 8_388_608;

/**
 * Chunks of any size to one descriptor, in writes that end at whole IO_BYTES of
 * the file. Those that come with `release` may still be on their way when `add`
 * resolves; of the others nothing is needed any more then.
 */
export class ChunkWriter {
  readonly #fd: number;
  readonly #doing: string;
  readonly #path: string;
  readonly #batcher = new Batcher();
  readonly #writes = new Set<Promise<void>>();
  #written = 0;
  #syncedUpTo = 0;
  #syncing: Promise<void> | undefined;
  /** Of a write or sync that nobody waited for: the system reports it once, and it must not be lost. */
  #failure: Error | undefined;

  constructor(fd: number, doing: string, path: string) {
    this.#fd = fd;
    this.#doing = doing;
    this.#path = path;
  }

  async add(chunk: Uint8Array, release?: Release): Promise<void> {
    let started = false;
    for (const batch of this.#batcher.add(chunk, release)) {
      this.#start(batch);
      started = true;
      if (this.#writes.size >= WRITES_AT_ONCE) await Promise.race(this.#writes);
      this.#throwFailure();
    }
    if (started && release === undefined && chunk.byteLength >= BORROWED_BYTES) await this.#settle();
  }

  /** Everything is on the disk when it resolves, with the number of bytes. */
  async finish(): Promise<number> {
    const last = this.#batcher.rest();
    if (last?.position === 0) this.#writeAtOnce(last);
    else if (last !== undefined) this.#start(last);
    await this.#settle();
    await this.#syncing;
    this.#throwFailure();
    await attemptAsync(this.#doing, this.#path, () => fsyncAsync(this.#fd));
    return this.#written;
  }

  /** Resolves when no call is at work on the descriptor any more. Never rejects. */
  async idle(): Promise<void> {
    await Promise.all(this.#writes);
    await this.#syncing;
    this.#batcher.rest()?.done();
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#writes);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #start(batch: Batch): void {
    const write = this.#write(batch)
      .finally(() => {
        batch.done();
      })
      .catch((error: unknown) => {
        this.#failure ??= storageError(error, this.#doing, this.#path);
      })
      .then(() => {
        this.#writes.delete(write);
      });
    this.#writes.add(write);
  }

  async #write(batch: Batch): Promise<void> {
    let at = batch.position;
    for (let left = batch.pieces; left.length > 0; ) {
      const { bytesWritten } = await writevAsync(this.#fd, left, at);
      at += bytesWritten;
      left = behind(left, bytesWritten);
    }
    this.#count(at - batch.position);
  }

  /** All there is, and little: a trip to the thread pool would cost more than the copy to the page cache. */
  #writeAtOnce(batch: Batch): void {
    attempt(this.#doing, this.#path, () => {
      let at = batch.position;
      for (let left = batch.pieces; left.length > 0; ) {
        const bytesWritten = writevSync(this.#fd, left, at);
        at += bytesWritten;
        left = behind(left, bytesWritten);
      }
      this.#written = at;
    });
    batch.done();
  }

  #count(bytes: number): void {
    this.#written += bytes;
    const due = this.#syncedUpTo === 0 ? FIRST_SYNC : SYNC_EVERY;
    if (this.#syncing === undefined && this.#written - this.#syncedUpTo >= due) this.#startSync();
  }

  #startSync(): void {
    this.#syncedUpTo = this.#written;
    this.#syncing = fdatasyncAsync(this.#fd)
      .catch((error: unknown) => {
        this.#failure ??= storageError(error, this.#doing, this.#path);
      })
      .then(() => {
        this.#syncing = undefined;
      });
  }
}

/** What is left of `pieces` after their first `bytes`. */
function behind(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let rest = bytes;
  const left: Uint8Array[] = [];
  for (const piece of pieces) {
    if (rest < piece.byteLength) left.push(piece.subarray(rest));
    rest = Math.max(0, rest - piece.byteLength);
  }
  return left;
}
