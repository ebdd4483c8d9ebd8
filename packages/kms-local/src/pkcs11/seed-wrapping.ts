import { createSecretKey } from 'node:crypto';
import {
  concatBytes,
  encodeUtf8,
  encodeWrapContext,
  label,
  lengthPrefixed,
  openMessage,
  sealMessage,
  systemRandomSource,
  type EncryptionContext,
} from '@keyfold/core/provider';
import { CKA, CKK, CKO_SECRET_KEY } from './constants.ts';
import { owned } from './handles.ts';
import type { Kek } from './kek.ts';
import type { Attribute } from './sdk.ts';
import type { TokenCall } from './token.ts';
import { MAX_PLAINTEXT_BYTES, invalidCiphertext, wrongLength, type WrapNames, type Wrapping } from './wrapping.ts';

const SEED_BYTES = 32;
/** Key wrap adds one block of 8 bytes to 32. Tokens that pad by other rules than RFC 5649 give more. */
const WRAPPED_SEED_BYTES = 40;
const LEAD_BYTES = 2 + WRAPPED_SEED_BYTES;
/** What a core message of one chunk adds. */
const MESSAGE_OVERHEAD = 72;

/**
 * For tokens without AES-GCM. AES key wrap takes no AAD, so the token wraps a
 * random seed, and a core message under the seed binds the data key to the
 * context: `lp16 E || message`. Seeds always have 32 bytes: tokens differ in
 * how they pad other lengths (SoftHSM adds zeros and does not take them off).
 * @param mechanism CKM_AES_KEY_WRAP_KWP or CKM_AES_KEY_WRAP_PAD
 */
export function seedWrapping(mechanism: number): Wrapping {
  return {
    algorithm: 'pkcs11-aes-kwp-seed-v1',
    contextBinding: 'seed',
    granted: { encrypt: false, decrypt: false, wrap: true, unwrap: true },
    canWrap: ({ wrap }) => wrap,
    canUnwrap: ({ unwrap }) => unwrap,

    isWrapped: (ciphertext) => {
      const length = ciphertext.byteLength - LEAD_BYTES - MESSAGE_OVERHEAD;
      return ciphertext[0] === 0 && ciphertext[1] === WRAPPED_SEED_BYTES && length >= 1 && length <= MAX_PLAINTEXT_BYTES;
    },

    async wrap(call, kek, names, context, plaintext) {
      const bound = messageContext(names, kek, context);
      const seed = owned(systemRandomSource.bytes(SEED_BYTES));
      try {
        const wrapped = await wrapSeed(call, mechanism, kek, seed);
        return concatBytes(lengthPrefixed(16, wrapped), sealMessage(createSecretKey(seed), bound, plaintext));
      } finally {
        seed.fill(0);
      }
    },

    async unwrap(call, kek, names, context, ciphertext) {
      const bound = messageContext(names, kek, context);
      const seed = await unwrapSeed(call, mechanism, kek, owned(ciphertext.subarray(2, LEAD_BYTES)));
      try {
        const plaintext = openMessage(createSecretKey(seed), bound, ciphertext.subarray(LEAD_BYTES));
        if (plaintext === undefined) throw invalidCiphertext();
        return plaintext;
      } finally {
        seed.fill(0);
      }
    },
  };
}

/** C_WrapKey takes keys that are on the token: the seed becomes one for a moment, in this session alone. */
async function wrapSeed({ cryptoki, session }: TokenCall, mechanism: number, kek: Kek, seed: Buffer): Promise<Uint8Array> {
  const object = cryptoki.C_CreateObject(session, [...seedTemplate(), { type: CKA.VALUE, value: seed }]);
  const room = Buffer.alloc(4 * SEED_BYTES);
  try {
    const output = await cryptoki.C_WrapKeyAsync(session, { mechanism }, kek.handle, object, room);
    if (output.byteLength !== WRAPPED_SEED_BYTES) throw wrongLength('a wrapped seed', WRAPPED_SEED_BYTES, output.byteLength);
    return Uint8Array.from(output);
  } finally {
    room.fill(0);
    cryptoki.C_DestroyObject(session, object);
  }
}

async function unwrapSeed({ cryptoki, session }: TokenCall, mechanism: number, kek: Kek, wrapped: Buffer): Promise<Buffer> {
  const object = await cryptoki.C_UnwrapKeyAsync(session, { mechanism }, kek.handle, wrapped, seedTemplate());
  wrapped.fill(0);
  try {
    const seed = cryptoki.C_GetAttributeValue(session, object, [{ type: CKA.VALUE }])[0]?.value ?? Buffer.alloc(0);
    if (seed.byteLength === SEED_BYTES) return seed;
    seed.fill(0);
    throw wrongLength('a seed', SEED_BYTES, seed.byteLength);
  } finally {
    cryptoki.C_DestroyObject(session, object);
  }
}

function seedTemplate(): Attribute[] {
  return [
    { type: CKA.CLASS, value: CKO_SECRET_KEY },
    { type: CKA.KEY_TYPE, value: CKK.GENERIC_SECRET },
    { type: CKA.TOKEN, value: false },
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: false },
    { type: CKA.EXTRACTABLE, value: true },
  ];
}

function messageContext({ provider, keyId }: WrapNames, kek: Kek, context: EncryptionContext): Uint8Array {
  return concatBytes(
    label('keyfold/seed-wrap/v1'),
    lengthPrefixed(8, encodeUtf8(provider, 'The provider')),
    lengthPrefixed(16, encodeUtf8(keyId, 'The key id')),
    lengthPrefixed(16, encodeUtf8(kek.id.text, 'The key version')),
    encodeWrapContext(context),
  );
}
