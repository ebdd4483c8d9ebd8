import { type ByteRange, KeyfoldError, type ObjectStore, type OpenObject, isKeyfoldError, rangeInvalid } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';
import { plainName } from '../object-names.ts';
import { METADATA_LINE_LIMIT_BYTES, splitFirstLine } from './metadata-line.ts';

/** How often a checkpoint may be replaced under a reader before the reader gives up. */
const ATTEMPTS = 5;

/** A checkpoint's data, all or part, without the line of metadata. */
export interface PlainData {
  /** Bytes of all data, whatever range was asked for. */
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly cancel: () => Promise<void>;
}

/** @throws KeyfoldError NOT_FOUND, INTEGRITY_FAILURE when there is no line of metadata */
export async function openPlain(objects: ObjectStore, id: string, options: CallOptions): Promise<PlainData & { readonly line: Uint8Array }> {
  const object = await objects.open(plainName(id), { signal: options.signal });
  if (object === undefined) throw notFound(id);
  try {
    const { line, rest } = await splitFirstLine(object.body, id);
    return { size: object.size - line.byteLength - 1, line, body: rest, cancel: () => object.cancel() };
  } catch (error) {
    await object.cancel();
    throw error;
  }
}

export interface PlainRangeOptions extends CallOptions {
  readonly range: ByteRange;
  /** Told how large the data are before a range outside of them is refused. */
  readonly onSize: (size: number) => void;
}

/**
 * Reads only the line of metadata, which says where the data begin, and the
 * range. Both are of one and the same object, as far as the store can tell.
 * @throws KeyfoldError RANGE_INVALID, NOT_FOUND, CONFLICT, INTEGRITY_FAILURE when there is no line of metadata
 */
export async function openPlainRange(objects: ObjectStore, id: string, options: PlainRangeOptions): Promise<PlainData> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const data = await tryRange(objects, id, options);
    if (data !== undefined) return data;
  }
  throw new KeyfoldError('CONFLICT', `The checkpoint ${JSON.stringify(id)} is being replaced faster than it can be read. Try again.`);
}

/** Or undefined when the object was replaced between two of the reads. */
async function tryRange(objects: ObjectStore, id: string, { range, onSize, signal }: PlainRangeOptions): Promise<PlainData | undefined> {
  const info = await objects.head(plainName(id), { signal });
  if (info === undefined) throw notFound(id);
  const beginning = await openPart(objects, id, { start: 0, end: Math.min(info.size, METADATA_LINE_LIMIT_BYTES + 1) }, signal);
  if (beginning === undefined) return undefined;
  const dataStart = await lengthOfFirstLine(beginning, id);
  const size = beginning.size - dataStart;
  onSize(size);
  if (range.end > size) throw rangeInvalid(`The checkpoint ${JSON.stringify(id)}`, range, size);
  const object = await openPart(objects, id, { start: dataStart + range.start, end: dataStart + range.end }, signal);
  if (object === undefined) return undefined;
  if (object.size === beginning.size && object.identity === beginning.identity) return { size, body: object.body, cancel: () => object.cancel() };
  await object.cancel();
  return undefined;
}

async function lengthOfFirstLine(object: OpenObject, id: string): Promise<number> {
  try {
    return (await splitFirstLine(object.body, id)).line.byteLength + 1;
  } finally {
    await object.cancel();
  }
}

/** Or undefined when the object is absent, or has become too short for what it was when the range was chosen. */
async function openPart(objects: ObjectStore, id: string, range: ByteRange, signal: AbortSignal | undefined): Promise<OpenObject | undefined> {
  try {
    return await objects.open(plainName(id), { range, signal });
  } catch (error) {
    if (isKeyfoldError(error, 'RANGE_INVALID')) return undefined;
    throw error;
  }
}

function notFound(id: string): KeyfoldError {
  return new KeyfoldError('NOT_FOUND', `There is no checkpoint ${JSON.stringify(id)}. Check the id; list() gives those that are there.`);
}
