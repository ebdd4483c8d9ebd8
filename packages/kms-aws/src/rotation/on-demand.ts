import { KeyfoldError, isKeyfoldError, type KeyVersion } from '@keyfold/core/provider';
import { keyArn } from '../key-name.ts';
import { describeKey } from '../key-versions.ts';
import type { SignalOptions } from '../kms-calls.ts';
import type { AwsKeyMetadata } from '../sdk.ts';
import { afterChange, unfinished } from './after-change.ts';
import type { RotationParts } from './parts.ts';
import { wait } from './wait.ts';

type Described = AwsKeyMetadata & { readonly KeyId: string };

/** Looks in a row that may go unanswered; each may take as long as a request. */
const SILENT_LOOKS = 5;
/** One of 25 may be used up. */
const LOOK = 'The key may have been rotated: look at currentKeyVersion() before you rotate again.';

/**
 * New key material in the same key. AWS does it in the background, and counts 25
 * for a key's life, so one that is under way is waited for and not doubled.
 */
export async function rotateOnDemand(
  parts: RotationParts,
  { timeoutMs, pollMs }: { readonly timeoutMs: number; readonly pollMs: number },
  signals: SignalOptions,
): Promise<KeyVersion> {
  const { calls, key, versions } = parts;
  const before = await describeKey(calls, key, key.arn, signals);
  const arn = keyArn(key, before.KeyId);
  requirePrimaryRegion(before.MultiRegionConfiguration);
  if (!(await isUnderWay(parts, arn, signals))) await start(parts, arn, signals);
  const patience = { left: SILENT_LOOKS };
  for (let waited = 0; waited < timeoutMs; waited += pollMs) {
    const after = await patientLook(patience, () => ended(parts, arn, before, signals));
    if (after !== undefined) return afterChange(LOOK, signals, () => versions.currentOf(after, signals));
    await wait(pollMs, signals);
  }
  throw new KeyfoldError('KMS_UNAVAILABLE', `AWS KMS has not told the end of the rotation within ${timeoutMs} ms. It goes on by itself. ${LOOK}`);
}

/** The key with its new material, or undefined while AWS has not made it. */
async function ended(parts: RotationParts, arn: string, before: Described, signals: SignalOptions): Promise<Described | undefined> {
  // Status first: material that became current before the look at the key is seen by it.
  if (await isUnderWay(parts, arn, signals)) return undefined;
  const after = await describeKey(parts.calls, parts.key, arn, signals);
  return after.CurrentKeyMaterialId === undefined || after.CurrentKeyMaterialId !== before.CurrentKeyMaterialId ? after : undefined;
}

/** A look changes nothing: one that is throttled is simply made again at its next turn, and one without an answer a few times. */
async function patientLook<T>(patience: { left: number }, look: () => Promise<T>): Promise<T | undefined> {
  try {
    const seen = await look();
    patience.left = SILENT_LOOKS;
    return seen;
  } catch (error) {
    if (isKeyfoldError(error, 'KMS_THROTTLED')) return undefined;
    if (!isKeyfoldError(error, 'KMS_UNAVAILABLE')) throw error;
    if (patience.left === 0) throw unfinished(error, LOOK);
    patience.left--;
    return undefined;
  }
}

async function isUnderWay({ calls }: RotationParts, arn: string, signals: SignalOptions): Promise<boolean> {
  const status = await calls.call('GetKeyRotationStatus', signals, (api, options) => api.getKeyRotationStatus({ KeyId: arn }, options));
  return status.OnDemandRotationStartDate !== undefined;
}

async function start(parts: RotationParts, arn: string, signals: SignalOptions): Promise<void> {
  try {
    await parts.calls.call('RotateKeyOnDemand', signals, (api, options) => api.rotateKeyOnDemand({ KeyId: arn }, options));
  } catch (error) {
    if (isKeyfoldError(error, 'KMS_UNAVAILABLE')) throw unfinished(error, LOOK);
    // Somebody else's may have begun between the look and the call.
    if (isKeyfoldError(error, 'CONFLICT') && (await afterChange(LOOK, signals, () => isUnderWay(parts, arn, signals)))) return;
    throw error;
  }
}

function requirePrimaryRegion(multiRegion: { readonly MultiRegionKeyType?: string | undefined; readonly PrimaryKey?: { readonly Region?: string | undefined } | undefined } | undefined): void {
  if (multiRegion?.MultiRegionKeyType !== 'REPLICA') return;
  throw new KeyfoldError('INVALID_KEY_USAGE', `This is a replica of a multi-Region key. Rotate it in the region of its primary key, ${multiRegion.PrimaryKey?.Region ?? 'another one'}: AWS brings the new material here.`);
}
