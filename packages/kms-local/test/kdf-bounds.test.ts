import type * as NodeCrypto from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LocalKms } from '../src/index.ts';
import { place, refusal } from './support/keyring.ts';

const calls = vi.hoisted(() => ({ scrypt: 0, pbkdf2: 0 }));

/** A machine whose OpenSSL refuses every password KDF, and that counts how often it was asked. */
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof NodeCrypto>()),
  scrypt: (...args: unknown[]) => {
    calls.scrypt++;
    (args.at(-1) as (error: Error) => void)(new Error('unsupported: secret detail'));
  },
  pbkdf2: (...args: unknown[]) => {
    calls.pbkdf2++;
    (args.at(-1) as (error: Error) => void)(new Error('unsupported: secret detail'));
  },
}));

beforeEach(() => {
  calls.scrypt = 0;
  calls.pbkdf2 = 0;
});

function fileWith(kdf: object): string {
  const { path } = place();
  const line = JSON.stringify({ format: 'keyfold-keyring', version: 1, keyId: 'a', generation: 1, kdf });
  writeFileSync(path, `${line}\n${'A'.repeat(200)}\n`, { mode: 0o600 });
  return path;
}

const salt = 'A'.repeat(43);

describe('the parameters of a keyring file', () => {
  it.each([
    { name: 'scrypt', n: 2 ** 30, r: 8, p: 1, salt },
    { name: 'scrypt', n: 131_072, r: 8, p: 2 ** 20, salt },
    { name: 'scrypt', n: 131_072, r: 1_024, p: 1, salt },
    { name: 'scrypt', n: 1_024, r: 8, p: 1, salt },
    { name: 'pbkdf2-hmac-sha-512', iterations: 2 ** 31, salt },
    { name: 'pbkdf2-hmac-sha-512', iterations: 1, salt },
  ])('are refused before anything is derived: %j', async (kdf) => {
    await refusal('INTEGRITY_FAILURE', LocalKms.open(fileWith(kdf), { password: 'x' }));
    expect(calls).toEqual({ scrypt: 0, pbkdf2: 0 });
  });

  it('within the bounds are derived with, once', async () => {
    await refusal('CONFIG_INVALID', LocalKms.open(fileWith({ name: 'scrypt', n: 131_072, r: 8, p: 1, salt }), { password: 'x' }));
    expect(calls).toEqual({ scrypt: 1, pbkdf2: 0 });
  });
});

describe('a machine that refuses a KDF', () => {
  it('is told about PBKDF2 when it has no scrypt', async () => {
    const error = await refusal('CONFIG_INVALID', LocalKms.create(place().path, { password: 'x' }));
    expect(error.message).toContain('pbkdf2-hmac-sha-512');
    expect(JSON.stringify([error, error.cause])).not.toContain('secret detail');
  });

  it('is told so when it has no PBKDF2', async () => {
    await refusal('CONFIG_INVALID', LocalKms.create(place().path, { password: 'x', kdf: { name: 'pbkdf2-hmac-sha-512' } }));
    expect(calls).toEqual({ scrypt: 0, pbkdf2: 1 });
  });
});
