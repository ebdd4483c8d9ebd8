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
  const outputBytes = Math.ceil(length / size) * size;
  const work = new Uint8Array(outputBytes + size + info.byteLength + 1);
  const output = work.subarray(0, outputBytes);
  // T(n - 1) || info || n, in one piece because each update() costs as much as hashing some hundred bytes.
  const input = work.subarray(outputBytes);
  input.set(info, size);
  for (let block = 0; block * size < length; block++) {
    input[input.byteLength - 1] = block + 1;
    const digest = createHmac(hash, prk).update(block === 0 ? input.subarray(size) : input).digest();
    output.set(digest, block * size);
    input.set(digest);
    digest.fill(0);
  }
  // What was derived beyond `length` is key material too.
  const result = output.slice(0, length);
  work.fill(0);
  return result;
}
