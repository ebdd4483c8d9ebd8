import crc from 'crc-32/crc32c.js';

/** CRC-32C (RFC 3720, B.4), unsigned. Not the CRC-32 of node:zlib, which has another polynomial. */
export function crc32c(bytes: Uint8Array): number {
  return crc.buf(bytes) >>> 0;
}
