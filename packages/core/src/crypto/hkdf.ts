import { createHmac, type KeyObject } from 'node:crypto';

const HASH_BYTES = 64;

/**
 * HKDF-Expand with HMAC-SHA-512 (RFC 5869 section 2.3). Node's `hkdfSync`
 * always runs Extract first and gives other bytes; our PRK is a uniform key
 * already, for which section 3.3 lets Extract be left out.
 * @param length at most 255 * 64 bytes
 */
export function hkdfExpandSha512(prk: KeyObject, info: Uint8Array, length: number): Uint8Array {
  if (!Number.isInteger(length) || length < 1 || length > 255 * HASH_BYTES) throw new RangeError('HKDF-Expand gives 1 to 16,320 bytes.');
  const output = new Uint8Array(Math.ceil(length / HASH_BYTES) * HASH_BYTES);
  let previous = new Uint8Array(0);
  for (let block = 0; block * HASH_BYTES < length; block++) {
    const hmac = createHmac('sha512', prk);
    hmac.update(previous).update(info).update(Uint8Array.of(block + 1));
    const digest = hmac.digest();
    output.set(digest, block * HASH_BYTES);
    digest.fill(0);
    previous = output.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES);
  }
  // What was derived beyond `length` is key material too.
  const result = output.slice(0, length);
  output.fill(0);
  return result;
}
