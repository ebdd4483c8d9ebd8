import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocalKms, createLocalKeyFile, type CreateOptions, type OpenOptions } from '../src/index.ts';
import { context, filesOf, place, refusal } from './support/keyring.ts';

const ANGSTROM_COMPOSED = 'pass \u00c5';
const ANGSTROM_DECOMPOSED = 'pass A\u030a';

describe('a password', () => {
  it('opens what it locked, in either normalisation, as a string, as bytes and from a function', async () => {
    const { path } = place();
    const created = await LocalKms.create(path, { password: ANGSTROM_DECOMPOSED });
    const { plaintext, wrapped } = await created.generateDataKey({ context });
    expect(readFileSync(path, 'utf8')).toContain('"kdf":{"name":"scrypt","n":131072,"r":8,"p":1,"salt":"');
    const bytes = Buffer.from(ANGSTROM_DECOMPOSED);
    for (const password of [ANGSTROM_COMPOSED, bytes, () => ANGSTROM_COMPOSED, () => Promise.resolve(bytes)]) {
      expect(await (await LocalKms.open(path, { password })).decrypt(wrapped, { context })).toEqual(plaintext);
    }
    expect(bytes.toString()).toBe(ANGSTROM_DECOMPOSED);
  });

  it('of another value is refused with a sentence that says what may be wrong', async () => {
    const { path } = place();
    await LocalKms.create(path, { password: 'right' });
    const error = await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { password: 'Right' }));
    expect(error.message).toContain('the password or key is wrong, or the file was altered');
  });

  it('may be stretched by PBKDF2, for machines in FIPS mode', async () => {
    const { path } = place();
    await LocalKms.create(path, { password: Buffer.from('ascii'), kdf: { name: 'pbkdf2-hmac-sha-512' } });
    expect(readFileSync(path, 'utf8')).toContain('"kdf":{"name":"pbkdf2-hmac-sha-512","iterations":600000,"salt":"');
    await LocalKms.open(path, { password: 'ascii' });
    await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { password: 'asciI' }));
  });

  it.each([
    { name: 'scrypt', n: 131_072, p: 2 },
    { name: 'pbkdf2-hmac-sha-512', iterations: 600_001 },
  ] as const)('is stretched as it was asked for: %j', async (kdf) => {
    const { path } = place();
    await LocalKms.create(path, { password: 'x', kdf });
    expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[0] ?? '')).toMatchObject({ kdf });
    await LocalKms.open(path, { password: 'x' });
  });

  it.each([
    ['empty', ''],
    ['a lone surrogate', 'x\ud800'],
    ['too long', 'x'.repeat(4_097)],
    ['too long in UTF-8', '\u20ac'.repeat(1_366)],
    ['empty bytes', new Uint8Array(0)],
    ['bytes that are no UTF-8', Uint8Array.of(0x70, 0xff)],
    ['too many bytes', new Uint8Array(4_097).fill(0x61)],
    ['a number', 7 as unknown as string],
    ['a function that gives nothing', () => undefined as unknown as string],
  ])('is refused when it is %s', async (_what, password) => {
    const { path, directory } = place();
    await refusal('INVALID_ARGUMENT', LocalKms.create(path, { password }));
    expect(filesOf(directory)).toEqual({});
  });

  it('whose function fails leaves its error out', async () => {
    const { path } = place();
    const password = (): string => {
      throw new Error('vault token abc is bad');
    };
    const error = await refusal('AUTHENTICATION_FAILED', LocalKms.create(path, { password }));
    expect(JSON.stringify([error, error.cause])).not.toContain('abc');
  });
});

