import type { KeyObject } from 'node:crypto';
import {
  KeyfoldError,
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  fromBase64Url,
  label,
  openMessage,
  sealMessage,
  toBase64Url,
} from '@keyfold/core/provider';
import { decodeKeks, encodeKeks } from './kek-json.ts';
import type { KekSet } from './kek-set.ts';
import { MAX_HEADER_BYTES, decodeHeader, encodeHeader, type KeyringHeader } from './keyring-header.ts';

/** Checked against the size of a file before it is read. */
export const MAX_KEYRING_BYTES = 1_048_576;

const LF = 0x0a;
const newline = Uint8Array.of(LF);
/** Salt, commitment and the tag of an empty chunk. */
const MIN_MESSAGE_BYTES = 72;

/** A keyring file taken apart, not opened yet. */
export interface SealedKeyring {
  readonly header: KeyringHeader;
  readonly message: Uint8Array;
}

/** The bytes of a keyring file (spec/local-keyring). Equal inputs give different bytes: the salt is new. */
export function sealKeyring(header: KeyringHeader, keks: KekSet, key: KeyObject): Uint8Array {
  const json = encodeKeks(keks);
  try {
    const message = sealMessage(key, keyringContext(header), json);
    return concatBytes(encodeHeader(header), newline, encodeUtf8(toBase64Url(message), 'Line 2'), newline);
  } finally {
    json.fill(0);
  }
}

/**
 * Takes a file apart and checks all that can be checked without a key.
 * @throws KeyfoldError INTEGRITY_FAILURE
 */
export function parseKeyring(bytes: Uint8Array): SealedKeyring {
  const first = bytes.subarray(0, MAX_HEADER_BYTES + 1).indexOf(LF);
  const second = bytes.indexOf(LF, first + 1);
  if (bytes.byteLength > MAX_KEYRING_BYTES || first < 0 || second !== bytes.byteLength - 1) {
    throw damaged('it is no two lines that end in LF');
  }
  const header = decodeHeader(bytes.subarray(0, first));
  const message = fromBase64Url(decodeUtf8(bytes.subarray(first + 1, second)) ?? '=');
  if (message === undefined || message.byteLength < MIN_MESSAGE_BYTES) {
    throw damaged('its second line is truncated or no base64url');
  }
  return { header, message };
}

/**
 * The KEKs; the caller disposes of them.
 * @throws KeyfoldError AUTHENTICATION_FAILED for another key or an altered file, INTEGRITY_FAILURE
 */
export function openKeyring({ header, message }: SealedKeyring, key: KeyObject): KekSet {
  const json = openMessage(key, keyringContext(header), message);
  if (json === undefined) {
    throw new KeyfoldError(
      'AUTHENTICATION_FAILED',
      'The keyring does not open: the password or key is wrong, or the file was altered.',
    );
  }
  try {
    const keks = decodeKeks(json);
    if (keks === undefined) throw damaged('the list of key versions inside it is malformed');
    return keks;
  } finally {
    json.fill(0);
  }
}

function keyringContext(header: KeyringHeader): Uint8Array {
  return concatBytes(label('keyfold/keyring/v1'), encodeHeader(header));
}

function damaged(reason: string): KeyfoldError {
  return new KeyfoldError('INTEGRITY_FAILURE', `The keyring file is damaged or is none: ${reason}.`);
}
