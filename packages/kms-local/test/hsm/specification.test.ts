import { createCipheriv, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { kmsAad, openMessage } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { Pkcs11Kms } from '../../src/pkcs11/index.ts';
import { refusal } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

const specification = readFileSync(new URL('../../../../docs/spec/pkcs11.md', import.meta.url), 'utf8');
const examples = specification.slice(specification.indexOf('\n## 8. ')).matchAll(/```\n([^`]+)```/g);
const [aad, gcmWrap, wrappedSeed, messageContext, seedWrap] = [...examples].map(([, block = '']) => Buffer.from(block.replaceAll('\n', ''), 'hex')) as [Buffer, Buffer, Buffer, Buffer, Buffer];

const kek = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const dek = Array.from({ length: 32 }, (_, index) => 255 - index);
const seed = Buffer.from(Array.from({ length: 32 }, (_, index) => 0x40 + index));
const context = { purpose: 'wrap', tenant: 'acme' };
const keyId = 'pkcs11:token=example;object=example;type=secret-key';

describe('the examples of the specification', () => {
  it.each([
    ['pkcs11-aes-gcm-v1', gcmWrap],
    ['pkcs11-aes-kwp-seed-v1', seedWrap],
  ])('of %s open on the token, under their context and key id and no other', async (algorithm, ciphertext) => {
    const options = hsm.options({ keyId, acceptImportedKeys: true });
    new RawToken().addKey(options.keyLabel, '01', { value: kek });
    const kms = await Pkcs11Kms.open(options);
    const wrapped = { provider: 'pkcs11', keyId, keyVersion: '01', algorithm, ciphertext };
    expect(Array.from(await kms.decrypt(wrapped, { context }))).toEqual(dek);
    await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context: { ...context, tenant: 'acmE' } }));
  });

  it('have the intermediate values that the page gives', () => {
    expect(aad).toEqual(Buffer.from(kmsAad(context)));
    const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
    expect(wrappedSeed).toEqual(Buffer.concat([cipher.update(seed), cipher.final()]));
    expect(seedWrap.subarray(0, 42)).toEqual(Buffer.concat([Buffer.of(0, 40), wrappedSeed]));
    expect(openMessage(createSecretKey(seed), messageContext, seedWrap.subarray(42))).toEqual(Uint8Array.from(dek));
  });
});

it('a seed wrap does not open under another key id, though the key is the same', async () => {
  const options = hsm.options({ keyId: 'another name', acceptImportedKeys: true });
  new RawToken().addKey(options.keyLabel, '01', { value: kek });
  const kms = await Pkcs11Kms.open(options);
  const wrapped = { provider: 'pkcs11', keyId: 'another name', keyVersion: '01', algorithm: 'pkcs11-aes-kwp-seed-v1', ciphertext: seedWrap };
  await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context }));
});
