import { describe, expect, it } from 'vitest';
import { Pkcs11Kms, parsePkcs11Uri, type Pkcs11Options } from '../../src/pkcs11/index.ts';
import { settingsOf } from '../../src/pkcs11/options.ts';
import { openPkcs11Url, optionsOf } from '../../src/pkcs11/url.ts';
import { refusal } from '../support/keyring.ts';

const GOOD: Pkcs11Options = { module: '/lib/token.so', token: 'a', keyLabel: 'b', pin: 'hunter2' };

describe('the options', () => {
  it('have defaults', () => {
    expect(settingsOf(GOOD)).toMatchObject({
      token: { label: 'a' },
      sessions: 8,
      wrapping: 'auto',
      maxWrapsPerVersion: 2 ** 32,
      acceptImportedKeys: false,
      exclusive: false,
      keyId: undefined,
    });
  });

  it.each<[string, object]>([
    ['an unknown option', { modul: 'x' }],
    ['a relative module', { module: 'token.so' }],
    ['no module', { module: undefined }],
    ['an empty token', { token: '' }],
    ['a token label that no token can have', { token: 'a'.repeat(33) }],
    ['no token', { token: null }],
    ['a selector that selects nothing', { token: {} }],
    ['a selector with an unknown part', { token: { name: 'a' } }],
    ['a selector with a part of another type', { token: { label: 7 } }],
    ['a slot that is no number', { token: { slot: '1' } }],
    ['a negative slot', { token: { slot: -1 } }],
    ['a library version that is a number', { token: { libraryVersion: 2 } }],
    ['an empty key label', { keyLabel: '' }],
    ['a key label of 129 bytes', { keyLabel: 'é'.repeat(65) }],
    ['a key label with a lone surrogate', { keyLabel: '\ud800' }],
    ['a key label with a zero byte', { keyLabel: 'a\0' }],
    ['a key id that does not fit a record', { keyId: 'é' }],
    ['an empty key id', { keyId: '' }],
    ['two sources of the PIN', { pinFile: '/a' }],
    ['a PIN that is a number', { pin: 1234 }],
    ['a PIN file without a name', { pin: undefined, pinFile: '' }],
    ['no session', { sessions: 0 }],
    ['half a session', { sessions: 1.5 }],
    ['more than 1,024 sessions', { sessions: 1_025 }],
    ['another wrapping', { wrapping: 'aes-cbc' }],
    ['no wraps at all', { maxWrapsPerVersion: 0 }],
    ['more wraps than GCM bears', { maxWrapsPerVersion: 2 ** 32 + 1 }],
    ['a flag that is a word', { exclusive: 'yes' }],
    ['another flag that is a word', { acceptImportedKeys: 'yes' }],
  ])('are refused with %s', async (_what, change) => {
    const error = await refusal('INVALID_ARGUMENT', Pkcs11Kms.open({ ...GOOD, ...change }));
    expect(JSON.stringify([error.message, error.stack])).not.toContain('hunter2');
  });
});

describe('a URI', () => {
  const uri = (text: string, options = {}): Pkcs11Options => optionsOf(parsePkcs11Uri(text), options);

  it('says all that the options say', () => {
    expect(uri('pkcs11:token=t;object=k;type=secret-key?module-path=/m&pin-source=file:///etc/pin%2520file')).toEqual({
      module: '/m',
      token: { label: 't' },
      keyLabel: 'k',
      pinFile: '/etc/pin file',
    });
    expect(uri('pkcs11:serial=1;slot-id=3;model=m;manufacturer=f;slot-description=d;slot-manufacturer=e;library-version=2.4;library-manufacturer=g;library-description=h;object=k?pin-value=1234', { module: '/m', sessions: 2 })).toEqual({
      module: '/m',
      token: {
        serial: '1', slot: 3, model: 'm', manufacturer: 'f', slotDescription: 'd', slotManufacturer: 'e',
        libraryVersion: { major: 2, minor: 4 }, libraryManufacturer: 'g', libraryDescription: 'h',
      },
      keyLabel: 'k',
      pin: '1234',
      sessions: 2,
    });
  });

  it('gives way to a PIN of the options, and takes a path as it is', () => {
    expect(uri('pkcs11:token=t;object=k?module-path=/m&pin-source=/p', { pin: 'x' })).not.toHaveProperty('pinFile');
    expect(uri('pkcs11:token=t;object=k?module-path=/m&pin-value=p', { pinFile: '/f' })).not.toHaveProperty('pin');
    expect(uri('pkcs11:token=t;object=k?module-path=/m&pin-source=/p')).toHaveProperty('pinFile', '/p');
  });

  it('may have what a vendor put into the query', () => {
    expect(uri('pkcs11:token=t;object=k?module-path=/m&x-vendor=1')).toHaveProperty('keyLabel', 'k');
  });

  it.each([
    ['without a key', 'pkcs11:token=t?module-path=/m', {}],
    ['with an empty key', 'pkcs11:token=t;object=?module-path=/m', {}],
    ['without a token', 'pkcs11:object=k?module-path=/m', {}],
    ['without a module', 'pkcs11:token=t;object=k', {}],
    ['with two modules', 'pkcs11:token=t;object=k?module-path=/m', { module: '/m' }],
    ['with the name of a module', 'pkcs11:token=t;object=k?module-name=m', { module: '/m' }],
    ['of another type of object', 'pkcs11:token=t;object=k;type=cert?module-path=/m', {}],
    ['of one version', 'pkcs11:token=t;object=k;id=%01?module-path=/m', {}],
    ['with what a vendor put into the path', 'pkcs11:token=t;object=k;x-hsm=1?module-path=/m', {}],
    ['with a command for the PIN', 'pkcs11:token=t;object=k?module-path=/m&pin-source=|/bin/pin', {}],
    ['with a PIN of another machine', 'pkcs11:token=t;object=k?module-path=/m&pin-source=file://host/pin', {}],
    ['with a PIN at a relative place', 'pkcs11:token=t;object=k?module-path=/m&pin-source=pin', {}],
    ['beside a token in the options', 'pkcs11:token=t;object=k?module-path=/m', { token: 'u' }],
    ['beside an option that there is not', 'pkcs11:token=t;object=k?module-path=/m', { pinfile: '/p' }],
    ['beside a key in the options', 'pkcs11:token=t;object=k?module-path=/m', { keyLabel: 'u' }],
  ])('%s is refused', async (_what, text, options) => {
    await refusal('CONFIG_INVALID', openPkcs11Url(text, options));
  });
});
