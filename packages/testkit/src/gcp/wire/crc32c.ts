import crc from 'crc-32/crc32c.js';

/** CRC-32C (RFC 3720, B.4) as the unsigned number that Cloud KMS carries in an Int64Value. */
export function crc32c(bytes: Uint8Array): number {
  return crc.buf(bytes) >>> 0;
}
