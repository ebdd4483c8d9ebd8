import { KeyfoldError, isKeyfoldError, type KeyVersion } from '@keyfold/core/provider';
import { listAliases, numberedName, type AliasListing } from '../alias-listing.ts';
import { keyArn, keyIdBeside } from '../key-name.ts';
import { describeKey, stateOf } from '../key-versions.ts';
import type { SignalOptions } from '../kms-calls.ts';
import { requireSymmetric } from '../resolve-key.ts';
import type { AwsKeyMetadata } from '../sdk.ts';
import { afterChange, mayPass, unfinished } from './after-change.ts';
import { templateOf } from './key-template.ts';
import type { RotationParts } from './parts.ts';
import { wait } from './wait.ts';

/** Races that one rotation may lose. Aliases take a moment until every server of AWS shows them. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 50;

type Described = AwsKeyMetadata & { readonly KeyId: string };

/** A key that this rotation made and that has no number yet. */
interface Unused {
  key?: Described;
  /** The number that it was last to get. */
  alias?: string;
}

/**
 * A new key, and `alias/app` moves to it (spec/aws-kms, 5).
 *
 * The claim is CreateAlias of the next number, which AWS gives to one caller
 * only; then UpdateAlias moves the alias. A number above the alias' own is a
 * rotation that was begun and not ended: whoever comes next ends it. Until a key
 * has its number it wraps nothing, so no record is ever under a key without one.
 */
export async function rotateAlias(parts: RotationParts, signals: SignalOptions): Promise<KeyVersion> {
  const unused: Unused = {};
  try {
    return await race(parts, unused, signals);
  } catch (error) {
    if (unused.key === undefined || !isKeyfoldError(error)) throw error;
    // Otherwise a key is left, and nobody knows of it.
    const left = `If no alias leads to the new key ${unused.key.KeyId}, it is unused: give it the alias ${unused.alias ?? `${parts.key.name}-v<number>`}, or schedule its deletion.`;
    throw new KeyfoldError(mayPass(error) ? 'KMS_UNAVAILABLE' : error.code, `${error.message} ${left}`, { cause: error });
  }
}

async function race(parts: RotationParts, unused: Unused, signals: SignalOptions): Promise<KeyVersion> {
  const { key, versions } = parts;
  let before: string | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await wait(FIRST_PAUSE_MS * 2 ** attempt, signals);
    const current = await patiently(unused, signals, () => describeKey(parts.calls, key, key.arn, signals));
    before ??= current.KeyId;
    // Whoever won the race has rotated for both.
    if (current.KeyId !== before) return afterChange(look(key.name), signals, () => versions.currentOf(current, signals));
    refuseReplicas(current);
    const listing = await patiently(unused, signals, () => listAliases(parts.calls, key, signals));
    const own = listing.numbered.find(({ keyId }) => keyId === current.KeyId)?.number;
    if (own === undefined) {
      await claim(parts, nextNumber(listing), current.KeyId, signals);
      continue;
    }
    const begun = await patiently(unused, signals, () => findBegun(parts, listing, own, signals));
    const next = begun ?? (await makeNext(parts, { current, number: nextNumber(listing) }, unused, signals));
    if (next !== undefined) return moveTo(parts, next, signals);
  }
  throw new KeyfoldError('CONFLICT', `Others were rotating ${key.name} all the time. Look at currentKeyVersion(), and try again if it is still needed.`);
}

/** What an interrupted rotation leaves to whoever reads its error. */
function look(alias: string): string {
  return `The rotation may have happened: look at currentKeyVersion(). If ${alias} has not moved to its highest number, rotateKey() ends this rotation.`;
}

/** Once a key was made, throttling no longer means that nothing was done. */
async function patiently<T>({ key }: Unused, signals: SignalOptions, step: () => Promise<T>): Promise<T> {
  return key === undefined ? step() : afterChange('The rotation was not ended.', signals, step);
}

function nextNumber({ numbered }: AliasListing): number {
  return (numbered[0]?.number ?? 0) + 1;
}

