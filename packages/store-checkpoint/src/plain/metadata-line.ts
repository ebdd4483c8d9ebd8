import { type CheckpointMetadata, encodeMetadata } from '@keyfold/core';
import { concatBytes, decodeUtf8, integrityFailure } from '@keyfold/core/provider';

const LF = 0x0a;

/** The most that may stand before the first line feed: what the encrypted store accepts as metadata. */
export const METADATA_LINE_LIMIT_BYTES = 65_416;

/** JSON without line feeds (JSON escapes them), and one at the end. */
export function encodeMetadataLine(metadata: CheckpointMetadata): Uint8Array {
  return concatBytes(encodeMetadata(metadata), Uint8Array.of(LF));
}

/** @throws KeyfoldError INTEGRITY_FAILURE when it is no JSON object */
export function decodeMetadataLine(line: Uint8Array, id: string): CheckpointMetadata {
  try {
    const value: unknown = JSON.parse(decodeUtf8(line) ?? '');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as CheckpointMetadata;
  } catch {
    // Reported below like every other damage.
  }
  throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
}

/**
 * The first line, without its line feed, and everything behind it.
 * @throws KeyfoldError INTEGRITY_FAILURE when no line feed comes within the limit
 */
export async function splitFirstLine(
  body: AsyncIterable<Uint8Array>,
  id: string,
): Promise<{ readonly line: Uint8Array; readonly rest: AsyncIterable<Uint8Array> }> {
  const iterator = body[Symbol.asyncIterator]();
  let read: Uint8Array = new Uint8Array(0);
  for (;;) {
    const end = read.indexOf(LF);
    if (end >= 0 && end <= METADATA_LINE_LIMIT_BYTES) {
      return { line: read.subarray(0, end), rest: resume(read.subarray(end + 1), iterator) };
    }
    const step = read.byteLength > METADATA_LINE_LIMIT_BYTES ? undefined : await iterator.next();
    if (step === undefined || step.done === true) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
    read = concatBytes(read, step.value);
  }
}

async function* resume(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.byteLength > 0) yield first;
  for (;;) {
    const step = await rest.next();
    if (step.done === true) return;
    yield step.value;
  }
}
