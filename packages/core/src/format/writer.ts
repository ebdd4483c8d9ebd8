import { u64 } from '../bytes.ts';

/** Big-endian encoders for the few shapes that the formats are made of. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  // Without a DataView, which would move so small an array off the heap.
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/**
 * `bytes` behind its own length. Callers have checked the length against its
 * cap; one that does not fit would make two values encode alike.
 */
export function lengthPrefixed(bits: 8 | 16 | 32, bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength >= 2 ** bits) throw new RangeError('longer than its length prefix can say');
  const width = bits / 8;
  const out = new Uint8Array(width + bytes.byteLength);
  for (let at = width - 1, rest = bytes.byteLength; rest > 0; at--, rest = Math.floor(rest / 256)) out[at] = rest % 256;
  out.set(bytes, width);
  return out;
}

export { u64 };
