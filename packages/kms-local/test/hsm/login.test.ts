import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import pkcs11 from 'pkcs11js';
import { KeyfoldError } from '@keyfold/core/provider';
import { afterEach, describe, expect, it } from 'vitest';
import { Pkcs11Kms, openPkcs11Url, type Pkcs11Options } from '../../src/pkcs11/index.ts';
import { context } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { LABEL, PIN, safeRefusal, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

afterEach(() => {
  hsm.fault();
});

/** Logs out whoever is logged in, in all of this process. */
function logOut(): void {
  const { module, session } = new RawToken();
  module.C_Logout(session);
  module.C_CloseSession(session);
}

/** What opens a key that exists, with everybody logged out. */
async function loggedOut(more: Partial<Pkcs11Options> = {}): Promise<Pkcs11Options> {
  const options = hsm.options();
  await (await Pkcs11Kms.create(options)).close();
  logOut();
  return { ...options, ...more };
}

describe('a wrong PIN', () => {
  it('is AUTHENTICATION_FAILED, and says that it is not tried again', async () => {
    const error = await safeRefusal('AUTHENTICATION_FAILED', Pkcs11Kms.open(await loggedOut({ pin: 'not-the-pin' })));
    expect(error.message).toContain('not tried again');
    expect(inspect(error, { depth: 9 })).not.toContain('not-the-pin');
  });

  it('is tried once, however many calls follow', async () => {
    let pin = PIN;
    const options = await loggedOut({ pin: () => pin });
    const kms = await Pkcs11Kms.open(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    pin = 'not-the-pin';
    logOut();
    // That the user is no longer logged in is found out first, then the login fails.
    await safeRefusal('KMS_UNAVAILABLE', kms.encrypt(plaintext, { context }));
    const before = hsm.calls('C_Login');
    await Promise.all(Array.from({ length: 5 }, () => safeRefusal('AUTHENTICATION_FAILED', kms.decrypt(wrapped, { context }))));
    pin = PIN;
    await safeRefusal('AUTHENTICATION_FAILED', kms.decrypt(wrapped, { context }));
    expect(await kms.testConnection()).toMatchObject({ reachable: true, permitted: false, problem: { code: 'AUTHENTICATION_FAILED' } });
    expect(hsm.calls('C_Login') - before).toBe(1);
    const again = await Pkcs11Kms.open(options);
    expect(await again.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it.each([
    [164, 'locked'],
    [163, 'expired'],
    [161, 'does not take'],
    [162, 'does not take'],
    [258, 'no user PIN'],
    [260, 'security officer'],
  ])('or another reason of the token (CKR %i) is AUTHENTICATION_FAILED', async (value, sentence) => {
    const options = await loggedOut();
    hsm.fault(`rv C_Login ${value}`);
    expect((await safeRefusal('AUTHENTICATION_FAILED', Pkcs11Kms.open(options))).message).toContain(sentence);
  });

  it.each([
    [pkcs11.CKF_USER_PIN_LOCKED, 'locked'],
    [pkcs11.CKF_USER_PIN_FINAL_TRY, 'One more wrong PIN would lock the token'],
  ])('does not lock a token: with flag %i no PIN is tried', async (flag, sentence) => {
    const options = await loggedOut();
    const before = hsm.calls('C_Login');
    hsm.fault(`flags ${flag}`);
    expect((await safeRefusal('AUTHENTICATION_FAILED', Pkcs11Kms.open(options))).message).toContain(sentence);
    expect(hsm.calls('C_Login')).toBe(before);
  });
});

describe('a login', () => {
  it('counts for every client of the process', async () => {
    const options = await loggedOut();
    const before = hsm.calls('C_Login');
    const clients = await Promise.all([Pkcs11Kms.open(options), Pkcs11Kms.open(options), Pkcs11Kms.open(options)]);
    await Promise.all(clients.map((kms) => kms.generateDataKey({ context })));
    // The three begin at once; all but the first are told that the user is logged in already.
    expect(hsm.calls('C_Login') - before).toBeGreaterThan(0);
    const between = hsm.calls('C_Login');
    await Pkcs11Kms.open({ ...options, pin: () => expect.fail('asked for a PIN') });
    expect(hsm.calls('C_Login')).toBe(between);
    await Promise.all(clients.map((kms) => kms.close()));
  });

  it('that ends is made anew by the call after the next', async () => {
    const kms = await Pkcs11Kms.open(await loggedOut());
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    logOut();
    await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('outlasts the sessions of operations that fail', async () => {
    const kms = await Pkcs11Kms.open(await loggedOut());
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const before = hsm.calls('C_Login');
    hsm.fault('rv C_Encrypt 6');
    for (let count = 0; count < 4; count++) await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
    hsm.fault();
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    expect(hsm.calls('C_Login')).toBe(before);
  });
});

describe('the PIN', () => {
  it('comes from a file, without the line feed at its end', async () => {
    const pinFile = join(hsm.directory, 'pin');
    for (const end of ['', '\n', '\r\n']) {
      writeFileSync(pinFile, PIN + end, { mode: 0o600 });
      await (await Pkcs11Kms.open(await loggedOut({ pin: undefined, pinFile }))).close();
    }
  });

  it('comes from a URI: by a file, or in clear', async () => {
    const { keyLabel, module } = await loggedOut();
    const pinFile = join(hsm.directory, 'pin of uri');
    writeFileSync(pinFile, PIN, { mode: 0o600 });
    const uri = `pkcs11:token=${encodeURIComponent(LABEL)};object=${encodeURIComponent(keyLabel)};type=secret-key`;
    const source = encodeURIComponent(`file://${encodeURI(pinFile)}`);
    const kms = await openPkcs11Url(`${uri}?module-path=${module}&pin-source=${source}`);
    expect(kms.keyId).toBe(uri);
    await kms.close();
    logOut();
    await (await openPkcs11Url(`${uri}?pin-value=${PIN}`, { module })).close();
    logOut();
    await safeRefusal('AUTHENTICATION_FAILED', openPkcs11Url(`${uri}?pin-value=${PIN}x`, { module }));
  });

  it.each<[string, Partial<Pkcs11Options>, 'CONFIG_INVALID' | 'AUTHENTICATION_FAILED']>([
    ['is not given', { pin: undefined }, 'CONFIG_INVALID'],
    ['is empty', { pin: '' }, 'CONFIG_INVALID'],
    ['is longer than any PIN', { pin: 'x'.repeat(1_025) }, 'CONFIG_INVALID'],
    ['is no string', { pin: (() => 1234) as unknown as () => string }, 'CONFIG_INVALID'],
    ['is in a file that is not there', { pin: undefined, pinFile: '/nowhere/pin' }, 'CONFIG_INVALID'],
    ['comes from a function that fails', { pin: () => Promise.reject(new Error(`no ${PIN}`)) }, 'AUTHENTICATION_FAILED'],
    ['comes from a function that says why', { pin: () => Promise.reject(new KeyfoldError('CONFIG_INVALID', 'no PIN here')) }, 'CONFIG_INVALID'],
  ])('that %s is refused', async (_what, more, code) => {
    const before = hsm.calls('C_Login');
    await safeRefusal(code, Pkcs11Kms.open(await loggedOut(more)));
    // One for making the key.
    expect(hsm.calls('C_Login') - before).toBeLessThanOrEqual(2);
  });

  it('in a file that others may read, or that is no text, is refused', async () => {
    const pinFile = join(hsm.directory, 'open pin');
    writeFileSync(pinFile, PIN, { mode: 0o600 });
    chmodSync(pinFile, 0o644);
    await safeRefusal('CONFIG_INVALID', Pkcs11Kms.open(await loggedOut({ pin: undefined, pinFile })));
    chmodSync(pinFile, 0o600);
    writeFileSync(pinFile, Buffer.of(0xff, 0xfe));
    await safeRefusal('CONFIG_INVALID', Pkcs11Kms.open(await loggedOut({ pin: undefined, pinFile })));
  });

  it('is nowhere in a client', async () => {
    const kms = await Pkcs11Kms.open(await loggedOut());
    expect(inspect(kms, { depth: 9, showHidden: true }) + JSON.stringify(kms)).not.toContain(PIN);
    expect(Object.keys(kms)).toEqual(['provider', 'keyId', 'capabilities']);
  });
});
