import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePkcs11Uri, type Pkcs11Uri } from '../../src/pkcs11/uri.ts';
import { refusal } from '../support/keyring.ts';

const NONE = { vendorPath: new Map(), vendorQuery: new Map() };

describe('the examples of RFC 7512, section 3', () => {
  it.each<[string, Omit<Pkcs11Uri, 'vendorPath' | 'vendorQuery'>]>([
    ['pkcs11:', {}],
    ['pkcs11:object=my-pubkey;type=public', { object: 'my-pubkey', type: 'public' }],
    ['pkcs11:object=my-key;type=private?pin-source=file:/etc/token', { object: 'my-key', type: 'private', pinSource: 'file:/etc/token' }],
    [
      'pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin',
      {
        token: 'The Software PKCS#11 Softtoken',
        manufacturer: 'Snake Oil, Inc.',
        model: '1.0',
        object: 'my-certificate',
        type: 'cert',
        id: Uint8Array.of(0x69, 0x95, 0x3e, 0x5c, 0xf4, 0xbd, 0xec, 0x91),
        serial: '',
        pinSource: 'file:/etc/token_pin',
      },
    ],
    ['pkcs11:object=my-sign-key;type=private?module-name=mypkcs11', { object: 'my-sign-key', type: 'private', moduleName: 'mypkcs11' }],
    ['pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1', { object: 'my-sign-key', type: 'private', modulePath: '/mnt/libmypkcs11.so.1' }],
    [
      'pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin',
      { token: 'Software PKCS#11 softtoken', manufacturer: 'Snake Oil, Inc.', pinValue: 'the-pin' },
    ],
    ['pkcs11:slot-description=Sun%20Metaslot', { slotDescription: 'Sun Metaslot' }],
    [
      'pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23',
      { libraryManufacturer: 'Snake Oil, Inc.', libraryDescription: 'Soft Token Library', libraryVersion: { major: 1, minor: 23 } },
    ],
    [
      'pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06',
      {
        token: 'My token% created by Joe',
        libraryVersion: { major: 3, minor: 0 },
        id: Uint8Array.of(1, 2, 3, 0xba, 0xdd, 0xca, 0xfe, 4, 5, 6),
      },
    ],
    ['pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert', { token: 'A name with a substring %;', object: 'my-certificate', type: 'cert' }],
    ['pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert', { token: 'Name with a small A with acute: á', object: 'my-certificate', type: 'cert' }],
  ])('%s', (uri, expected) => {
    expect(parsePkcs11Uri(uri)).toEqual({ ...expected, ...NONE });
  });

  it('with attributes of a vendor', () => {
    const uri = 'pkcs11:token=my-token;object=my-certificate;type=cert;vendor-aaa=value-a?pin-source=file:/etc/token_pin&vendor-bbb=value-b';
    const { vendorPath, vendorQuery } = parsePkcs11Uri(uri);
    expect([...vendorPath]).toEqual([['vendor-aaa', 'value-a']]);
    expect([...vendorQuery]).toEqual([['vendor-bbb', ['value-b']]]);
  });
});

