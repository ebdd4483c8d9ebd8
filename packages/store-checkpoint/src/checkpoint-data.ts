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
export async function collect(chunks: AsyncIterable<Uint8Array>, { what, maxBytes, expected, free }: CollectOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let whole: Uint8Array | undefined;
  let total = 0;
  for await (const chunk of chunks) {
    const start = total;
    total += chunk.byteLength;
    if (total > maxBytes) throw tooLarge(what, maxBytes);
    const length = start === 0 ? expected?.() : undefined;
    // Not more than was agreed to: what is expected may be wrong.
    if (length !== undefined && length > chunk.byteLength && length <= maxBytes) whole = Buffer.allocUnsafeSlow(length);
    if (whole === undefined || total > whole.byteLength) {
      parts.push(chunk);
      continue;
    }
    whole.set(chunk, start);
    free?.(chunk);
  }
  return whole?.byteLength === total ? whole : join(whole, parts, total);
}

export interface CollectOptions {
  readonly what: string;
  readonly maxBytes: number;
  /** The length of all, if it is known when the first chunk is there: then nothing is joined at the end. */
  readonly expected?: () => number | undefined;
  /** Takes chunks that were copied. */
  readonly free?: (chunk: Uint8Array) => void;
}

function join(whole: Uint8Array | undefined, parts: Uint8Array[], total: number): Uint8Array {
  const [only] = parts;
  if (whole === undefined && parts.length === 1 && only !== undefined) return only;
  const rest = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const joined = new Uint8Array(total);
  if (whole !== undefined) joined.set(whole.subarray(0, total - rest));
  let offset = total - rest;
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
