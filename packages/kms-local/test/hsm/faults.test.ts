import { renameSync } from 'node:fs';
import pkcs11 from 'pkcs11js';
import { afterEach, describe, expect, it } from 'vitest';
import { Pkcs11Kms } from '../../src/pkcs11/index.ts';
import { collect, context, refusal } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { PIN, safeRefusal, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

afterEach(() => {
  hsm.fault();
});

/** Until the module was entered so often. */
async function entered(name: string, times: number): Promise<void> {
  while (hsm.calls(name) < times) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('a token that is lost', () => {
  it.each([
    ['CKR_DEVICE_REMOVED', 50],
    ['CKR_DEVICE_ERROR', 48],
    ['CKR_SESSION_HANDLE_INVALID', 179],
    ['CKR_SESSION_CLOSED', 176],
    ['CKR_TOKEN_NOT_PRESENT', 224],
    ['CKR_CRYPTOKI_NOT_INITIALIZED', 400],
  ])('(%s) is KMS_UNAVAILABLE, and found again by the next call', async (_name, value) => {
    const kms = await hsm.create();
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    hsm.fault(`rv C_DecryptInit ${value}`);
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context }));
    hsm.fault();
    const before = hsm.calls('C_GetSlotList');
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    expect(hsm.calls('C_GetSlotList')).toBeGreaterThan(before);
  });

  it('for all who use it at the time, is found again once for all of them', async () => {
    const kms = await hsm.create({ sessions: 2 });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    hsm.fault('rv C_Decrypt 50');
    const lost = await Promise.allSettled(Array.from({ length: 12 }, () => kms.decrypt(wrapped, { context })));
    expect(lost.map((each) => each.status === 'rejected' && (each.reason as { code: string }).code)).toEqual(Array(12).fill('KMS_UNAVAILABLE'));
    hsm.fault();
    const opened = await Promise.all(Array.from({ length: 12 }, () => kms.decrypt(wrapped, { context })));
    expect(opened).toEqual(Array(12).fill(plaintext));
  });

  it('and does not come back is KMS_UNAVAILABLE at every call', async () => {
    const kms = await hsm.create();
    hsm.fault('rv C_FindObjectsInit 50', 'rv C_GetTokenInfo 224');
    for (let count = 0; count < 3; count++) await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    expect(await kms.testConnection()).toMatchObject({ reachable: false, roundTrip: false, problem: { code: 'KMS_UNAVAILABLE' } });
    hsm.fault('rv C_GetSlotList 6');
    await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    hsm.fault('rv C_Initialize 6');
    await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    hsm.fault();
    await kms.generateDataKey({ context });
  });
});

describe('CKR_GENERAL_ERROR while unwrapping', () => {
  it.each(['aes-gcm', 'aes-key-wrap'] as const)('is KMS_UNAVAILABLE when the token opens nothing at all (%s)', async (wrapping) => {
    const kms = await hsm.create({ wrapping });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    hsm.fault('rv C_Decrypt 5', 'rv C_UnwrapKey 5');
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context }));
    hsm.fault();
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('is KMS_UNAVAILABLE when the token does not answer', async () => {
    const kms = await hsm.create();
    const { wrapped } = await kms.generateDataKey({ context });
    hsm.fault('rv C_GetTokenInfo 224');
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context: { purpose: 'other' } }));
  });

  it.each([64, 65, 66])('is not asked about when the token says that it is the ciphertext (CKR %i)', async (value) => {
    const kms = await hsm.create();
    const { wrapped } = await kms.generateDataKey({ context });
    hsm.fault(`rv C_Decrypt ${value}`);
    const before = hsm.calls('C_Encrypt');
    await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context }));
    expect(hsm.calls('C_Encrypt')).toBe(before);
  });
});

describe('handles that are out of date', () => {
  it('are looked up again', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const { wrapped } = await kms.generateDataKey({ context });
    await kms.decrypt(wrapped, { context });
    const raw = new RawToken();
    const [key = expect.fail('no key')] = raw.find(options.keyLabel);
    const id = Buffer.from(raw.attribute(key, pkcs11.CKA_ID), 'hex');
    raw.module.C_DestroyObject(raw.session, key);
    raw.addKey(options.keyLabel, id.toString('hex'));
    // The version is there, but it is another key.
    await refusal('INVALID_CIPHERTEXT', kms.decrypt(wrapped, { context }));
    const { plaintext, wrapped: anew } = await kms.generateDataKey({ context });
    expect(await kms.decrypt(anew, { context })).toEqual(plaintext);
  });

  it('never make a wrap under a key that was given another label or id since', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const { wrapped } = await kms.generateDataKey({ context });
    const raw = new RawToken();
    const [key = expect.fail('no key')] = raw.find(options.keyLabel);
    raw.module.C_SetAttributeValue(raw.session, key, [{ type: pkcs11.CKA_ID, value: Buffer.of(9) }]);
    expect((await kms.generateDataKey({ context })).wrapped.keyVersion).toBe('09');
    await refusal('KEY_NOT_FOUND', kms.decrypt(wrapped, { context }));
  });
});