/** Gives a key the alias of a number. False when somebody else has taken the number. */
async function claim({ calls, key }: RotationParts, number: number, keyId: string, signals: SignalOptions): Promise<boolean> {
  const alias = { AliasName: numberedName(key.name, number), TargetKeyId: keyId };
  try {
    await calls.call('CreateAlias', signals, (api, options) => api.createAlias(alias, options));
    return true;
  } catch (error) {
    if (isKeyfoldError(error, 'CONFLICT')) return false;
    throw error;
  }
}

/** The newest key of a higher number than the alias' own that can take over. */
async function findBegun({ calls, key }: RotationParts, { numbered }: AliasListing, own: number, signals: SignalOptions): Promise<Described | undefined> {
  for (const { keyId } of numbered.filter(({ number }) => number > own)) {
    const metadata = await describeKey(calls, key, keyArn(key, keyId), signals);
    if (stateOf(metadata) === 'enabled') return metadata;
  }
  return undefined;
}

/** A new key like the current one, with its number; undefined when the number went to somebody else: then the key waits for the next number. */
async function makeNext(parts: RotationParts, { current, number }: { readonly current: Described; readonly number: number }, unused: Unused, signals: SignalOptions): Promise<Described | undefined> {
  const made = (unused.key ??= await makeKey(parts, current, signals));
  unused.alias = numberedName(parts.key.name, number);
  const claimed = await afterChange('The rotation was not ended.', signals, () => claim(parts, number, made.KeyId, signals));
  if (!claimed) return undefined;
  delete unused.key;
  return made;
}

async function makeKey(parts: RotationParts, current: Described, signals: SignalOptions): Promise<Described> {
  const { calls, key } = parts;
  const template = await templateOf(parts, keyArn(key, current.KeyId), current, signals);
  const { KeyMetadata: metadata } = await calls.call('CreateKey', signals, (api, options) => api.createKey({ ...template }, options)).catch((error: unknown) => {
    if (!isKeyfoldError(error, 'KMS_UNAVAILABLE')) throw error;
    throw unfinished(error, 'A key may have been made to which no alias leads: look for it in AWS KMS, where it is unused and may be deleted.');
  });
  const keyId = keyIdBeside(key, metadata?.Arn);
  if (metadata === undefined || keyId === undefined) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS made a key in another account or region.');
  requireSymmetric(metadata);
  return { ...metadata, KeyId: keyId };
}

/** Moves the alias, and on to a still higher number if one came meanwhile: a slow rotation must not undo a later one. */
async function moveTo(parts: RotationParts, next: Described, signals: SignalOptions): Promise<KeyVersion> {
  const { calls, key, versions } = parts;
  const step = async <T>(run: () => Promise<T>): Promise<T> => afterChange(look(key.name), signals, run);
  let target = next;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const newer = await step(() => newerThan(parts, target, signals));
    if (newer === undefined && attempt > 0) return step(() => versions.currentOf(target, signals));
    target = newer ?? target;
    const alias = { AliasName: key.name, TargetKeyId: target.KeyId };
    await step(() => calls.call('UpdateAlias', signals, (api, options) => api.updateAlias(alias, options)));
  }
  throw new KeyfoldError('CONFLICT', `Others were rotating ${key.name} all the time. Look at currentKeyVersion().`);
}

async function newerThan(parts: RotationParts, { KeyId: keyId }: Described, signals: SignalOptions): Promise<Described | undefined> {
  const listing = await listAliases(parts.calls, parts.key, signals);
  const own = listing.numbered.find((alias) => alias.keyId === keyId)?.number;
  // A listing that lags behind does not know the number yet, nor a newer one of interest.
  return own === undefined ? undefined : findBegun(parts, listing, own, signals);
}

function refuseReplicas({ MultiRegionConfiguration: regions }: AwsKeyMetadata): void {
  if (regions?.MultiRegionKeyType !== 'REPLICA' && (regions?.ReplicaKeys ?? []).length === 0) return;
  throw new KeyfoldError(
    'INVALID_KEY_USAGE',
    'This multi-Region key has replicas, and the alias strategy would make a key in this region alone. Use { strategy: "on-demand" }, which AWS carries to every region.',
  );
}
