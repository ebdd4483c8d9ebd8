import { timingSafeEqual } from 'node:crypto';
import { KeyfoldError } from './errors.ts';

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF: what was sealed is what is opened.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Characters. */
const SHORT = 128;

/** Joins byte strings; always a fresh buffer outside Node's shared pool. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.byteLength;
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** Equality whose time depends on the lengths alone. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

/**
 * UTF-8 of a well-formed string. Lone surrogates are refused, because they
 * would all encode as U+FFFD and two strings would become one.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function encodeUtf8(text: string, what: string): Uint8Array {
  if (!text.isWellFormed()) {
    throw new KeyfoldError('INVALID_ARGUMENT', `${what} holds a lone surrogate; pass well-formed Unicode text.`);
  }
  return (text.length <= SHORT ? encodeAscii(text) : undefined) ?? encoder.encode(text);
}

/** The encoder takes a microsecond and more for a label or a name; most of these are ASCII. */
function encodeAscii(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      bytes.fill(0);
      return undefined;
    }
    bytes[i] = code;
  }
  return bytes;
}

/** Strict UTF-8 decoding: undefined instead of a replacement character. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lowercase hex. */
export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

/** Unpadded base64url. */
export function toBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}

/**
 * Unpadded base64url, strictly: Node's decoder skips what it does not know, so
 * the result is compared with its own re-encoding.
 */
export function fromBase64Url(text: string): Uint8Array | undefined {
  const decoded = Buffer.from(text, 'base64url');
  const bytes = decoded.toString('base64url') === text ? new Uint8Array(decoded) : undefined;
  // Small Buffers come from Node's shared pool, where a key must not stay behind.
  decoded.fill(0);
  return bytes;
}

/** The same memory as a Buffer. */
export function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit big-endian integer; one that does not fit is refused rather than wrapped. */
export function u64(value: number | bigint): Uint8Array {
  if (BigInt.asUintN(64, BigInt(value)) !== BigInt(value)) throw new RangeError('not an unsigned 64-bit integer');
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value));
  return out;
}
