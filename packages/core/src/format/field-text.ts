import { toBase64Url } from '../bytes.ts';
import { FIELD_LIMITS } from './field.ts';

const PREFIX = 'kf1:';
const PATTERN = /^kf1:[A-Za-z0-9_-]+$/;

/** The longest text form: `kf1:` and the base64url of 16,478 bytes. */
export const FIELD_TEXT_LIMIT = PREFIX.length + Math.ceil((FIELD_LIMITS.maxBytes * 4) / 3);

/** `kf1:` and unpadded base64url. */
export function fieldToText(field: Uint8Array): string {
  return PREFIX + toBase64Url(field);
}

/** The bytes of a text form; undefined for every string that {@link fieldToText} does not give. */
export function fieldFromText(text: string): Uint8Array | undefined {
  if (text.length > FIELD_TEXT_LIMIT || !PATTERN.test(text)) return undefined;
  const digits = text.slice(PREFIX.length);
  const field = Buffer.from(digits, 'base64url');
  // Node's decoder takes bits that no encoder writes.
  return field.toString('base64url') === digits ? field : undefined;
}

/** Whether a string begins as the text form of a field does. */
export function looksLikeFieldText(text: string): boolean {
  return text.startsWith(PREFIX);
}