describe('a key that another process is just making', () => {
  it('is looked at again until it is whole, and refused when it never is', async () => {
    const kms = await hsm.create();
    const before = hsm.calls('C_EncryptInit');
    hsm.fault('rv C_EncryptInit 112');
    const wrapping = kms.generateDataKey({ context });
    await entered('C_EncryptInit', before + 1);
    hsm.fault();
    const { plaintext, wrapped } = await wrapping;
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    hsm.fault('rv C_EncryptInit 112');
    await safeRefusal('INVALID_KEY_USAGE', kms.generateDataKey({ context }));
  });
});

describe('sessions', () => {
  it('are closed when something failed in them, and others opened', async () => {
    const kms = await hsm.create({ sessions: 1 });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    hsm.fault('rv C_Decrypt 6');
    const before = hsm.calls('C_OpenSession');
    for (let count = 0; count < 3; count++) await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context }));
    hsm.fault();
    const all = await Promise.all(Array.from({ length: 5 }, () => kms.decrypt(wrapped, { context })));
    expect(all).toEqual(Array(5).fill(plaintext));
    expect(hsm.calls('C_OpenSession') - before).toBeGreaterThanOrEqual(3);
  });

  it('that the token has too few of are waited for, or KMS_THROTTLED where none is to be had', async () => {
    const kms = await hsm.create({ sessions: 8 });
    const open = hsm.calls('C_OpenSession') - hsm.calls('C_CloseSession');
    hsm.fault(`sessions ${open}`);
    const keys = await Promise.all(Array.from({ length: 30 }, () => kms.generateDataKey({ context })));
    expect(keys).toHaveLength(30);
    hsm.fault('sessions 0');
    await safeRefusal('KMS_THROTTLED', Pkcs11Kms.open(hsm.options()));
  });

  it('that cannot be opened for those in line fail them, not the others', async () => {
    const kms = await hsm.create({ sessions: 1 });
    const { wrapped } = await kms.generateDataKey({ context });
    hsm.fault('hang C_Decrypt');
    const before = hsm.calls('C_Decrypt');
    const calls = [1, 2].map(() => kms.decrypt(wrapped, { context }).then(() => 'opened', (error: unknown) => (error as { code: string }).code));
    await entered('C_Decrypt', before + 1);
    hsm.fault('rv C_Decrypt 64', 'rv C_OpenSession 6');
    expect(await Promise.all(calls)).toEqual(['INVALID_CIPHERTEXT', 'KMS_UNAVAILABLE']);
  });
});

describe('a caller who aborts', () => {
  it('is told so at once, while the token is still at work, and its session is used again afterwards', async () => {
    const kms = await hsm.create({ sessions: 1 });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const before = hsm.calls('C_Decrypt');
    hsm.fault('hang C_Decrypt');
    const abort = new AbortController();
    const hanging = refusal('ABORTED', kms.decrypt(wrapped, { context, signal: abort.signal }));
    await entered('C_Decrypt', before + 1);
    const inLine = refusal('ABORTED', kms.decrypt(wrapped, { context, signal: abort.signal }));
    const patient = kms.decrypt(wrapped, { context, signal: new AbortController().signal });
    await new Promise(setImmediate); // both stand in line by now
    abort.abort();
    await Promise.all([hanging, inLine]);
    hsm.fault();
    expect(await patient).toEqual(plaintext);
    expect(hsm.calls('C_Decrypt')).toBe(before + 2);
  });

  it('beforehand reaches no token', async () => {
    const kms = await hsm.create();
    const before = hsm.calls('C_FindObjectsInit');
    const signal = AbortSignal.abort();
    await refusal('ABORTED', kms.encrypt(new Uint8Array(32), { context, signal }));
    await refusal('ABORTED', kms.rotateKey({ signal }));
    await refusal('ABORTED', collect(kms.listKeyVersions({ signal })));
    expect(await kms.testConnection({ signal })).toMatchObject({ reachable: false, problem: { code: 'ABORTED' } });
    expect(hsm.calls('C_FindObjectsInit')).toBe(before);
  });

  it('between two versions gets no more of them', async () => {
    const kms = await hsm.create();
    await kms.rotateKey();
    const abort = new AbortController();
    await refusal('ABORTED', async () => {
      for await (const version of kms.listKeyVersions({ signal: abort.signal })) {
        expect(version.primary).toBe(true);
        abort.abort();
      }
    });
  });

  it('zeroes nothing that the token still reads', async () => {
    const kms = await hsm.create();
    const key = new Uint8Array(32).fill(7);
    hsm.fault('hang C_Encrypt');
    const before = hsm.calls('C_Encrypt');
    const abort = new AbortController();
    const aborted = refusal('ABORTED', kms.encrypt(key, { context, signal: abort.signal }));
    await entered('C_Encrypt', before + 1);
    abort.abort();
    await aborted;
    key.fill(0);
    hsm.fault();
    await kms.generateDataKey({ context });
  });
});

