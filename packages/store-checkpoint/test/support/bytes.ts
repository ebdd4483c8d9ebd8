import { createHash } from 'node:crypto';

/** Bytes that look random and are the same in every run. */
export function patterned(length: number, seed: string | number = 'keyfold'): Uint8Array {
  const block = createHash('shake256', { outputLength: Math.min(length, 65_536) }).update(String(seed)).digest();
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += block.byteLength) out.set(block.subarray(0, Math.min(block.byteLength, length - at)), at);
  for (let at = 0, index = 0; at < length; at += 65_536, index++) out[at] = index & 0xff;
  return out;
}

/** `bytes` in chunks of at most `size`, each a copy. */
export async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += size) yield await Promise.resolve(bytes.slice(at, at + size));
}

/** Everything that an iteration gives, joined. */
export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await gathered(chunks)));
}

export async function gathered<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  const at = bit >> 3;
  out[at] = (out[at] ?? 0) ^ (1 << (bit & 7));
  return out;
}

/** Short enough for a failing assertion to print. */
export function digest(bytes: Uint8Array): string {
  return `${bytes.byteLength}:${createHash('sha256').update(bytes).digest('hex')}`;
}