describe('a key or key file', () => {
  it('opens what it locked, and both hold the same key', async () => {
    const { path, directory } = place();
    const keyFile = join(directory, 'key');
    await createLocalKeyFile(keyFile);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(keyFile)).toHaveLength(32);
    const { keyId } = await LocalKms.create(path, { keyFile });
    expect((await LocalKms.open(path, { keyFile })).keyId).toBe(keyId);
    expect((await LocalKms.open(path, { key: readFileSync(keyFile) })).keyId).toBe(keyId);
    expect(readFileSync(path, 'utf8')).toContain('"kdf":{"name":"none"}');
  });

  it('of another value is refused', async () => {
    const { path, key } = place();
    await LocalKms.create(path, { key });
    await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { key: randomBytes(32) }));
  });

  it('is copied: the caller may zero it', async () => {
    const { path, key } = place();
    const mine = Uint8Array.from(key);
    const client = await LocalKms.create(path, { key: mine });
    mine.fill(0);
    await client.rotateKey();
    await LocalKms.open(path, { key });
  });

  it('is never replaced by a new key file', async () => {
    const { path } = place();
    await createLocalKeyFile(path);
    const before = readFileSync(path);
    await refusal('ALREADY_EXISTS', createLocalKeyFile(path));
    expect(readFileSync(path)).toEqual(before);
  });

  it('needs a directory to be in', async () => {
    await refusal('KEY_NOT_FOUND', createLocalKeyFile(join(place().directory, 'none', 'key')));
  });

  it.each([0, 31, 33, 64])('of %i bytes is refused', async (length) => {
    const { path, directory } = place();
    const keyFile = join(directory, 'key');
    writeFileSync(keyFile, new Uint8Array(64), { mode: 0o600 });
    truncateSync(keyFile, length);
    await refusal('CONFIG_INVALID', LocalKms.create(path, { keyFile }));
  });

  it('is refused when others can read it, or when it is not there', async () => {
    const { path, directory } = place();
    const keyFile = join(directory, 'key');
    expect((await refusal('KEY_NOT_FOUND', LocalKms.create(path, { keyFile }))).message).toContain('createLocalKeyFile');
    await createLocalKeyFile(keyFile);
    chmodSync(keyFile, 0o640);
    expect((await refusal('CONFIG_INVALID', LocalKms.create(path, { keyFile }))).message).toContain(`chmod 600 '${keyFile}'`);
  });

  it('does not open what a password locked, nor the reverse', async () => {
    const one = place();
    await LocalKms.create(one.path, { password: 'x', kdf: { name: 'pbkdf2-hmac-sha-512' } });
    expect((await refusal('CONFIG_INVALID', LocalKms.open(one.path, { key: one.key }))).message).toContain('pass password');
    const two = place();
    await LocalKms.create(two.path, { key: two.key });
    expect((await refusal('CONFIG_INVALID', LocalKms.open(two.path, { password: 'x' }))).message).toContain('pass key or keyFile');
  });
});

describe('options', () => {
  const key = new Uint8Array(32);
  it.each<[string, CreateOptions]>([
    ['nothing to unlock with', {}],
    ['a password and a key', { password: 'x', key }],
    ['a key and a key file', { key, keyFile: '/k' }],
    ['a key of 31 bytes', { key: key.subarray(1) }],
    ['a key of 33 bytes', { key: new Uint8Array(33) }],
    ['a key that is a string', { key: 'x'.repeat(32) as unknown as Uint8Array }],
    ['an empty key file name', { keyFile: '' }],
    ['a key file name that is a number', { keyFile: 3 as unknown as string }],
    ['a KDF for a key', { key, kdf: { name: 'scrypt' } }],
    ['an unknown KDF', { password: 'x', kdf: { name: 'argon2id' } as unknown as { name: 'scrypt' } }],
    ['too small an N', { password: 'x', kdf: { name: 'scrypt', n: 65_536 } }],
    ['too large an N', { password: 'x', kdf: { name: 'scrypt', n: 524_288 } }],
    ['too large a p', { password: 'x', kdf: { name: 'scrypt', p: 5 } }],
    ['too few iterations', { password: 'x', kdf: { name: 'pbkdf2-hmac-sha-512', iterations: 1_000 } }],
    ['an empty key id', { key, keyId: '' }],
    ['a key id with a space', { key, keyId: 'a b' }],
    ['a key id that is a number', { key, keyId: 7 as unknown as string }],
  ])('with %s are refused, and nothing is written', async (_what, options) => {
    const { path, directory } = place();
    await refusal('INVALID_ARGUMENT', LocalKms.create(path, options));
    expect(filesOf(directory)).toEqual({});
  });

  it.each<[string, OpenOptions]>([
    ['nothing to unlock with', {}],
    ['minimumGeneration 0', { key, minimumGeneration: 0 }],
    ['a fractional minimumGeneration', { key, minimumGeneration: 1.5 }],
  ])('with %s do not open anything', async (_what, options) => {
    await refusal('INVALID_ARGUMENT', LocalKms.open(place().path, options));
  });

  it.each(['', 'a\0b', '/', 'keys.7', 'keys.~1-0', 7 as unknown as string])('with the path %j are refused', async (path) => {
    await refusal('INVALID_ARGUMENT', LocalKms.create(path, { key }));
    await refusal('INVALID_ARGUMENT', LocalKms.open(path, { key }));
  });

  it('may choose the key id', async () => {
    const { path, key: own } = place();
    expect((await LocalKms.create(path, { key: own, keyId: 'payroll-2026' })).keyId).toBe('payroll-2026');
    expect((await LocalKms.open(path, { key: own })).keyId).toBe('payroll-2026');
  });
});
