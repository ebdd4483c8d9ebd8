import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';
import type { StepHook } from './keyring-file.ts';
import { KDF_LIMITS, KEY_ID_PATTERN, isIterations, isScryptN, isScryptP } from './keyring-header.ts';

/** A password, or a function that is asked for it once, when it is needed. UTF-8 bytes can be zeroed by you afterwards. */
export type Password = string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>);

/** What unlocks a keyring: exactly one of the three. */
export interface UnlockOptions {
  /** Well-formed Unicode of 1..4,096 UTF-8 bytes; normalised to NFC. */
  readonly password?: Password | undefined;
  /** The path of a file of exactly 32 random bytes and mode 0600, see createLocalKeyFile(). */
  readonly keyFile?: string | undefined;
  /** The 32 bytes themselves; copied. */
  readonly key?: Uint8Array | undefined;
}

/** How a password becomes a key. PBKDF2 is for machines in FIPS mode, which have no scrypt. */
export type KdfOptions =
  | { readonly name: 'scrypt'; readonly n?: number | undefined; readonly p?: number | undefined }
  | { readonly name: 'pbkdf2-hmac-sha-512'; readonly iterations?: number | undefined };

export interface CreateOptions extends UnlockOptions {
  /** Only with a password. Default: scrypt with N = 131,072, r = 8, p = 1. */
  readonly kdf?: KdfOptions | undefined;
  /** 1..128 of `[A-Za-z0-9._-]`, beginning with a letter or digit, never given to two keyrings. Default: 32 random hex digits. */
  readonly keyId?: string | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

export interface OpenOptions extends UnlockOptions {
  /** Refuse a keyring of an older generation, i.e. an old copy put back. Default: 1. */
  readonly minimumGeneration?: number | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

/** For this package's tests; not exported from the package. */
export interface Internals {
  readonly onStep: StepHook;
}

export const DEFAULT_INTERNALS: Internals = { onStep: () => undefined };

export const DEFAULTS = {
  scrypt: { n: 131_072, p: 1 },
  pbkdf2Iterations: 600_000,
  minimumGeneration: 1,
  clock: systemClock,
} as const;

/** @throws KeyfoldError INVALID_ARGUMENT */
export function checkCreateOptions(options: CreateOptions): void {
  checkUnlock(options);
  if (options.kdf !== undefined) checkKdf(options.kdf, options.password !== undefined);
  if (options.keyId !== undefined && !(typeof options.keyId === 'string' && KEY_ID_PATTERN.test(options.keyId))) {
    throw invalid('keyId must be 1 to 128 of A-Z, a-z, 0-9, ".", "_" and "-", beginning with a letter or digit.');
  }
}

/** @throws KeyfoldError INVALID_ARGUMENT */
export function checkOpenOptions(options: OpenOptions): void {
  checkUnlock(options);
  const { minimumGeneration = DEFAULTS.minimumGeneration } = options;
  if (!Number.isSafeInteger(minimumGeneration) || minimumGeneration < 1) {
    throw invalid('minimumGeneration must be a whole number from 1.');
  }
}

function checkUnlock({ password, keyFile, key }: UnlockOptions): void {
  if ([password, keyFile, key].filter((given) => given !== undefined).length !== 1) {
    throw invalid('Pass exactly one of password, keyFile and key.');
  }
  if (key !== undefined && !(key instanceof Uint8Array && key.byteLength === 32)) {
    throw invalid('key must be a Uint8Array of exactly 32 bytes.');
  }
  if (keyFile !== undefined && (typeof keyFile !== 'string' || keyFile === '')) {
    throw invalid('keyFile must be the path of a key file.');
  }
}

function checkKdf(kdf: KdfOptions, withPassword: boolean): void {
  if (!withPassword) throw invalid('kdf is for passwords: a key or key file is used as it is.');
  switch (kdf.name) {
    case 'scrypt':
      if (!isScryptN(kdf.n ?? DEFAULTS.scrypt.n) || !isScryptP(kdf.p ?? DEFAULTS.scrypt.p)) {
        throw invalid(`scrypt takes n = ${KDF_LIMITS.scryptN.join(' or ')} and p = 1 to ${KDF_LIMITS.scryptP}.`);
      }
      return;
    case 'pbkdf2-hmac-sha-512':
      if (!isIterations(kdf.iterations ?? DEFAULTS.pbkdf2Iterations)) {
        throw invalid(`pbkdf2-hmac-sha-512 takes ${KDF_LIMITS.pbkdf2Iterations.join(' to ')} iterations.`);
      }
      return;
    default:
      throw invalid('kdf.name must be "scrypt" or "pbkdf2-hmac-sha-512".');
  }
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', message);
}
