import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import pkcs11 from 'pkcs11js';
import { kmsAad, type WrappedKey } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { Pkcs11Kms, type Pkcs11KmsClient } from '../../src/pkcs11/index.ts';
import { context, refusal } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { safeRefusal, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

/** A key on the token whose bytes the test knows. */
async function known(wrapping: 'aes-gcm' | 'aes-key-wrap'): Promise<{ kek: Buffer; kms: Pkcs11KmsClient }> {
  const options = hsm.options({ acceptImportedKeys: true, wrapping });
  const kek = randomBytes(32);
  new RawToken().addKey(options.keyLabel, '01', { value: kek });
  return { kek, kms: await Pkcs11Kms.open(options) };
}

function named(kms: Pkcs11KmsClient, algorithm: string, ciphertext: Uint8Array): WrappedKey {
  return { provider: 'pkcs11', keyId: kms.keyId, keyVersion: '01', algorithm, ciphertext };
}

describe('a wrap by AES-GCM', () => {
  it('made by the token opens with AES-256-GCM elsewhere', async () => {
    const { kek, kms } = await known('aes-gcm');
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    expect(wrapped).toMatchObject({ provider: 'pkcs11', keyVersion: '01', algorithm: 'pkcs11-aes-gcm-v1' });
    expect(wrapped.ciphertext).toHaveLength(61);
    expect(wrapped.ciphertext[0]).toBe(12);
    const decipher = createDecipheriv('aes-256-gcm', kek, wrapped.ciphertext.subarray(1, 13), { authTagLength: 16 });
    decipher.setAAD(kmsAad(context)).setAuthTag(wrapped.ciphertext.subarray(-16));
    expect(Buffer.concat([decipher.update(wrapped.ciphertext.subarray(13, -16)), decipher.final()])).toEqual(Buffer.from(plaintext));
  });

  it('made elsewhere with AES-256-GCM opens on the token', async () => {
    const { kek, kms } = await known('aes-gcm');
    const [iv, dek] = [randomBytes(12), randomBytes(32)];
    const cipher = createCipheriv('aes-256-gcm', kek, iv, { authTagLength: 16 });
    cipher.setAAD(kmsAad(context));
    const ciphertext = Buffer.concat([Buffer.of(12), iv, cipher.update(dek), cipher.final(), cipher.getAuthTag()]);
    expect(Buffer.from(await kms.decrypt(named(kms, 'pkcs11-aes-gcm-v1', ciphertext), { context }))).toEqual(dek);
  });

  it('has the nonce that the token says it used', async () => {
    const { kek, kms } = await known('aes-gcm');
    hsm.fault('nonce');
    const wrapped = await kms.encrypt(randomBytes(32), { context }).finally(() => {
      hsm.fault();
    });
    expect(Buffer.from(wrapped.ciphertext.subarray(1, 13)).toString('hex')).toBe('a5'.repeat(12));
    expect(kek).toHaveLength(32);
    expect(await kms.decrypt(wrapped, { context })).toHaveLength(32);
  });
});

describe('a wrap by AES key wrap', () => {
  /** RFC 5649: the first half of the value that is checked after unwrapping. */
  const ALTERNATIVE_IV = Buffer.from('a65959a6', 'hex');

  it('has a seed that opens by RFC 5649 elsewhere, and cannot be had from the wrap alone', async () => {
    const { kek, kms } = await known('aes-key-wrap');
    const { wrapped } = await kms.generateDataKey({ context });
    expect(wrapped.algorithm).toBe('pkcs11-aes-kwp-seed-v1');
    expect(wrapped.ciphertext).toHaveLength(146);
    expect(Buffer.from(wrapped.ciphertext.subarray(0, 2)).toString('hex')).toBe('0028');
    const decipher = createDecipheriv('id-aes256-wrap-pad', kek, ALTERNATIVE_IV);
    expect(Buffer.concat([decipher.update(wrapped.ciphertext.subarray(2, 42)), decipher.final()])).toHaveLength(32);
  });

  it('brings back keys of every length, though the token itself adds zeros to odd ones', async () => {
    const { kms } = await known('aes-key-wrap');
    const raw = new RawToken();
    const kek = raw.addKey('padding', '01');
    const odd = raw.addKey('odd', '01', { value: Buffer.alloc(31, 0x41), [pkcs11.CKA_KEY_TYPE]: pkcs11.CKK_GENERIC_SECRET, [pkcs11.CKA_TOKEN]: false, [pkcs11.CKA_SENSITIVE]: false, [pkcs11.CKA_EXTRACTABLE]: true });
    for (const mechanism of [pkcs11.CKM_AES_KEY_WRAP, pkcs11.CKM_AES_KEY_WRAP_PAD]) {
      const wrapped = raw.module.C_WrapKey(raw.session, { mechanism }, kek, odd, Buffer.alloc(100));
      const back = raw.module.C_UnwrapKey(raw.session, { mechanism }, kek, wrapped, [
        { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
        { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_GENERIC_SECRET },
        { type: pkcs11.CKA_SENSITIVE, value: false },
        { type: pkcs11.CKA_EXTRACTABLE, value: true },
      ]);
      expect(raw.attribute(back, pkcs11.CKA_VALUE)).toBe(`${'41'.repeat(31)}00`);
    }
    for (const length of [1, 31, 32, 33, 64]) {
      const key = randomBytes(length);
      expect(Buffer.from(await kms.decrypt(await kms.encrypt(key, { context }), { context }))).toEqual(key);
    }
  });

  it('leaves no seed behind on the token', async () => {
    const kms = await hsm.create({ wrapping: 'aes-key-wrap' });
    const raw = new RawToken();
    const { wrapped } = await kms.generateDataKey({ context });
    await kms.decrypt(wrapped, { context });
    await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context: { purpose: 'other' } }));
    raw.module.C_FindObjectsInit(raw.session, [{ type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_GENERIC_SECRET }, { type: pkcs11.CKA_VALUE_LEN, value: 32 }]);
    const left = raw.module.C_FindObjects(raw.session, 100);
    raw.module.C_FindObjectsFinal(raw.session);
    expect(left).toEqual([]);
  });

  it('is what a token without AES-GCM gets, by the newer mechanism where it has that', async () => {
    hsm.fault(`hide ${pkcs11.CKM_AES_GCM}`, 'show 8459');
    const kms = await hsm.create().finally(() => {
      hsm.fault('show 8459');
    });
    expect(kms.capabilities).toMatchObject({ contextBinding: 'seed', authenticatedWraps: true });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    hsm.fault();
  });
});

