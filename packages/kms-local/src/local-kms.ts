import { systemRandomSource, KeyfoldError, SecretBytes, toHex } from '@keyfold/core/provider';
import { disposeKeks, withNewPrimary } from './kek-set.ts';
import { KeyringFile } from './keyring-file.ts';
import { sealKeyring } from './keyring-format.ts';
import { newKdf, unlockKey } from './keyring-key.ts';
import { KeyringPaths } from './keyring-paths.ts';
import { KeyringSession } from './keyring-session.ts';
import { LocalKmsClient } from './local-kms-client.ts';
import {
  DEFAULTS,
  DEFAULT_INTERNALS,
  checkCreateOptions,
  checkOpenOptions,
  type CreateOptions,
  type Internals,
  type OpenOptions,
} from './options.ts';
import { requirePrivateDirectory } from './private-file.ts';

/** A KEK is an AES-256 key. */
const KEK_BYTES = 32;

/** {@link LocalKms.create}, with the hooks of this package's tests. */
export async function createKeyring(path: string, options: CreateOptions, internals = DEFAULT_INTERNALS): Promise<LocalKmsClient> {
  checkCreateOptions(options);
  const file = new KeyringFile(new KeyringPaths(path), internals.onStep);
  await requirePrivateDirectory(file.paths.directory);
  // Before the derivation, which is slow; what decides is the claim below.
  if (await file.exists()) throw alreadyExists(file);
  const clock = options.clock ?? DEFAULTS.clock;
  const kdf = newKdf(options, options.kdf);
  const key = await unlockKey(options, kdf);
  const keks = withNewPrimary(undefined, SecretBytes.random(KEK_BYTES, systemRandomSource), clock.now());
  try {
    const header = { keyId: options.keyId ?? toHex(systemRandomSource.bytes(16)), generation: 1, kdf };
    if (!(await file.commit(sealKeyring(header, keks, key), header.generation))) throw alreadyExists(file);
  } finally {
    disposeKeks(keks);
  }
  const minimumGeneration = DEFAULTS.minimumGeneration;
  return new LocalKmsClient(await KeyringSession.start({ file, key, minimumGeneration }), clock);
}

/** {@link LocalKms.open}, with the hooks of this package's tests. */
export async function openKeyringFile(path: string, options: OpenOptions, internals: Internals = DEFAULT_INTERNALS): Promise<LocalKmsClient> {
  checkOpenOptions(options);
  const file = new KeyringFile(new KeyringPaths(path), internals.onStep);
  const { sealed } = await file.read();
  const key = await unlockKey(options, sealed.header.kdf);
  const { minimumGeneration = DEFAULTS.minimumGeneration, clock = DEFAULTS.clock } = options;
  return new LocalKmsClient(await KeyringSession.start({ file, key, minimumGeneration }), clock);
}

/** Local keyrings: KEKs in a file of this machine, sealed under a password or a key. */
export const LocalKms = {
  /**
   * Makes a keyring with one key version and opens it. Its directory must exist, be yours, and have mode 0700.
   * @throws KeyfoldError ALREADY_EXISTS, INVALID_ARGUMENT, CONFIG_INVALID (owner, mode, symbolic link, no such
   * KDF on this machine), KEY_NOT_FOUND (no such directory or key file), STORAGE_FULL, STORAGE_DENIED,
   * STORAGE_FAILURE, NOT_SUPPORTED (no POSIX system)
   */
  create: (path: string, options: CreateOptions): Promise<LocalKmsClient> => createKeyring(path, options),

  /**
   * Opens a keyring.
   * @throws KeyfoldError KEY_NOT_FOUND (no keyring or key file), AUTHENTICATION_FAILED (wrong password or key, or
   * an altered file), INTEGRITY_FAILURE (a damaged file, or one older than minimumGeneration), CONFIG_INVALID
   * (owner, mode, symbolic link, locked in another way), INVALID_ARGUMENT, STORAGE_DENIED, STORAGE_FAILURE,
   * NOT_SUPPORTED (no POSIX system)
   */
  open: (path: string, options: OpenOptions): Promise<LocalKmsClient> => openKeyringFile(path, options),
} as const;

function alreadyExists(file: KeyringFile): KeyfoldError {
  const { current } = file.paths;
  return new KeyfoldError(
    'ALREADY_EXISTS',
    `There is a keyring ${current} already, or what is left of one (${current}.1). Open it with LocalKms.open, or choose another name.`,
  );
}
