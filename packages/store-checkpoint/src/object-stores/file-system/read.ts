import { close, closeSync, lstatSync } from 'node:fs';
import { promisify } from 'node:util';
import {
  throwIfAborted,
  type ByteRange,
  type ObjectContent,
  type ObjectInfo,
  type OpenObject,
  type OpenOptions,
} from '@keyfold/core/provider';
import { assertWithin, resolveRange } from '../conditions.ts';
import { OnePass } from '../one-pass.ts';
import { attempt } from './fs-errors.ts';
import type { Location } from './paths.ts';
import { assertRegular, etagOf, openFile, readExactly, type OpenFile } from './state.ts';
import { TOMBSTONE_SIZE, isTombstone } from './tombstone.ts';

const closeAsync = promisify(close);

/** Chunks end where the sealed frames of large objects do. */
const CHUNK = 1_048_576;

/** A whole object, or undefined when absent. @throws KeyfoldError LIMIT_EXCEEDED */
export async function readContent(location: Location, maxBytes: number): Promise<ObjectContent | undefined> {
  const file = openFile(location);
  if (file === undefined) return undefined;
  try {
    if ((await readTombstone(location, file)) !== undefined) return undefined;
    assertWithin(location.name, file.size, maxBytes);
    const bytes = await readExactly(location, file.fd, 0, file.size);
    return { bytes, etag: etagOf(bytes) };
  } finally {
    closeSync(file.fd);
  }
}

/** An object to be read in chunks, or undefined when absent. @throws KeyfoldError RANGE_INVALID */
export async function openContent(
  location: Location,
  options: OpenOptions,
): Promise<OpenObject | undefined> {
  const file = openFile(location);
  if (file === undefined) return undefined;
  try {
    if ((await readTombstone(location, file)) !== undefined) {
      closeSync(file.fd);
      return undefined;
    }
    const wanted = resolveRange(location.name, file.size, options.range);
    const chunks = new FileChunks(location, file.fd, wanted, options);
    const body = new OnePass(chunks.read(), () => chunks.close());
    return { size: file.size, identity: file.identity, body, cancel: () => body.cancel() };
  } catch (error) {
    closeSync(file.fd);
    throw error;
  }
}

/** What is at the name without its content, or undefined when absent. */
export async function describe(location: Location): Promise<ObjectInfo | undefined> {
  const stats = attempt(`look at object "${location.name}"`, location.path, () =>
    lstatSync(location.path, { throwIfNoEntry: false }),
  );
  if (stats === undefined) return undefined;
  assertRegular(stats, location);
  if (stats.size === TOMBSTONE_SIZE && (await inspect(location)) !== 'object') return undefined;
  return { name: location.name, size: stats.size, lastModified: Math.floor(stats.mtimeMs) };
}

/** What stands at the name: nothing, an object, or the tombstone of one with its etag. */
export async function inspect(location: Location): Promise<'absent' | 'object' | { readonly tombstone: string }> {
  const file = openFile(location);
  if (file === undefined) return 'absent';
  try {
    const tombstone = await readTombstone(location, file);
    return tombstone === undefined ? 'object' : { tombstone: etagOf(tombstone) };
  } finally {
    closeSync(file.fd);
  }
}

async function readTombstone(location: Location, file: OpenFile): Promise<Uint8Array | undefined> {
  if (file.size !== TOMBSTONE_SIZE) return undefined;
  const bytes = await readExactly(location, file.fd, 0, file.size);
  return isTombstone(bytes) ? bytes : undefined;
}

/** One chunk is read ahead while the reader works on the one before. */
class FileChunks {
  readonly #location: Location;
  readonly #fd: number;
  readonly #range: ByteRange;
  readonly #options: OpenOptions;
  /** The read under way: its descriptor's number must not go to another file before it ends. */
  #ahead: Promise<Uint8Array> | undefined;
  #closing: Promise<void> | undefined;

  constructor(location: Location, fd: number, range: ByteRange, options: OpenOptions) {
    this.#location = location;
    this.#fd = fd;
    this.#range = range;
    this.#options = options;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    let start = this.#range.start;
    this.#startAt(start);
    while (this.#ahead !== undefined) {
      throwIfAborted(this.#options.signal);
      const chunk = await this.#ahead;
      start += chunk.byteLength;
      this.#startAt(start);
      yield chunk;
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#ahead?.catch(() => undefined);
      await closeAsync(this.#fd);
    })();
    return this.#closing;
  }

  #startAt(start: number): void {
    if (start >= this.#range.end || this.#closing !== undefined) {
      this.#ahead = undefined;
      return;
    }
    const end = Math.min(this.#range.end, start - (start % CHUNK) + CHUNK);
    this.#ahead = readExactly(this.#location, this.#fd, start, end - start, this.#options.memory);
    // Its error belongs to whoever asks for that chunk, if anyone does.
    this.#ahead.catch(() => undefined);
  }
}
