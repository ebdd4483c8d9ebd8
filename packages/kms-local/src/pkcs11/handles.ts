/** The number in a CK_ULONG of this machine: 4 or 8 bytes, little-endian on every machine that Node runs on with this binding. */
export function unsigned(value: Buffer): number {
  return value.readUIntLE(0, Math.min(value.length, 6));
}

/**
 * A copy in memory of its own. The binding hands the address of a buffer to
 * another thread and keeps no reference to it, so whoever calls it must hold
 * on to each buffer until the call is over; overwriting it then does both.
 */
export function owned(bytes: Uint8Array): Buffer {
  const copy = Buffer.alloc(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
