import { randomFillSync } from 'node:crypto';

export const KIB = 1_024;
export const MIB = 1_048_576;
export const GIB = 1_073_741_824;

/** Bytes that no disk compresses. */
export function randomData(bytes) {
  const data = Buffer.allocUnsafeSlow(bytes);
  for (let at = 0; at < bytes; at += 2 ** 30) randomFillSync(data, at, Math.min(2 ** 30, bytes - at));
  return data;
}

/** `bytes` in chunks that are views of one array, as a producer would give them. */
export async function* stream(bytes, chunk = 1_048_576, source = randomData(chunk)) {
  for (let at = 0; at < bytes; at += chunk) yield source.subarray(0, Math.min(chunk, bytes - at));
}

export function sizeName(bytes) {
  if (bytes >= GIB) return `${bytes / GIB} GiB`;
  if (bytes >= MIB) return `${bytes / MIB} MiB`;
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`;
}
