/**
 * An answer as awsJson1.1: bytes as Base64, dates as seconds since the epoch with a fraction,
 * undefined members left out.
 */
export function encodeOutput(output: object): string {
  return JSON.stringify(encode(output));
}

function encode(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, encode(each)]));
  }
  return value;
}
