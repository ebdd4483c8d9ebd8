import { randomBytes } from 'node:crypto';
import pkcs11 from 'pkcs11js';
import { describe, expect, it } from 'vitest';
import { Pkcs11Kms } from '../../src/pkcs11/index.ts';
import { collect, context, refusal } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { LABEL, safeRefusal, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

describe('a key that this client makes', () => {
  it.each([
    ['aes-gcm', { ENCRYPT: '01', DECRYPT: '01', WRAP: '00', UNWRAP: '00' }],
    ['aes-key-wrap', { ENCRYPT: '00', DECRYPT: '00', WRAP: '01', UNWRAP: '01' }],
  ] as const)('for %s never leaves the token and does nothing else', async (wrapping, uses) => {
    const options = hsm.options({ wrapping, clock: { now: () => 1_700_000_000_123.7 } });
    const kms = await Pkcs11Kms.create(options);
    const raw = new RawToken();
    const [key = expect.fail('no key')] = raw.find(options.keyLabel);
    const of = (name: string): string => raw.attribute(key, (pkcs11 as unknown as Record<string, number>)[`CKA_${name}`] ?? -1);
    const all = { TOKEN: '01', PRIVATE: '01', SENSITIVE: '01', EXTRACTABLE: '00', ALWAYS_SENSITIVE: '01', NEVER_EXTRACTABLE: '01', LOCAL: '01', SIGN: '00', VERIFY: '00', DERIVE: '00', ...uses };
    expect(Object.fromEntries(Object.keys(all).map((name) => [name, of(name)]))).toEqual(all);
    expect(of('VALUE_LEN')).toMatch(/^20(00)+$/);
    expect(of('ID')).toMatch(/^4b460100000001018bcfe5687b[0-9a-f]{14}$/);
    expect(await kms.currentKeyVersion()).toEqual({ id: of('ID'), createdAt: 1_700_000_000_123, state: 'enabled', primary: true });
    expect(() => of('VALUE')).toThrow('CKR_ATTRIBUTE_SENSITIVE');
  });

  it('is named by the token and its label, or as the options say', async () => {
    const options = hsm.options({ keyLabel: 'clé/1' });
    expect((await Pkcs11Kms.create(options)).keyId).toBe('pkcs11:token=keyfold%20test;object=cl%C3%A9%2F1;type=secret-key');
    expect((await Pkcs11Kms.open({ ...options, keyId: 'mine' })).keyId).toBe('mine');
  });

  it('is not made where there is one, nor opened where there is none', async () => {
    const options = hsm.options();
    await refusal('KEY_NOT_FOUND', Pkcs11Kms.open(options));
    await Pkcs11Kms.create(options);
    await refusal('ALREADY_EXISTS', Pkcs11Kms.create(options));
    await Pkcs11Kms.open(options);
  });

  it('is destroyed again when the token did not make it as it was asked to', async () => {
    const options = hsm.options();
    hsm.fault('extractable');
    const error = await safeRefusal('KMS_PROTOCOL_ERROR', Pkcs11Kms.create(options));
    hsm.fault();
    expect(error.message).toContain('is extractable');
    expect(new RawToken().find(options.keyLabel)).toEqual([]);
  });

  it('is not dated by a clock that gives no time', async () => {
    for (const now of [NaN, -1, 2 ** 48]) await refusal('INVALID_ARGUMENT', hsm.create({ clock: { now: () => now } }));
  });
});

describe('rotation', () => {
  it('is seen by other clients at their next call, and old wraps still open', async () => {
    const options = hsm.options();
    const [one, two] = [await Pkcs11Kms.create(options), await Pkcs11Kms.open(options)];
    const { plaintext, wrapped } = await two.generateDataKey({ context });
    const made = await one.rotateKey();
    expect((await two.generateDataKey({ context })).wrapped.keyVersion).toBe(made.id);
    expect(await one.decrypt(wrapped, { context })).toEqual(plaintext);
    expect((await collect(two.listKeyVersions())).map(({ id, primary }) => [id, primary])).toEqual([[made.id, true], [wrapped.keyVersion, false]]);
  });

  it('goes on from keys that an operator made, which are older and in the order of their numbers', async () => {
    const options = hsm.options();
    const raw = new RawToken();
    for (const id of ['0a', '02', '0100']) raw.addKey(options.keyLabel, id);
    const kms = await Pkcs11Kms.open(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    expect(wrapped.keyVersion).toBe('0100');
    const { id } = await kms.rotateKey();
    expect((await collect(kms.listKeyVersions())).map((version) => version.id)).toEqual([id, '0100', '0a', '02']);
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('ends at the largest counter', async () => {
    const options = hsm.options();
    new RawToken().addKey(options.keyLabel, `4b4601ffffffff${'00'.repeat(13)}`);
    const kms = await Pkcs11Kms.open(options);
    await refusal('ROTATION_LIMIT', kms.rotateKey());
    expect((await kms.generateDataKey({ context })).wrapped.keyVersion).toMatch(/^4b4601ffffffff/);
  });

  it('on a write-protected token is ACCESS_DENIED', async () => {
    const kms = await hsm.create();
    hsm.fault('rv C_GenerateKey 226');
    await safeRefusal('ACCESS_DENIED', kms.rotateKey());
    hsm.fault();
    await kms.rotateKey();
  });
});

describe('a version that is switched off', () => {
  it('neither wraps nor unwraps, here and in other clients, because the token refuses; the next older one wraps', async () => {
    const options = hsm.options();
    const [one, two] = [await Pkcs11Kms.create(options), await Pkcs11Kms.open(options)];
    const first = await two.generateDataKey({ context });
    const { id } = await two.rotateKey();
    const second = await two.generateDataKey({ context });
    expect(await one.disableKeyVersion(id)).toMatchObject({ id, state: 'disabled', primary: false });
    await refusal('KEY_DISABLED', two.decrypt(second.wrapped, { context }));
    expect((await two.generateDataKey({ context })).wrapped.keyVersion).toBe(first.wrapped.keyVersion);
    await one.disableKeyVersion(first.wrapped.keyVersion);
    await refusal('KEY_DISABLED', two.generateDataKey({ context }));
    expect(await two.testConnection()).toMatchObject({ reachable: true, permitted: true, keyEnabled: false, roundTrip: false, problem: { code: 'KEY_DISABLED' } });
    const reopened = await Pkcs11Kms.open(options);
    expect(await reopened.enableKeyVersion(id)).toMatchObject({ state: 'enabled', primary: true });
    expect(await two.decrypt(second.wrapped, { context })).toEqual(second.plaintext);
    expect((await two.generateDataKey({ context })).wrapped.keyVersion).toBe(id);
  });

  it('is one that an operator took the uses from', async () => {
    const options = hsm.options();
    const raw = new RawToken();
    const key = raw.addKey(options.keyLabel, '01');
    const kms = await Pkcs11Kms.open(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const set = (attributes: Record<number, boolean>): void => {
      raw.module.C_SetAttributeValue(raw.session, key, Object.entries(attributes).map(([type, value]) => ({ type: Number(type), value })));
    };
    set({ [pkcs11.CKA_ENCRYPT]: false });
    await refusal('KEY_DISABLED', kms.generateDataKey({ context }));
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context: { purpose: 'other' } }));
    set({ [pkcs11.CKA_DECRYPT]: false });
    await refusal('INVALID_KEY_USAGE', kms.decrypt(wrapped, { context }));
  });
});

describe('a version that is destroyed', () => {
  it('is gone for every client, and the primary is never destroyed', async () => {
    const options = hsm.options();
    const [one, two] = [await Pkcs11Kms.create(options), await Pkcs11Kms.open(options)];
    const { wrapped } = await two.generateDataKey({ context });
    await refusal('INVALID_ARGUMENT', one.destroyKeyVersion(wrapped.keyVersion));
    const { id } = await one.rotateKey();
    await one.destroyKeyVersion(wrapped.keyVersion);
    await refusal('KEY_NOT_FOUND', two.decrypt(wrapped, { context }));
    await refusal('KEY_NOT_FOUND', one.decrypt(wrapped, { context }));
    await refusal('KEY_NOT_FOUND', one.destroyKeyVersion(wrapped.keyVersion));
    expect((await collect(two.listKeyVersions())).map((version) => version.id)).toEqual([id]);
  });

  it('by somebody else, all of them, leaves nothing to wrap under', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    await kms.generateDataKey({ context });
    const raw = new RawToken();
    for (const key of raw.find(options.keyLabel)) raw.module.C_DestroyObject(raw.session, key);
    await refusal('KEY_NOT_FOUND', kms.generateDataKey({ context }));
    expect(await collect(kms.listKeyVersions())).toEqual([]);
    expect(await kms.testConnection()).toMatchObject({ reachable: true, keyEnabled: false, problem: { code: 'KEY_NOT_FOUND' } });
  });
});

describe('a key is not used', () => {
  const bad: [string, string, Parameters<RawToken['addKey']>[2]][] = [
    ['extractable', 'is extractable', { [pkcs11.CKA_EXTRACTABLE]: true }],
    ['not sensitive', 'is not sensitive', { [pkcs11.CKA_SENSITIVE]: false }],
    ['not private', 'is not private', { [pkcs11.CKA_PRIVATE]: false }],
    ['an AES-128 key', 'has 128 bits', { [pkcs11.CKA_VALUE_LEN]: 16 }],
    ['imported', 'was imported', { value: randomBytes(32) }],
  ];
  it.each(bad)('when it is %s', async (_what, sentence, attributes) => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const raw = new RawToken();
    const id = `4b46010000ffff${'00'.repeat(13)}`;
    raw.addKey(options.keyLabel, id, attributes);
    const error = await safeRefusal('CONFIG_INVALID', kms.generateDataKey({ context }));
    expect(error.message).toContain(sentence);
    await refusal('CONFIG_INVALID', kms.decrypt({ ...wrapped, keyVersion: id }, { context }));
    await refusal('CONFIG_INVALID', Pkcs11Kms.open(options));
    expect(await kms.testConnection()).toMatchObject({ reachable: true, roundTrip: false, problem: { code: 'CONFIG_INVALID' } });
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    await kms.disableKeyVersion(id);
    expect((await kms.generateDataKey({ context })).wrapped.keyVersion).toBe(wrapped.keyVersion);
  });

  it('when another one has its id, since the id does not say which is meant', async () => {
    const options = hsm.options();
    const raw = new RawToken();
    raw.addKey(options.keyLabel, '01');
    const kms = await Pkcs11Kms.open(options);
    const { wrapped } = await kms.generateDataKey({ context });
    raw.addKey(options.keyLabel, '01');
    await refusal('CONFIG_INVALID', kms.generateDataKey({ context }));
    await refusal('CONFIG_INVALID', kms.decrypt(wrapped, { context }));
  });

  it('when it has no id, or only a session long', async () => {
    const options = hsm.options();
    const raw = new RawToken();
    raw.addKey(options.keyLabel, '');
    raw.addKey(options.keyLabel, '01', { [pkcs11.CKA_TOKEN]: false });
    raw.addKey(`${options.keyLabel} `, '01');
    await refusal('KEY_NOT_FOUND', Pkcs11Kms.open(options));
  });
});

