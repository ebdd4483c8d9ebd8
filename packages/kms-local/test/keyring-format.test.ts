import { createSecretKey, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { SecretBytes, concatBytes, encodeUtf8, label, sealMessage, toBase64Url } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { decodeKeks, encodeKeks } from '../src/kek-json.ts';
import { MAX_VERSIONS, type KekSet, type KekVersion } from '../src/kek-set.ts';
import { LocalKms } from '../src/index.ts';
import { MAX_KEYRING_BYTES, openKeyring, parseKeyring, sealKeyring } from '../src/keyring-format.ts';
import { decodeHeader, encodeHeader, type KeyringHeader } from '../src/keyring-header.ts';
import { place, refusal } from './support/keyring.ts';

const key = createSecretKey(randomBytes(32));
const header: KeyringHeader = {
  keyId: 'payroll',
  generation: 131,
  kdf: { name: 'scrypt', n: 131_072, r: 8, p: 1, salt: new Uint8Array(32).fill(7) },
};

function kek(id: string, state: KekVersion['state'] = 'enabled'): KekVersion {
  return { id, state, createdAt: 5, key: state === 'destroyed' ? undefined : SecretBytes.adopt(randomBytes(32)) };
}

function keks(...versions: KekVersion[]): KekSet {
  return { primary: versions.at(-1)?.id ?? '', versions };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const valid = sealKeyring(header, keks(kek('1', 'destroyed'), kek('2', 'disabled'), kek('3')), key);

/** What every refusal of this file format has in common, whichever check it was. */
function refusedWith(bytes: Uint8Array): string {
  try {
    openKeyring(parseKeyring(bytes), key);
  } catch (error) {
    expect(error).toMatchObject({ name: 'KeyfoldError' });
    return (error as { code: string }).code;
  }
  return 'opened';
}

describe('a keyring file', () => {
  it('is two lines, the header in clear and the versions sealed', () => {
    const [first, second, rest] = text(valid).split('\n');
    expect(first).toBe(
      '{"format":"keyfold-keyring","version":1,"keyId":"payroll","generation":131,' +
        '"kdf":{"name":"scrypt","n":131072,"r":8,"p":1,"salt":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}}',
    );
    expect(second).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(rest).toBe('');
  });

  it('opens to what was sealed', () => {
    const opened = openKeyring(parseKeyring(valid), key);
    expect(opened.primary).toBe('3');
    expect(opened.versions.map(({ id, state, createdAt }) => [id, state, createdAt])).toEqual([
      ['1', 'destroyed', 5],
      ['2', 'disabled', 5],
      ['3', 'enabled', 5],
    ]);
  });

  it('is refused when it is cut at any length', () => {
    for (let length = 0; length < valid.byteLength; length++) {
      expect(refusedWith(valid.subarray(0, length)), `cut at ${length}`).toBe('INTEGRITY_FAILURE');
      const ended = concatBytes(valid.subarray(0, length), Uint8Array.of(0x0a));
      if (length < valid.byteLength - 1) expect(refusedWith(ended), `cut at ${length} and ended`).toMatch(/^(INTEGRITY_FAILURE|AUTHENTICATION_FAILED)$/);
    }
  });

  it('is refused with any bit of any byte changed', () => {
    for (let bit = 0; bit < valid.byteLength * 8; bit++) {
      const changed = Uint8Array.from(valid);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(refusedWith(changed), `bit ${bit}`).toMatch(/^(INTEGRITY_FAILURE|AUTHENTICATION_FAILED)$/);
    }
  });

  it.each(['\n', ' ', 'A', '\0', '{}\n'])('is refused with %j after it', (more) => {
    expect(refusedWith(concatBytes(valid, encodeUtf8(more, 'test')))).toBe('INTEGRITY_FAILURE');
  });

  it('is refused with CRLF, a byte order mark, padding, an empty second line, or bytes that are no UTF-8', () => {
    const [first = '', second = ''] = text(valid).split('\n');
    const damaged = [`${first}\r\n${second}\r\n`, `\ufeff${first}\n${second}\n`, `${first}\n${second}=\n`, `${first}\n\n`, `${first}\n`, `\n${second}\n`];
    for (const file of damaged) expect(refusedWith(encodeUtf8(file, 'test'))).toBe('INTEGRITY_FAILURE');
    expect(refusedWith(concatBytes(encodeUtf8(`${first}\n`, 'test'), Uint8Array.of(0xff, 0x0a)))).toBe('INTEGRITY_FAILURE');
    expect(refusedWith(concatBytes(Uint8Array.of(0xff, 0x0a), encodeUtf8(`${second}\n`, 'test')))).toBe('INTEGRITY_FAILURE');
  });

  it('is refused with the header of another generation or keyring over it', () => {
    const [, second = ''] = text(valid).split('\n');
    for (const other of [{ ...header, generation: 132 }, { ...header, keyId: 'payrolL' }, { ...header, kdf: { name: 'none' } as const }]) {
      expect(refusedWith(encodeUtf8(`${text(encodeHeader(other))}\n${second}\n`, 'test'))).toBe('AUTHENTICATION_FAILED');
    }
  });

  it('is refused when it is too large, before it is read', async () => {
    expect(refusedWith(new Uint8Array(MAX_KEYRING_BYTES + 1))).toBe('INTEGRITY_FAILURE');
    const { path } = place();
    writeFileSync(path, new Uint8Array(MAX_KEYRING_BYTES + 1), { mode: 0o600 });
    const error = await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key: randomBytes(32) }));
    expect(error.message).toContain('larger than');
  });

  it('has room for as many versions as a keyring may have', () => {
    const full = keks(...Array.from({ length: MAX_VERSIONS }, (_, index) => kek(String(Number.MAX_SAFE_INTEGER - MAX_VERSIONS + index), 'disabled')));
    const bytes = sealKeyring(header, full, key);
    expect(bytes.byteLength).toBeLessThan(MAX_KEYRING_BYTES);
    expect(openKeyring(parseKeyring(bytes), key).versions).toHaveLength(MAX_VERSIONS);
  });
});

