/*
 * Simple tests of bytes that should be random. What they give is in standard
 * deviations of what truly random bytes would give.
 */

/** Random bytes are further off than this about once in a thousand million times. */
export const SIGMAS = 6.2;

/** How far the number of one bits is from half. */
export function monobit(bytes: Uint8Array): number {
  let ones = 0;
  for (const byte of bytes) ones += ONES[byte] ?? 0;
  return deviation(ones, bytes.byteLength * 8);
}

/** The same for each bit of records of `length` bytes by itself: the worst. */
export function worstBit(bytes: Uint8Array, length: number): number {
  let worst = 0;
  for (let bit = 0; bit < length * 8; bit++) {
    let ones = 0;
    for (let at = bit >> 3; at < bytes.byteLength; at += length) ones += ((bytes[at] ?? 0) >> (bit & 7)) & 1;
    worst = Math.max(worst, Math.abs(deviation(ones, bytes.byteLength / length)));
  }
  return worst;
}

/** Chi-square of the 256 byte values, made normal after Wilson and Hilferty. */
export function byteValues(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  const expected = bytes.byteLength / 256;
  const degrees = 255;
  const chiSquare = [...counts].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const variance = 2 / (9 * degrees);
  return (Math.cbrt(chiSquare / degrees) - (1 - variance)) / Math.sqrt(variance);
}

/** The correlation of bytes with those `distance` behind them. */
export function serialCorrelation(bytes: Uint8Array, distance: number): number {
  const middle = 127.5;
  let products = 0;
  let squares = 0;
  for (let at = distance; at < bytes.byteLength; at++) {
    const byte = (bytes[at - distance] ?? 0) - middle;
    products += byte * ((bytes[at] ?? 0) - middle);
    squares += byte ** 2;
  }
  return (products / squares) * Math.sqrt(bytes.byteLength - distance);
}

function deviation(ones: number, bits: number): number {
  return (ones - bits / 2) / Math.sqrt(bits / 4);
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
