import { KeyfoldError } from '@keyfold/core/provider';

/** A project id, with the domain before it where the project belongs to one. */
const PROJECT = '(?:[a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]';
const ID = '[a-zA-Z0-9_-]{1,63}';
const KEY = new RegExp(`^projects/${PROJECT}/locations/${ID}/keyRings/${ID}/cryptoKeys/${ID}$`);
const NUMBER = /^[1-9][0-9]{0,17}$/;

/**
 * Takes the full name of a CryptoKey, and nothing else: no version, because the
 * ciphertext says which version opens it; and no project number, because Cloud KMS
 * answers with the project's id, and a key has one name in records.
 * @throws KeyfoldError CONFIG_INVALID
 */
export function requireKeyName(name: unknown): string {
  if (typeof name === 'string' && KEY.test(name)) return name;
  throw new KeyfoldError(
    'CONFIG_INVALID',
    'Google Cloud KMS: keyId must be the full name of a CryptoKey, projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version, and P the id of the project (not its number).',
  );
}

/** The number of a version of this key, by the version's full name; undefined for any other name. */
export function versionNumber(key: string, name: string | null | undefined): string | undefined {
  const prefix = `${key}/cryptoKeyVersions/`;
  const number = name?.startsWith(prefix) === true ? name.slice(prefix.length) : '';
  return NUMBER.test(number) ? number : undefined;
}

/** The full name of a version. */
export function versionName(key: string, number: string): string {
  return `${key}/cryptoKeyVersions/${number}`;
}
