import type { KeyObject } from 'node:crypto';
import { sealMessage as seal } from './message.ts';
import { systemRandomSource } from './random.ts';

/**
 * A whole core message (Cobblestone-256, spec/chunked-encryption): `salt ||
 * commitment || chunks`, 72 bytes more than up to 16,383 bytes of plaintext. The
 * salt comes from the operating system; no caller supplies it.
 * @param key 32 bytes
 * @throws KeyfoldError INVALID_ARGUMENT for a key of another length
 */
export function sealMessage(key: KeyObject, context: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return seal(key, context, plaintext, systemRandomSource);
}
