import { type ByteRange, KeyfoldError, checkRange } from '@keyfold/core';
import { throwIfAborted } from '@keyfold/core/provider';
import type { CheckpointData } from './checkpoint-store.ts';
import { untilAborted } from './until-aborted.ts';

const SLICE_BYTES = 1_048_576;

/**
 * The data in chunks, whichever way it was given; large arrays in views of 1 MiB.
 * @throws KeyfoldError INVALID_ARGUMENT for anything that is no bytes, and ABORTED, as a rejection of the iteration
 */
export async function* chunksOf(data: CheckpointData, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  if (data instanceof Uint8Array) {
    for (let offset = 0; offset < data.byteLength; offset += SLICE_BYTES) {
      throwIfAborted(signal);
      yield data.subarray(offset, offset + SLICE_BYTES);
    }
    return;
  }
  if (!isAsyncIterable(data)) throw notBytes('The data');
  for await (const chunk of untilAborted(data, signal)) {
    if (!(chunk instanceof Uint8Array)) throw notBytes('A chunk of the data');
    yield chunk;
  }
}

/**
 * All chunks in one array.
 * @throws KeyfoldError LIMIT_EXCEEDED
 */
export async function collect(chunks: AsyncIterable<Uint8Array>, maxBytes: number, what: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.byteLength;
    if (total > maxBytes) throw tooLarge(what, maxBytes);
    parts.push(chunk);
  }
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const part of parts.splice(0)) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

const DEFAULT_MAX_LOAD_BYTES = 2 ** 30;

/**
 * The limit of one load().
 * @throws KeyfoldError INVALID_ARGUMENT: a limit that is no number would limit nothing
 */
export function resolveMaxBytes(maxBytes: number = DEFAULT_MAX_LOAD_BYTES): number {
  if (typeof maxBytes === 'number' && maxBytes >= 0) return maxBytes;
  throw new KeyfoldError('INVALID_ARGUMENT', 'The option "maxBytes" must be a number of bytes, 0 or more.');
}

/**
 * Refuses what cannot be a range, or is one that load() may not take, before anything is read.
 * @throws KeyfoldError RANGE_INVALID, LIMIT_EXCEEDED
 */
export function checkAsked(range: ByteRange | undefined, maxBytes: number = Number.POSITIVE_INFINITY): void {
  if (range === undefined) return;
  checkRange(range);
  if (range.end - range.start > maxBytes) throw tooLarge('The range', maxBytes);
}

export function tooLarge(what: string, maxBytes: number): KeyfoldError {
  return new KeyfoldError('LIMIT_EXCEEDED', `${what} is larger than ${maxBytes} bytes. Read it with loadStream(), or raise maxBytes.`);
}

function isAsyncIterable(data: unknown): boolean {
  return typeof data === 'object' && data !== null && Symbol.asyncIterator in data;
}

function notBytes(what: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', `${what} must be a Uint8Array, or an async iterable of them.`);
}