describe.each(['aes-gcm', 'aes-key-wrap'] as const)('with %s', (wrapping) => {
  it('every length of key and every context comes back', async () => {
    const kms = await hsm.create({ wrapping });
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.dictionary(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,9}$/), fc.string({ unit: 'grapheme' }), { minKeys: 1, maxKeys: 6 }),
        async (plaintext, bound) => {
          const wrapped = await kms.encrypt(plaintext, { context: bound });
          expect(await kms.decrypt(wrapped, { context: bound })).toEqual(plaintext);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a wrap with any bit changed, cut or extended is INVALID_CIPHERTEXT', async () => {
    const kms = await hsm.create({ wrapping });
    const { wrapped } = await kms.generateDataKey({ context });
    const damaged = (ciphertext: Uint8Array): Promise<unknown> => refusal('INVALID_CIPHERTEXT', kms.decrypt({ ...wrapped, ciphertext }, { context }));
    for (let index = 0; index < wrapped.ciphertext.length; index += 3) {
      await damaged(wrapped.ciphertext.map((byte, at) => (at === index ? byte ^ (1 << (index % 8)) : byte)));
    }
    for (const length of [0, 1, 13, 29, 60, wrapped.ciphertext.length - 1]) await damaged(wrapped.ciphertext.subarray(0, length));
    await damaged(Buffer.concat([wrapped.ciphertext, Buffer.of(0)]));
    await refusal('INVALID_CIPHERTEXT', kms.decrypt({ ...wrapped, algorithm: 'keyfold-wrap-v1' }, { context }));
  });

  it('planted wraps cost one wrap of our own for each version, however many there are', async () => {
    const kms = await hsm.create({ wrapping, maxWrapsPerVersion: 3 });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    for (let count = 0; count < 5; count++) await refusal('INVALID_CIPHERTEXT', kms.decrypt({ ...wrapped, ciphertext: wrapped.ciphertext.map((byte, at) => (at === 45 ? byte ^ 1 : byte)) }, { context }));
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    await kms.generateDataKey({ context });
  });

  it('a client refuses more wraps under one version than it was told, until it is rotated', async () => {
    const kms = await hsm.create({ wrapping, maxWrapsPerVersion: 2 });
    const { wrapped } = await kms.generateDataKey({ context });
    await kms.generateDataKey({ context });
    await refusal('LIMIT_EXCEEDED', kms.generateDataKey({ context }));
    expect(await kms.decrypt(wrapped, { context })).toHaveLength(32);
    await kms.rotateKey();
    await kms.generateDataKey({ context });
  });

  it('a token that answers with other lengths is refused with KMS_PROTOCOL_ERROR', async () => {
    const kms = await hsm.create({ wrapping });
    const { wrapped } = await kms.generateDataKey({ context });
    hsm.fault('short C_Encrypt', 'short C_Decrypt', 'short C_WrapKey', 'short C_GetAttributeValue');
    await safeRefusal('KMS_PROTOCOL_ERROR', kms.encrypt(randomBytes(32), { context }));
    await safeRefusal('KMS_PROTOCOL_ERROR', kms.decrypt(wrapped, { context }));
    hsm.fault();
    expect(await kms.decrypt(wrapped, { context })).toHaveLength(32);
  });

  it('two hundred calls at once use no more sessions than permitted, and all come back', async () => {
    const kms = await hsm.create({ wrapping, sessions: 3 });
    const before = hsm.calls('C_OpenSession');
    const keys = await Promise.all(Array.from({ length: 200 }, () => kms.generateDataKey({ context })));
    const opened = await Promise.all(keys.map(({ wrapped }) => kms.decrypt(wrapped, { context })));
    expect(opened).toEqual(keys.map(({ plaintext }) => plaintext));
    expect(hsm.calls('C_OpenSession') - before).toBeLessThanOrEqual(3);
    await kms.close();
  });
});

it('a client opens what was wrapped in the other way before', async () => {
  const { keyLabel } = hsm.options();
  new RawToken().addKey(keyLabel, '01');
  const [gcm, seed] = await Promise.all([Pkcs11Kms.open(hsm.options({ keyLabel })), Pkcs11Kms.open(hsm.options({ keyLabel, wrapping: 'aes-key-wrap' }))]);
  for (const [one, two] of [[gcm, seed], [seed, gcm]] as const) {
    const { plaintext, wrapped } = await one.generateDataKey({ context });
    expect(await two.decrypt(wrapped, { context })).toEqual(plaintext);
  }
});

it.each(['auto', 'aes-gcm', 'aes-key-wrap'] as const)('a token that has no mechanism for %s is refused', async (wrapping) => {
  hsm.fault(`hide ${pkcs11.CKM_AES_GCM}`, `hide ${pkcs11.CKM_AES_KEY_WRAP_PAD}`);
  await safeRefusal('INVALID_KEY_USAGE', hsm.create({ wrapping }));
  hsm.fault();
});
