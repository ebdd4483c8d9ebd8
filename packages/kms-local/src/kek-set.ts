import { KeyfoldError, type KeyVersion, type SecretBytes } from '@keyfold/core/provider';

/** More than this many versions would outgrow the largest file that is read. */
export const MAX_VERSIONS = 4_096;

export interface KekVersion {
  /** A decimal counter from 1; ids are never used twice. */
  readonly id: string;
  readonly state: 'enabled' | 'disabled' | 'destroyed';
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Absent exactly when the version is destroyed. */
  readonly key: SecretBytes | undefined;
}

/** What the second line of a keyring file holds: every version of the KEK, oldest first. */
export interface KekSet {
  /** The id of the version that new wraps use. */
  readonly primary: string;
  readonly versions: readonly KekVersion[];
}

export function findVersion(keks: KekSet, id: string): KekVersion | undefined {
  return keks.versions.find((version) => version.id === id);
}

/** @throws KeyfoldError KEY_NOT_FOUND */
export function requireVersion(keks: KekSet, id: string): KekVersion {
  const version = findVersion(keks, id);
  if (version === undefined) throw new KeyfoldError('KEY_NOT_FOUND', 'The keyring has no such key version.');
  return version;
}

/**
 * The set with one more version, which is the primary.
 * @throws KeyfoldError ROTATION_LIMIT; INVALID_ARGUMENT for a time that is none
 */
export function withNewPrimary(keks: KekSet | undefined, key: SecretBytes, time: number): KekSet {
  const versions = keks?.versions ?? [];
  const next = Number(versions.at(-1)?.id ?? 0) + 1;
  if (versions.length >= MAX_VERSIONS || !Number.isSafeInteger(next)) {
    throw new KeyfoldError(
      'ROTATION_LIMIT',
      `A keyring holds at most ${MAX_VERSIONS} versions; create a new keyring and rewrap to it.`,
    );
  }
  // Anything but a whole number would make a list that no reader accepts.
  const createdAt = Math.floor(time);
  if (!Number.isSafeInteger(createdAt) || createdAt < 0) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The clock gives no time in milliseconds since 1970.');
  }
  const id = String(next);
  return { primary: id, versions: [...versions, { id, state: 'enabled', createdAt, key }] };
}

/** The set with one version in another state, or undefined when it is in that state already. */
export function withState(keks: KekSet, id: string, state: KekVersion['state']): KekSet | undefined {
  const found = requireVersion(keks, id);
  if (found.state === state) return undefined;
  if (found.state === 'destroyed') {
    throw new KeyfoldError('KEY_NOT_FOUND', `Version ${found.id} was destroyed; nothing brings it back.`);
  }
  if (state === 'destroyed' && id === keks.primary) {
    throw new KeyfoldError('INVALID_ARGUMENT', `Version ${id} is the primary; rotate first, rewrap, and then destroy it.`);
  }
  const changed = { ...found, state, key: state === 'destroyed' ? undefined : found.key };
  return { primary: keks.primary, versions: keks.versions.map((version) => (version === found ? changed : version)) };
}

/** A version as the port describes it. */
export function describeVersion(keks: KekSet, version: KekVersion): KeyVersion {
  return { id: version.id, createdAt: version.createdAt, state: version.state, primary: version.id === keks.primary };
}

export function disposeKeks(keks: KekSet): void {
  for (const { key } of keks.versions) key?.dispose();
}