describe('a PKCS#11 URI', () => {
  it('is read whatever the case of its scheme', () => {
    expect(parsePkcs11Uri('PKCS11:slot-id=7')).toEqual({ slotId: 7, ...NONE });
  });

  it('may have every character that RFC 7512 permits, unencoded', () => {
    const both = "-._~:[]@!$'()*+,=";
    const { token, pinSource } = parsePkcs11Uri(`pkcs11:token=${both}&?pin-source=${both}/?|`);
    expect([token, pinSource]).toEqual([`${both}&`, `${both}/?|`]);
  });

  it('may repeat attributes of a vendor in the query alone', async () => {
    expect(parsePkcs11Uri('pkcs11:?x-a=1&x-a=2').vendorQuery.get('x-a')).toEqual(['1', '2']);
    await refusal('CONFIG_INVALID', () => parsePkcs11Uri('pkcs11:x-a=1;x-a=2'));
  });

  it.each([
    ['another scheme', 'pkcs12:token=a'],
    ['no scheme', 'token=a'],
    ['an empty attribute', 'pkcs11:token=a;'],
    ['an attribute without a value', 'pkcs11:token'],
    ['an attribute without a name', 'pkcs11:=a'],
    ['an attribute twice', 'pkcs11:token=a;token=b'],
    ['a query attribute twice', 'pkcs11:?module-path=/a&module-path=/b'],
    ['an unknown attribute', 'pkcs11:tokn=a'],
    ['an unknown query attribute', 'pkcs11:?pinsource=a'],
    ['a query attribute in the path', 'pkcs11:pin-value=a'],
    ['a path attribute in the query', 'pkcs11:?token=a'],
    ['a name in capitals', 'pkcs11:TOKEN=a'],
    ['a name of a prototype', 'pkcs11:__proto__=a'],
    ['a name that is inherited', 'pkcs11:constructor=a'],
    ['a name with a character that names have not', 'pkcs11:x-%61=a'],
    ['a vendor name that is nothing but a prefix', 'pkcs11:x-=a'],
    ['a bare space', 'pkcs11:token=a b'],
    ['a bare slash in the path', 'pkcs11:token=a/b'],
    ['a bare bar in the path', 'pkcs11:token=a|b'],
    ['a fragment', 'pkcs11:token=a#b'],
    ['a bare letter beyond ASCII', 'pkcs11:token=á'],
    ['a semicolon in the query', 'pkcs11:?pin-source=a;b'],
    ['a truncated escape', 'pkcs11:token=a%2'],
    ['an escape that is none', 'pkcs11:token=%zz'],
    ['an escape with a sign', 'pkcs11:token=%+1'],
    ['bytes that are not UTF-8', 'pkcs11:token=%ff'],
    ['a zero byte', 'pkcs11:token=a%00'],
    ['another type', 'pkcs11:type=secret'],
    ['a slot that is no number', 'pkcs11:slot-id=1x'],
    ['a slot without a number', 'pkcs11:slot-id='],
    ['a slot beyond 2^53', 'pkcs11:slot-id=9007199254740993'],
    ['a version that is none', 'pkcs11:library-version=1.'],
    ['a version above a byte', 'pkcs11:library-version=256'],
    ['a minor version above a byte', 'pkcs11:library-version=1.256'],
    ['a relative module', 'pkcs11:?module-path=lib/a.so'],
    ['both kinds of PIN', 'pkcs11:?pin-source=/a&pin-value=b'],
    ['more than 8,192 characters', `pkcs11:token=${'a'.repeat(8_192)}`],
  ])('is refused with %s', async (_what, uri) => {
    await refusal('CONFIG_INVALID', () => parsePkcs11Uri(uri));
  });

  it('that is no string is refused', async () => {
    await refusal('CONFIG_INVALID', () => parsePkcs11Uri(7 as unknown as string));
  });

  it('that is refused is not repeated in the message, because of its PIN', async () => {
    for (const uri of ['pkcs11:pin-value=hunter2', 'pkcs11:token=a?pin-value=hunter2&pin-value=hunter2', 'pkcs11:token=a?pin-value=hunter2&oops', 'pkcs11:token=a?pin-value=hunter2 ', 'pkcs11:?hunter2 hunter2=x', 'pkcs11:?pin-value=hunter2&pin-source=hunter2']) {
      const error = await refusal('CONFIG_INVALID', () => parsePkcs11Uri(uri));
      expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain('hunter2');
    }
  });

  it('gives back every text that was percent-encoded into it', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0') && value.isWellFormed());
    fc.assert(
      fc.property(text, text, fc.uint8Array(), (token, object, id) => {
        const octets = Array.from(id, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
        const uri = parsePkcs11Uri(`pkcs11:token=${encodeURIComponent(token)};object=${encodeURIComponent(object)};id=${octets}?pin-value=${encodeURIComponent(object)}`);
        expect(uri).toEqual({ token, object, id, pinValue: object, ...NONE });
      }),
    );
  });

  it('of any characters at all is read or refused, and never fails otherwise', () => {
    const piece = fc.constantFrom('token=', 'id=', 'type=cert', 'pin-value=', 'slot-id=', 'x-a=', ';', '&', '?', '%', '%41', '=', 'a', '/', 'é', '\u{1f511}', '\ud800');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parsePkcs11Uri(`pkcs11:${pieces.join('')}`);
        } catch (error) {
          expect(error).toMatchObject({ name: 'KeyfoldError', code: 'CONFIG_INVALID' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