describe('the token', () => {
  it('is found by everything that can be said about it', async () => {
    const { slot, module } = new RawToken();
    const { serialNumber, model, manufacturerID } = module.C_GetTokenInfo(slot);
    const about = module.C_GetSlotInfo(slot);
    const library = module.C_GetInfo();
    await hsm.create({
      token: {
        label: LABEL,
        serial: serialNumber.trim(),
        model: model.trim(),
        manufacturer: manufacturerID.trim(),
        slot: slot.readUInt32LE(),
        slotDescription: about.slotDescription.trimEnd(),
        slotManufacturer: about.manufacturerID.trimEnd(),
        libraryManufacturer: library.manufacturerID.trimEnd(),
        libraryDescription: library.libraryDescription.trimEnd(),
        libraryVersion: { major: library.libraryVersion.major, minor: library.libraryVersion.minor },
      },
    });
  });

  it.each([
    { label: 'other' },
    { serial: '0' },
    { model: 'other' },
    { manufacturer: 'other' },
    { slot: 1 },
    { slotDescription: 'other' },
    { slotManufacturer: 'other' },
    { libraryManufacturer: 'other' },
    { libraryDescription: 'other' },
    { libraryVersion: { major: 9, minor: 0 } },
  ])('is not another one than the one that is asked for: %o', async (token) => {
    const error = await safeRefusal('KMS_UNAVAILABLE', hsm.create({ token }));
    expect(error.message).toContain(LABEL);
  });
});
