import { createHash } from 'node:crypto';

/** SHA-256 of what comes. `done` is told of every chunk that was taken in. */
export async function digestOf(chunks: AsyncIterable<Uint8Array>, done?: (chunk: Uint8Array) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    done?.(chunk);
  }
  return hash.digest('hex');
}

/** For chunks that are the reader's own. */
export function wipe(chunk: Uint8Array): void {
  chunk.fill(0);
}
