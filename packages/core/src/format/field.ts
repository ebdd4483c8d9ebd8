import { MalformedError } from './reader.ts';

/** The first 23 bytes of a sealed field (spec/sealed-field), as far as they can differ. */
export interface FieldHeader {
  readonly padded: boolean;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
}

export const FIELD_HEADER_BYTES = 23;
const DEK_ID_OFFSET = 7;
/** Salt, commitment and tag. */
const MESSAGE_OVERHEAD_BYTES = 24 + 32 + 16;
const PADDING_BLOCK_BYTES = 32;

export const FIELD_LIMITS = {
  /** One chunk: a full one would never be the last. */
  plaintextBytes: 16_383,
  /** The most that is at least one byte short of a multiple of 32 below 16,383. */
  paddedPlaintextBytes: 16_351,
  minBytes: FIELD_HEADER_BYTES + MESSAGE_OVERHEAD_BYTES,
  maxBytes: FIELD_HEADER_BYTES + MESSAGE_OVERHEAD_BYTES + 16_383,
} as const;

const MAGIC = [0x8f, 0x4b, 0x46, 0x46] as const;
const VERSION = 0x01;
const SUITE = 0x01;
const PADDED = 0x01;

/** How many bytes a field over `content` bytes of plaintext (padding included) has. */
export function fieldLength(content: number): number {
  return FIELD_LIMITS.minBytes + content;
}

/** Writes the header to the beginning of `field`. */
export function writeFieldHeader(field: Uint8Array, header: FieldHeader): void {
  field.set(MAGIC);
  field[4] = VERSION;
  field[5] = SUITE;
  field[6] = header.padded ? PADDED : 0;
  field.set(header.dekId, DEK_ID_OFFSET);
}

/**
 * The header of a whole field; views of the same memory.
 * @throws MalformedError for another length, magic, version, suite or flag than a field has
 */
export function parseFieldHeader(field: Uint8Array): FieldHeader {
  if (field.byteLength < FIELD_LIMITS.minBytes || field.byteLength > FIELD_LIMITS.maxBytes) throw new MalformedError('length of a field');
  const flags = field[6];
  if (!looksLikeField(field) || field[4] !== VERSION || field[5] !== SUITE || (flags !== 0 && flags !== PADDED)) {
    throw new MalformedError('no field of this version');
  }
  return { padded: flags === PADDED, dekId: field.subarray(DEK_ID_OFFSET, FIELD_HEADER_BYTES) };
}

/** Whether bytes begin as a field does. No text begins so: 8F is no first byte of UTF-8. */
export function looksLikeField(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

/** `plaintext || 80 || 00 ..` up to a multiple of 32; always fresh memory. */
export function padField(plaintext: Uint8Array): Uint8Array {
  const length = plaintext.byteLength;
  const padded = new Uint8Array(length + PADDING_BLOCK_BYTES - (length % PADDING_BLOCK_BYTES));
  padded.set(plaintext);
  padded[length] = 0x80;
  return padded;
}

/** A view of what stands before the padding, or undefined when there is another padding than {@link padField} makes. */
export function unpadField(padded: Uint8Array): Uint8Array | undefined {
  if (padded.byteLength % PADDING_BLOCK_BYTES !== 0) return undefined;
  let end = padded.byteLength - 1;
  const first = Math.max(0, padded.byteLength - PADDING_BLOCK_BYTES);
  while (end > first && padded[end] === 0) end--;
  return padded[end] === 0x80 ? padded.subarray(0, end) : undefined;
}
