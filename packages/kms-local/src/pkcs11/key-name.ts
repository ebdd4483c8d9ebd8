import { encodeUtf8 } from '@keyfold/core/provider';

/** What RFC 7512 permits unencoded in a path attribute (pk11-pchar), less what is left encoded for legibility. */
const PLAIN = /^[A-Za-z0-9._~-]$/;

/**
 * The name of a key in key records: an RFC 7512 URI of token and key label.
 * The serial number is no part of it, because clones of a token, which hold
 * the same keys, have serial numbers of their own.
 */
export function defaultKeyId(tokenLabel: string, keyLabel: string): string {
  return `pkcs11:token=${encode(tokenLabel)};object=${encode(keyLabel)};type=secret-key`;
}

function encode(text: string): string {
  return Array.from(encodeUtf8(text, 'A label'), (byte) => {
    const character = String.fromCharCode(byte);
    return PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}