describe('a header', () => {
  const members = JSON.parse(text(encodeHeader(header))) as Record<string, unknown>;
  const kdf = members['kdf'] as Record<string, unknown>;
  const pbkdf2 = { name: 'pbkdf2-hmac-sha-512', iterations: 600_000, salt: 'A'.repeat(22) };

  it.each([
    ['that is no object', 'text'],
    ['that is an array', []],
    ['that is null', null],
    ['of another format', { ...members, format: 'keyfold-keyrinG' }],
    ['of another version', { ...members, version: 2 }],
    ['of a version that is a string', { ...members, version: '1' }],
    ['with an additional member', { ...members, comment: 'x' }],
    ['with members in another order', { version: 1, ...members, format: 'keyfold-keyring' }],
    ['without a key id', { ...members, keyId: undefined }],
    ['with an empty key id', { ...members, keyId: '' }],
    ['with a key id that needs an escape', { ...members, keyId: 'a"b' }],
    ['with a long key id', { ...members, keyId: 'a'.repeat(129) }],
    ['with generation 0', { ...members, generation: 0 }],
    ['with a negative generation', { ...members, generation: -1 }],
    ['with a fractional generation', { ...members, generation: 1.5 }],
    ['with a generation of 2^53', { ...members, generation: 2 ** 53 }],
    ['with a generation that is a string', { ...members, generation: '1' }],
    ['without a KDF', { ...members, kdf: undefined }],
    ['with a KDF that is a string', { ...members, kdf: 'scrypt' }],
    ['with an unknown KDF', { ...members, kdf: { ...kdf, name: 'argon2id' } }],
    ['with parameters and no KDF', { ...members, kdf: { name: 'none', salt: kdf['salt'] } }],
    ['with scrypt N of 2^16', { ...members, kdf: { ...kdf, n: 2 ** 16 } }],
    ['with scrypt N of 2^19', { ...members, kdf: { ...kdf, n: 2 ** 19 } }],
    ['with scrypt N that is no power of two', { ...members, kdf: { ...kdf, n: 131_073 } }],
    ['with a gigantic scrypt N', { ...members, kdf: { ...kdf, n: 2 ** 40 } }],
    ['with scrypt r of 16', { ...members, kdf: { ...kdf, r: 16 } }],
    ['with scrypt p of 0', { ...members, kdf: { ...kdf, p: 0 } }],
    ['with scrypt p of 5', { ...members, kdf: { ...kdf, p: 5 } }],
    ['with a salt of 15 bytes', { ...members, kdf: { ...kdf, salt: 'A'.repeat(20) } }],
    ['with a salt of 65 bytes', { ...members, kdf: { ...kdf, salt: 'A'.repeat(87) } }],
    ['with a padded salt', { ...members, kdf: { ...kdf, salt: `${'A'.repeat(22)}==` } }],
    ['with a salt whose spare bits are set', { ...members, kdf: { ...kdf, salt: `${'A'.repeat(21)}B` } }],
    ['without a salt', { ...members, kdf: { ...kdf, salt: undefined } }],
    ['with 599,999 PBKDF2 iterations', { ...members, kdf: { ...pbkdf2, iterations: 599_999 } }],
    ['with 10^7 + 1 PBKDF2 iterations', { ...members, kdf: { ...pbkdf2, iterations: 10_000_001 } }],
    ['with PBKDF2 parameters for scrypt', { ...members, kdf: { ...pbkdf2, name: 'scrypt' } }],
  ])('%s is refused', async (_what, value) => {
    await refusal('INTEGRITY_FAILURE', () => decodeHeader(encodeUtf8(JSON.stringify(value), 'test')));
  });

  it.each([
    ['a space', (line: string) => line.replace(':131', ': 131')],
    ['an exponent', (line: string) => line.replace(':131,', ':1.31e2,')],
    ['an escape', (line: string) => line.replace('payroll', '\\u0070ayroll')],
    ['a member twice', (line: string) => line.replace('"keyId"', '"keyId":"x","keyId"')],
    ['a __proto__', (line: string) => line.replace('"keyId"', '"__proto__":{},"keyId"')],
    ['a cut', (line: string) => line.slice(0, -1)],
    ['spaces to more than 4,096 bytes', (line: string) => line.padEnd(4_097)],
  ])('with %s is refused, though JSON may allow it', async (_what, change) => {
    await refusal('INTEGRITY_FAILURE', () => decodeHeader(encodeUtf8(change(text(encodeHeader(header))), 'test')));
  });

  it.each([
    { name: 'none' },
    { name: 'scrypt', n: 262_144, r: 8, p: 4, salt: new Uint8Array(16) },
    { name: 'scrypt', n: 131_072, r: 8, p: 1, salt: new Uint8Array(64) },
    { name: 'pbkdf2-hmac-sha-512', iterations: 10_000_000, salt: new Uint8Array(32) },
  ] as const)('reads back what it wrote: %j', (kdfHeader) => {
    const written: KeyringHeader = { keyId: 'a', generation: Number.MAX_SAFE_INTEGER, kdf: kdfHeader };
    expect(decodeHeader(encodeHeader(written))).toEqual(written);
  });
});

