import { fdatasync, fsync, write } from 'node:fs';
import { promisify } from 'node:util';
import { attemptAsync, storageError } from './fs-errors.ts';

const writeAsync = promisify(write);
const fsyncAsync = promisify(fsync);
const fdatasyncAsync = promisify(fdatasync);

/** Writes below this cost more in calls than in bytes. */
const COALESCE = 524_288;
/** The disk starts early on what is there, so that the last sync has little left to wait for. */
const SYNC_EVERY = 8_388_608;

/** Chunks of any size to one descriptor. A chunk is its owner's again when `add` resolves. */
export class ChunkWriter {
  readonly #fd: number;
  readonly #doing: string;
  readonly #path: string;
  #buffer: Buffer | undefined;
  #filled = 0;
  #size = 0;
  #syncedUpTo = 0;
  #syncing: Promise<void> | undefined;
  /** A failed early sync is reported once by the system, and must not be lost. */
  #syncError: Error | undefined;

  constructor(fd: number, doing: string, path: string) {
    this.#fd = fd;
    this.#doing = doing;
    this.#path = path;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength >= COALESCE) {
      await this.#flush();
      await this.#write(chunk);
      return;
    }
    this.#buffer ??= Buffer.allocUnsafeSlow(COALESCE);
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + COALESCE - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.byteLength;
      taken += part.byteLength;
      if (this.#filled === COALESCE) await this.#flush();
    }
  }

  /** Everything is on the disk when it resolves, with the number of bytes. */
  async finish(): Promise<number> {
    await this.#flush();
    await this.#syncing;
    if (this.#syncError !== undefined) throw this.#syncError;
    await attemptAsync(this.#doing, this.#path, () => fsyncAsync(this.#fd));
    return this.#size;
  }

  /** Resolves when no call is at work on the descriptor any more. Never rejects. */
  async idle(): Promise<void> {
    await this.#syncing;
  }

  async #flush(): Promise<void> {
    if (this.#buffer === undefined || this.#filled === 0) return;
    const filled = this.#filled;
    this.#filled = 0;
    await this.#write(this.#buffer.subarray(0, filled));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await attemptAsync(this.#doing, this.#path, () =>
        writeAsync(this.#fd, bytes, done, bytes.byteLength - done, this.#size),
      );
      done += bytesWritten;
      this.#size += bytesWritten;
    }
    if (this.#syncing === undefined && this.#size - this.#syncedUpTo >= SYNC_EVERY) this.#startSync();
  }

  #startSync(): void {
    this.#syncedUpTo = this.#size;
    this.#syncing = fdatasyncAsync(this.#fd)
      .catch((error: unknown) => {
        this.#syncError ??= storageError(error, this.#doing, this.#path);
      })
      .then(() => {
        this.#syncing = undefined;
      });
  }
}
