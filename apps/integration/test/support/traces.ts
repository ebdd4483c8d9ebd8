/** At most this much of a key may stand somewhere by accident: half of it is a find. */
const PART_BYTES = 16;

/** How a key, or half of one, may stand in a file: raw, as hex, or as base64 wherever in a longer text it begins. */
export function tracesOf(key: Uint8Array): Buffer[] {
  const halves = [key.subarray(0, PART_BYTES), key.subarray(key.byteLength - PART_BYTES)].map((half) => Buffer.from(half));
  return halves.flatMap((half) => [
    half,
    ...[half.toString('hex'), half.toString('hex').toUpperCase(), [...half].join(','), [...half].join(', ')].map((text) => Buffer.from(text)),
    ...[0, 1, 2].flatMap((offset) => base64At(half, offset)),
  ]);
}

/** The characters that follow from the key alone, when `offset` bytes of something else are in front of it in its group of three. */
function base64At(key: Buffer, offset: number): Buffer[] {
  const padded = Buffer.concat([Buffer.alloc(offset), key]);
  const first = offset === 0 ? 0 : offset + 1;
  const length = Math.floor((padded.byteLength * 8) / 6);
  return (['base64', 'base64url'] as const).map((encoding) => Buffer.from(padded.toString(encoding).slice(first, length)));
}

/** Whether any trace of any key is in `bytes`. */
export function findTrace(bytes: Buffer, traces: readonly Buffer[]): boolean {
  return traces.some((trace) => bytes.includes(trace));
}
