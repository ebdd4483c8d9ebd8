import { concatBytes, kmsAad, lengthPrefixed, systemRandomSource } from '@keyfold/core/provider';
import { CKM, PARAMS_GCM } from './constants.ts';
import { owned } from './handles.ts';
import type { Mechanism } from './sdk.ts';
import { MAX_PLAINTEXT_BYTES, wrongLength, type Wrapping } from './wrapping.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const LEAD_BYTES = 1 + IV_BYTES;

/**
 * AES-256-GCM on the token, the encryption context as AAD: `lp8 iv || ciphertext || tag`.
 * The nonce is random (NIST SP 800-38D, section 8.2.2), which the token checks
 * no less than the tag: nothing is verified in this process.
 */
export const gcmWrapping: Wrapping = {
  algorithm: 'pkcs11-aes-gcm-v1',
  contextBinding: 'aad',
  granted: { encrypt: true, decrypt: true, wrap: false, unwrap: false },
  canWrap: ({ encrypt }) => encrypt,
  canUnwrap: ({ decrypt }) => decrypt,

  isWrapped: (ciphertext) => {
    const length = ciphertext.byteLength - LEAD_BYTES - TAG_BYTES;
    return ciphertext[0] === IV_BYTES && length >= 1 && length <= MAX_PLAINTEXT_BYTES;
  },

  async wrap({ cryptoki, session }, kek, _names, context, plaintext) {
    const mechanism = gcm(systemRandomSource.bytes(IV_BYTES), kmsAad(context));
    const input = owned(plaintext);
    const room = Buffer.alloc(plaintext.byteLength + 2 * TAG_BYTES);
    try {
      cryptoki.C_EncryptInit(session, mechanism, kek.handle);
      const output = await cryptoki.C_EncryptAsync(session, input, room);
      const expected = plaintext.byteLength + TAG_BYTES;
      if (output.byteLength !== expected) throw wrongLength('a ciphertext', expected, output.byteLength);
      // Tokens that make nonces of their own write them over ours; so it is read only now.
      return concatBytes(lengthPrefixed(8, mechanism.parameter.iv), output);
    } finally {
      input.fill(0);
      mechanism.parameter.aad.fill(0);
    }
  },

  async unwrap({ cryptoki, session }, kek, _names, context, ciphertext) {
    const mechanism = gcm(ciphertext.subarray(1, LEAD_BYTES), kmsAad(context));
    const input = owned(ciphertext.subarray(LEAD_BYTES));
    const room = Buffer.alloc(input.byteLength + TAG_BYTES);
    try {
      cryptoki.C_DecryptInit(session, mechanism, kek.handle);
      const output = await cryptoki.C_DecryptAsync(session, input, room);
      const expected = input.byteLength - TAG_BYTES;
      if (output.byteLength !== expected) throw wrongLength('a plaintext', expected, output.byteLength);
      return Uint8Array.from(output);
    } finally {
      room.fill(0);
      input.fill(0);
      mechanism.parameter.aad.fill(0);
    }
  },
};

function gcm(iv: Uint8Array, aad: Uint8Array): Mechanism & { parameter: { iv: Buffer; aad: Buffer } } {
  return {
    mechanism: CKM.AES_GCM,
    parameter: { type: PARAMS_GCM, iv: owned(iv), ivBits: 8 * IV_BYTES, aad: owned(aad), tagBits: 8 * TAG_BYTES },
  };
}
