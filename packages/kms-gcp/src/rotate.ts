import { KeyfoldError, isKeyfoldError, type Clock, type KeyVersion } from '@keyfold/core/provider';
import { currentVersion, getVersion, isNewer, listVersions, primaryOf, readVersion, shown, type ReadVersion, type VersionSource } from './key-versions.ts';
import type { SignalOptions } from './kms-calls.ts';
import { wait } from './wait.ts';

/** A version this much older than now is no rotation that was just begun; milliseconds. */
const BEGUN_MS = 24 * 3_600_000;
/** Looks at a version that is being generated. */
const MAX_POLLS = 300;
/** Newer versions of others that one rotation follows. */
const ATTEMPTS = 6;

/** What rotation works with. */
export interface RotationParts extends VersionSource {
  readonly clock: Clock;
  readonly pollMs: number;
}

/**
 * A new version, and it becomes the primary (spec/gcp-kms, 4).
 *
 * A version that is newer than the primary and a day old at most is a rotation
 * that was begun and not ended, here or by another process: whoever comes next
 * ends it. Whoever ends one looks again for a newer one, so that two processes at
 * once end at the same version and none moves the primary back.
 */
export async function rotate(parts: RotationParts, signals: SignalOptions): Promise<KeyVersion> {
  const primary = await currentVersion(parts, signals);
  const target = (await findBegun(parts, primary.id, signals)) ?? (await create(parts, signals));
  try {
    return await promote(parts, target, signals);
  } catch (error) {
    // Core makes a throttled rotation again, and this version may be the primary by now: that would make another.
    if (isKeyfoldError(error, 'KMS_THROTTLED')) {
      throw new KeyfoldError('KMS_UNAVAILABLE', `${error.message} Version ${target.id} was made. Look at currentKeyVersion(): if that is an older one, call rotateKey() again, which goes on with version ${target.id}.`, { cause: error });
    }
    throw error;
  }
}

async function create({ keyId, calls }: RotationParts, signals: SignalOptions): Promise<ReadVersion> {
  const [version] = await calls.call('CreateCryptoKeyVersion', signals, (api, options) =>
    api.createCryptoKeyVersion({ parent: keyId, cryptoKeyVersion: {} }, options),
  );
  return readVersion(keyId, version);
}

/** The newest version above another one that can still become the primary. */
async function findBegun(parts: RotationParts, above: string, signals: SignalOptions): Promise<ReadVersion | undefined> {
  const since = parts.clock.now() - BEGUN_MS;
  const versions = await listVersions(parts, signals);
  return versions.find(({ id, createdAt, gcpState }) => isNewer(id, above) && (createdAt ?? 0) >= since && (gcpState === 'ENABLED' || gcpState === 'PENDING_GENERATION'));
}

/** Makes a version the primary, and then a still newer one if one came meanwhile: a slow rotation must not undo a later one. */
async function promote(parts: RotationParts, first: ReadVersion, signals: SignalOptions): Promise<KeyVersion> {
  const { keyId, calls } = parts;
  let target: ReadVersion | undefined = first;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const ready = await whenEnabled(parts, target, signals);
    const [key] = await calls.call('UpdateCryptoKeyPrimaryVersion', signals, (api, options) =>
      api.updateCryptoKeyPrimaryVersion({ name: keyId, cryptoKeyVersionId: ready.id }, options),
    );
    const primary = primaryOf(keyId, key);
    if (isNewer(ready.id, primary.id)) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'Google Cloud KMS made another version the primary than it was asked for.');
    target = await findBegun(parts, primary.id, signals);
    if (target === undefined) return primary;
  }
  throw new KeyfoldError('CONFLICT', 'Others were rotating this key all the time. Look at currentKeyVersion(), and try again if it is still needed.');
}

/** An HSM takes a while to make a key. */
async function whenEnabled(parts: RotationParts, version: ReadVersion, signals: SignalOptions): Promise<KeyVersion> {
  let seen = version;
  for (let count = 0; count < MAX_POLLS && seen.gcpState === 'PENDING_GENERATION'; count++) {
    await wait(parts.pollMs, signals);
    seen = await getVersion(parts, version.id, signals);
  }
  if (seen.state === 'enabled') return shown(seen, false);
  if (seen.gcpState === 'PENDING_GENERATION') {
    throw new KeyfoldError('KMS_UNAVAILABLE', `Google Cloud KMS is still generating version ${seen.id}. Call rotateKey() later, which goes on with it.`);
  }
  throw new KeyfoldError('CONFLICT', `Version ${seen.id}, which was to become the primary, is not enabled (${seen.gcpState}). Look at the key in Cloud KMS, and rotate again.`);
}
