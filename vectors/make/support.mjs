// What the makers of cases share: fixed random bytes, and the pieces of the formats that a writer of
// invalid objects needs and that the packages rightly do not offer.
import { createDecipheriv, createHmac, createSecretKey } from 'node:crypto';
import { stream, summary } from '../cases.mjs';
import { Bytes } from './bytes.mjs';

const built = (path) => import(new URL(`../../packages/${path}`, import.meta.url).href);

export const core = {
  ...(await built('core/dist/bytes.js')),
  ...(await built('core/dist/format/context.js')),
  ...(await built('core/dist/format/checkpoint.js')),
  ...(await built('core/dist/format/key-record.js')),
  ...(await built('core/dist/format/writer.js')),
  ...(await built('core/dist/format/hidden-name.js')),
  ...(await built('core/dist/crypto/message.js')),
  ...(await built('core/dist/sealing/checkpoint-sealer.js')),
  ...(await built('core/dist/sealing/record-mac.js')),
  ...(await built('core/dist/sealing/hidden-names.js')),
  ...(await built('core/dist/vault/record-name.js')),
};
export const { FieldBinding } = await built('core/dist/format/field-binding.js');
export const { sealField } = await built('core/dist/sealing/seal-field.js');
export const blindIndex = await built('core/dist/format/blind-index.js');
export const SecretBytes = (await built('core/dist/crypto/secret-bytes.js')).SecretBytes;
export const keyring = {
  ...(await built('kms-local/dist/keyring-header.js')),
  ...(await built('kms-local/dist/kek-json.js')),
  ...(await built('kms-local/dist/keyring-key.js')),
};
export const names = await built('store-checkpoint/dist/object-names.js');
export const hidden = await built('store-checkpoint/dist/encrypted/hidden-checkpoint-names.js');

export const CREATED = 1_700_000_000_000;
export const clock = { now: () => CREATED };

/** 16, 24 or 32 bytes that a name stands for. */
export const named = (name, length = 32) => Buffer.from(stream(`keyfold/${name}`, 0, length));

/** A source of random bytes that gives the same ones in every run. */
export function fixedRandom(name) {
  let drawn = 0;
  return {
    bytes(length) {
      drawn += length;
      return stream(`keyfold/random/${name}`, drawn - length, drawn);
    },
  };
}

export const secret = (bytes) => createSecretKey(bytes);

/** HKDF-Expand-SHA-512. */
export function expand(key, info, length) {
  let block = Buffer.alloc(0);
  let output = Buffer.alloc(0);
  for (let counter = 1; output.length < length; counter++) {
    block = createHmac('sha512', key).update(block).update(info).update(Buffer.from([counter])).digest();
    output = Buffer.concat([output, block]);
  }
  return output.subarray(0, length);
}

export const GCM_SUITES = {
  1: { label: 'c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM', full: 16_400, lead: 0 },
  3: { label: 'keyfold/aes-256-gcm-1m/v1', full: 1_048_576, lead: 96 },
};

/** Plaintext bytes of a full frame. */
export const capacity = (suite, index) => GCM_SUITES[suite].full - 16 - (index === 0 ? GCM_SUITES[suite].lead : 0);

/** The plaintext lengths of the frames of a plaintext. */
export function frameLengths(suite, length) {
  const lengths = [];
  let rest = length;
  while (rest >= capacity(suite, lengths.length)) {
    const taken = capacity(suite, lengths.length);
    lengths.push(taken);
    rest -= taken;
  }
  return [...lengths, rest];
}

const streamName = (name, index) => `keyfold/ciphertext/${name}/${index}`;

/**
 * The plaintext whose ciphertext is a stream in every frame. Counter mode makes it as good as any
 * other, and the sealed object can be written down without its megabytes.
 */
export function plaintextOfStreams(suite, { key, salt, context, name, length }) {
  const info = Buffer.concat([Buffer.from(`${GCM_SUITES[suite].label}\0`), salt, context]);
  const derived = expand(key, info, 44);
  const base = BigInt(`0x${derived.subarray(32).toString('hex')}`);
  const frames = frameLengths(suite, length).map((bytes, index) => {
    const nonce = Buffer.from((base ^ BigInt(index)).toString(16).padStart(24, '0'), 'hex');
    const cipher = createDecipheriv('aes-256-gcm', derived.subarray(0, 32), nonce, { authTagLength: 16 });
    return cipher.update(stream(streamName(name, index), 0, bytes));
  });
  return Buffer.concat(frames);
}

/** The sealed bytes with their ciphertext as streams; throws unless that is what they are. */
export function asStreams(suite, { sealed, lead, name, length }) {
  let offset = lead;
  const parts = [sealed.subarray(0, lead)];
  for (const [index, bytes] of frameLengths(suite, length).entries()) {
    parts.push(Bytes.stream(streamName(name, index), bytes), sealed.subarray(offset + bytes, offset + bytes + 16));
    offset += bytes + 16;
  }
  const written = Bytes.of(...parts);
  if (!written.toBuffer().equals(sealed)) {
    throw new Error(`the ciphertext of ${name} is no stream`);
  }
  return written;
}

/** A record of any content with a MAC that verifies. */
export function signedRecord(dek, body) {
  const macKey = expand(dek, Buffer.from('keyfold/key-record-mac/v1\0'), 32);
  return Bytes.of(body, createHmac('sha256', macKey).update(body).digest());
}

/** One case. `refusal` and `reason` make it an invalid one. */
export function valid(id, description, spec, what, input, output) {
  return { id, description, what, spec, input, expect: 'valid', output };
}

export function invalid(id, reason, spec, what, input, refusal) {
  return { id, description: reason, what, spec, input, expect: 'invalid', refusal, reason };
}

export { Bytes, summary };
