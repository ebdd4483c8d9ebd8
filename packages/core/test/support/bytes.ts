import { createHash, createSecretKey, type KeyObject } from 'node:crypto';

/** Bytes that look random and are the same in every run. */
export function patterned(length: number, seed = 'keyfold'): Uint8Array {
  const out = new Uint8Array(length);
  const block = createHash('sha512').update(seed).digest();
  for (let at = 0; at < length; at += block.byteLength) {
    out.set(block.subarray(0, Math.min(block.byteLength, length - at)), at);
    block.writeUInt32BE(at >>> 0, 0);
  }
  return out;
}

export function secretKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(bytes);
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7)));
  return out;
}

/** What `run` throws; fails when it returns. */
export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('expected a throw, and nothing was thrown');
}