describe('the list of versions', () => {
  it('reads back any set that can be written', () => {
    const state = fc.constantFrom('enabled', 'disabled', 'destroyed');
    const entry = fc.tuple(state, fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 1, max: 1_000 }));
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), (entries) => {
        let id = 0;
        const versions = entries.map(([given, createdAt, bytes, gap], index) => {
          id += gap;
          const kept = index === entries.length - 1 ? 'enabled' : given;
          return { id: String(id), state: kept, createdAt, key: kept === 'destroyed' ? undefined : SecretBytes.copyOf(bytes) };
        });
        const json = encodeKeks(keks(...versions));
        const parsed = JSON.parse(text(json)) as { versions: { key: string | null }[] };
        // It is the JSON that any other program would read, too.
        expect(parsed.versions.map((version) => version.key)).toEqual(
          versions.map((version) => version.key?.expose((bytes) => toBase64Url(bytes)) ?? null),
        );
        const decoded = decodeKeks(json);
        expect(decoded === undefined ? '' : text(encodeKeks(decoded))).toBe(text(json));
      }),
    );
  });

  const good = text(encodeKeks(keks(kek('1'), kek('2', 'destroyed'), kek('10'))));
  const secret = /"key":"([^"]+)"/.exec(good)?.[1] ?? '';

  it('is refused when it is cut at any length or extended', () => {
    for (let length = 0; length < good.length; length++) expect(decodeKeks(encodeUtf8(good.slice(0, length), 'test'))).toBeUndefined();
    expect(decodeKeks(encodeUtf8(`${good} `, 'test'))).toBeUndefined();
  });

  it.each([
    ['a primary that is not there', (json: string) => json.replace('"primary":"10"', '"primary":"3"')],
    ['a destroyed primary', (json: string) => json.replace('"primary":"10"', '"primary":"2"')],
    ['no versions', () => '{"primary":"1","versions":[]}'],
    ['an id twice', (json: string) => json.replace('"id":"2"', '"id":"1"')],
    ['descending ids', (json: string) => json.replace('"id":"1"', '"id":"3"')],
    ['an id of 0', (json: string) => json.replace('"id":"1"', '"id":"0"')],
    ['an id with a leading zero', (json: string) => json.replace('"id":"1"', '"id":"01"')],
    ['an empty id', (json: string) => json.replace('"id":"1"', '"id":""')],
    ['an id of 2^53', (json: string) => json.replaceAll('"10"', '"9007199254740992"')],
    ['an endless id', (json: string) => json.replaceAll('"10"', `"${'1'.repeat(400)}"`)],
    ['an unknown state', (json: string) => json.replace('enabled', 'unknown')],
    ['a negative time', (json: string) => json.replace('"created":5', '"created":-5')],
    ['a key and the state destroyed', (json: string) => json.replace('enabled', 'destroyed')],
    ['no key and the state enabled', (json: string) => json.replace('destroyed', 'enabled')],
    ['a key that is too short', (json: string) => json.replace(secret, secret.slice(1))],
    ['a key that is too long', (json: string) => json.replace(secret, `${secret}A`)],
    ['a key with padding', (json: string) => json.replace(secret, `${secret.slice(1)}=`)],
    ['a key in the other base64 alphabet', (json: string) => json.replace(secret, `+${secret.slice(1)}`)],
    ['a key whose spare bits are set', (json: string) => json.replace(secret, `${secret.slice(0, 42)}B`)],
    ['an additional member', (json: string) => json.replace('"created"', '"note":1,"created"')],
    ['a space', (json: string) => json.replace(',', ', ')],
    ['a trailing comma', (json: string) => json.replace('}]}', '},]}')],
  ])('is refused with %s', (_what, change) => {
    expect(decodeKeks(encodeUtf8(good, 'test'))).toBeDefined();
    const changed = change(good);
    expect(changed).not.toBe(good);
    expect(decodeKeks(encodeUtf8(changed, 'test'))).toBeUndefined();
  });

  it('is refused with more versions than a keyring may have', () => {
    const many = keks(...Array.from({ length: MAX_VERSIONS + 1 }, (_, index) => kek(String(index + 1), index === MAX_VERSIONS ? 'enabled' : 'destroyed')));
    expect(decodeKeks(encodeKeks(many))).toBeUndefined();
  });

  it('that is malformed although it was sealed with the right key is damage', async () => {
    const line = encodeHeader(header);
    const message = sealMessage(key, concatBytes(label('keyfold/keyring/v1'), line), encodeUtf8('{}', 'test'));
    const file = concatBytes(line, encodeUtf8(`\n${toBase64Url(message)}\n`, 'test'));
    await refusal('INTEGRITY_FAILURE', () => openKeyring(parseKeyring(file), key));
  });
});

it('a keyring on disk is refused, not opened partly, after a torn write', async () => {
  const { path, key: raw } = place();
  await (await LocalKms.create(path, { key: raw })).close();
  const whole = readFileSync(path);
  for (const length of [0, 1, 100, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    chmodSync(path, 0o600);
    await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key: raw }));
  }
});