describe('closing', () => {
  it('waits for what is under way, refuses what comes later, and closes every session of its own', async () => {
    const open = (): number => hsm.calls('C_OpenSession') - hsm.calls('C_CloseSession');
    const before = open();
    const kms = await hsm.create({ sessions: 2 });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const calls = hsm.calls('C_Decrypt');
    hsm.fault('hang C_Decrypt');
    const [first, second, inLine] = [1, 2, 3].map(() => kms.decrypt(wrapped, { context }));
    await entered('C_Decrypt', calls + 2);
    const refused = refusal('CLOSED', inLine ?? expect.fail());
    let ended = false;
    const closing = kms.close().then(() => (ended = true));
    await refused;
    await refusal('CLOSED', kms.decrypt(wrapped, { context }));
    expect(ended).toBe(false);
    hsm.fault();
    expect(await Promise.all([first, second])).toEqual([plaintext, plaintext]);
    await closing;
    expect(open()).toBe(before);
  });

  it('while the user is being logged in again ends the call that waits for it with CLOSED', async () => {
    const options = hsm.options();
    let answer: ((pin: string) => void) | undefined;
    const pin = (): Promise<string> => new Promise((resolve) => (answer = resolve));
    await Pkcs11Kms.create(options);
    const kms = await Pkcs11Kms.open({ ...options, pin });
    const raw = new RawToken();
    raw.module.C_Logout(raw.session);
    await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    const waiting = refusal('CLOSED', kms.generateDataKey({ context }));
    while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
    const closing = kms.close();
    answer(PIN);
    await Promise.all([waiting, closing]);
  });

  it('a client that lost its token does no harm', async () => {
    const kms = await hsm.create();
    hsm.fault('rv C_FindObjectsInit 50');
    await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    await kms.close();
    await refusal('CLOSED', kms.generateDataKey({ context }));
  });
});

// The last ones of this file: they take the token away from the whole process.
describe("the directory of SoftHSM's tokens, moved away", () => {
  it('is KMS_UNAVAILABLE and not KEY_NOT_FOUND, since no key is lost', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const seed = await hsm.create({ wrapping: 'aes-key-wrap' });
    const [gcmKey, seedKey] = [await kms.generateDataKey({ context }), await seed.generateDataKey({ context })];
    renameSync(hsm.tokens, `${hsm.tokens}-away`);
    for (let count = 0; count < 2; count++) {
      await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(gcmKey.wrapped, { context }));
      await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
      await safeRefusal('KMS_UNAVAILABLE', collect(kms.listKeyVersions()));
      await safeRefusal('KMS_UNAVAILABLE', seed.decrypt(seedKey.wrapped, { context }));
      await safeRefusal('KMS_UNAVAILABLE', Pkcs11Kms.open(options));
    }
    renameSync(`${hsm.tokens}-away`, hsm.tokens);
    // SoftHSM looks for tokens in C_Initialize alone, which only a client that has the module to itself may repeat.
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(gcmKey.wrapped, { context }));
    await Promise.all([kms.close(), seed.close()]);
  });

  it('is found again by a client that has the module to itself, at the next call after it is back', async () => {
    const module = new pkcs11.PKCS11();
    module.load(hsm.module);
    module.C_Finalize();
    const kms = await hsm.create({ exclusive: true });
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    renameSync(hsm.tokens, `${hsm.tokens}-away`);
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context }));
    await safeRefusal('KMS_UNAVAILABLE', kms.decrypt(wrapped, { context }));
    renameSync(`${hsm.tokens}-away`, hsm.tokens);
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    await kms.close();
  });
});
