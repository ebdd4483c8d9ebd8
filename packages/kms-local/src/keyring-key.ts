import { createSecretKey, pbkdf2, scrypt, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { systemRandomSource, KeyfoldError, decodeUtf8, encodeUtf8 } from '@keyfold/core/provider';
import { readKeyFile } from './key-file.ts';
import type { KdfHeader } from './keyring-header.ts';
import { DEFAULTS, type KdfOptions, type Password, type UnlockOptions } from './options.ts';

const KEY_BYTES = 32;
const NEW_SALT_BYTES = 32;
const MAX_PASSWORD_BYTES = 4_096;

type PasswordHeader = Exclude<KdfHeader, { name: 'none' }>;

/** The header's KDF member for a new keyring, with a salt of its own. */
export function newKdf(unlock: UnlockOptions, kdf: KdfOptions | undefined): KdfHeader {
  if (unlock.password === undefined) return { name: 'none' };
  const salt = systemRandomSource.bytes(NEW_SALT_BYTES);
  if (kdf?.name === 'pbkdf2-hmac-sha-512') {
    return { name: kdf.name, iterations: kdf.iterations ?? DEFAULTS.pbkdf2Iterations, salt };
  }
  return { name: 'scrypt', n: kdf?.n ?? DEFAULTS.scrypt.n, r: 8, p: kdf?.p ?? DEFAULTS.scrypt.p, salt };
}

/**
 * The key that a keyring is sealed under. The header's parameters were checked
 * when it was read.
 * @throws KeyfoldError CONFIG_INVALID when the keyring is locked in another way or this machine has no
 * such KDF; INVALID_ARGUMENT for a password that is none; and what reading a key file throws
 */
export async function unlockKey(unlock: UnlockOptions, kdf: KdfHeader): Promise<KeyObject> {
  if (kdf.name === 'none') {
    if (unlock.key !== undefined) return createSecretKey(unlock.key);
    if (unlock.keyFile !== undefined) return readKeyFile(unlock.keyFile);
    throw new KeyfoldError('CONFIG_INVALID', 'This keyring is locked with a key, not with a password: pass key or keyFile.');
  }
  if (unlock.password === undefined) {
    throw new KeyfoldError('CONFIG_INVALID', 'This keyring is locked with a password, not with a key: pass password.');
  }
  const password = passwordBytes(await ask(unlock.password));
  try {
    const derived = await derive(password, kdf);
    const key = createSecretKey(derived);
    derived.fill(0);
    return key;
  } catch (error) {
    throw new KeyfoldError(
      'CONFIG_INVALID',
      kdf.name === 'scrypt'
        ? 'This machine refuses scrypt, for lack of memory or because it is in FIPS mode; keyrings for FIPS use kdf { name: "pbkdf2-hmac-sha-512" }.'
        : 'This machine refuses PBKDF2-HMAC-SHA-512.',
      { cause: error },
    );
  } finally {
    password.fill(0);
  }
}

async function ask(password: Password): Promise<string | Uint8Array> {
  if (typeof password !== 'function') return password;
  try {
    return await password();
  } catch (error) {
    throw new KeyfoldError('AUTHENTICATION_FAILED', 'The function that was to supply the password failed.', { cause: error });
  }
}

/** UTF-8 of the NFC form, in memory of its own. */
function passwordBytes(password: unknown): Uint8Array {
  const bytes = typeof password === 'string' ? textBytes(password) : password instanceof Uint8Array ? ownBytes(password) : undefined;
  if (bytes === undefined || bytes.byteLength === 0 || bytes.byteLength > MAX_PASSWORD_BYTES) {
    bytes?.fill(0);
    throw new KeyfoldError('INVALID_ARGUMENT', `A password is a string or UTF-8 bytes, 1 to ${MAX_PASSWORD_BYTES} bytes long.`);
  }
  return bytes;
}

function textBytes(password: string): Uint8Array | undefined {
  // A UTF-16 unit is at least one byte. NFC of a string is at most three times as long: the caller checks the result.
  return password.length > MAX_PASSWORD_BYTES ? undefined : encodeUtf8(password.normalize('NFC'), 'The password');
}

function ownBytes(password: Uint8Array): Uint8Array | undefined {
  // ASCII is in NFC as it is, and so never becomes a string, which could not be overwritten.
  if (password.every((byte) => byte < 0x80)) return Uint8Array.from(password);
  const text = decodeUtf8(password);
  return text === undefined ? undefined : textBytes(text);
}

function derive(password: Uint8Array, kdf: PasswordHeader): Promise<Buffer> {
  switch (kdf.name) {
    case 'scrypt':
      return scryptKey(password, kdf);
    case 'pbkdf2-hmac-sha-512':
      return promisify(pbkdf2)(password, kdf.salt, kdf.iterations, KEY_BYTES, 'sha512');
  }
}

function scryptKey(password: Uint8Array, { n, r, p, salt }: Extract<KdfHeader, { name: 'scrypt' }>): Promise<Buffer> {
  // Node's default limit is 32 MiB; scrypt needs 128 * N * r bytes and a little more.
  const maxmem = 256 * n * r;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, { N: n, r, p, maxmem }, (error, derived) => {
      if (error === null) resolve(derived);
      else reject(error);
    });
  });
}
