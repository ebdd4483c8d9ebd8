import { type ObjectBody, concatBytes, throwIfAborted } from '@keyfold/core/provider';
import { assertChunk } from './conditions.ts';

/**
 * All of a body in an array of its own.
 * @throws KeyfoldError INVALID_ARGUMENT for chunks that are no bytes, ABORTED, and what the body throws
 */
export async function collectBody(name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return Uint8Array.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    throwIfAborted(signal);
    assertChunk(name, chunk);
    chunks.push(Uint8Array.from(chunk));
    body.release?.(chunk);
  }
  return concatBytes(...chunks);
}
