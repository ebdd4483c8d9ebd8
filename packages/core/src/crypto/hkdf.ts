import { createHmac, type KeyObject } from 'node:crypto';

const HASH_BYTES = { sha256: 32, sha512: 64 } as const;

/** HKDF-Expand with HMAC-SHA-512, the only derivation of the formats: see {@link hkdfExpand}. */
export function hkdfExpandSha512(prk: KeyObject, info: Uint8Array, length: number): Uint8Array {
  return hkdfExpand('sha512', prk, info, length);
}

/**
 * HKDF-Expand (RFC 5869 section 2.3). Node's `hkdfSync` always runs Extract
 * first and gives other bytes; our PRK is a uniform key already, for which
 * section 3.3 lets Extract be left out. The hash is a parameter so that the
 * RFC's own vectors, which are for SHA-256, prove this routine as well.
 * @param length 1 to 255 times the hash's length, in bytes
 */
export function hkdfExpand(hash: keyof typeof HASH_BYTES, prk: KeyObject, info: Uint8Array, length: number): Uint8Array {
  const size = HASH_BYTES[hash];
  if (!Number.isInteger(length) || length < 1 || length > 255 * size) {
    throw new RangeError(`HKDF-Expand with ${hash} gives 1 to ${255 * size} bytes.`);
  }
  const output = new Uint8Array(Math.ceil(length / size) * size);
  let previous = new Uint8Array(0);
  for (let block = 0; block * size < length; block++) {
    const hmac = createHmac(hash, prk);
    hmac.update(previous).update(info).update(Uint8Array.of(block + 1));
    const digest = hmac.digest();
    output.set(digest, block * size);
    digest.fill(0);
    previous = output.subarray(block * size, (block + 1) * size);
  }
  // What was derived beyond `length` is key material too.
  const result = output.slice(0, length);
  output.fill(0);
  return result;
}
