import { KeyfoldError, isKeyfoldError, type KeyVersion } from '@keyfold/core/provider';
import { keyArn } from '../key-name.ts';
import { describeKey } from '../key-versions.ts';
import type { SignalOptions } from '../kms-calls.ts';
import type { RotationParts } from './parts.ts';
import { wait } from './wait.ts';

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
  for (let waited = 0; waited < timeoutMs; waited += pollMs) {
    // Status first: material that became current before the look at the key is seen by it.
    if (!(await isUnderWay(parts, arn, signals))) {
      const after = await describeKey(calls, key, arn, signals);
      if (after.CurrentKeyMaterialId === undefined || after.CurrentKeyMaterialId !== before.CurrentKeyMaterialId) return versions.currentOf(after, signals);
    }
    await wait(pollMs, signals);
  }
  throw new KeyfoldError('KMS_UNAVAILABLE', `AWS KMS has not ended the rotation within ${timeoutMs} ms. It goes on by itself; look at currentKeyVersion() before you rotate again.`);
}

async function isUnderWay({ calls }: RotationParts, arn: string, signals: SignalOptions): Promise<boolean> {
  const status = await calls.call('GetKeyRotationStatus', signals, (api, options) => api.getKeyRotationStatus({ KeyId: arn }, options));
  return status.OnDemandRotationStartDate !== undefined;
}

async function start(parts: RotationParts, arn: string, signals: SignalOptions): Promise<void> {
  try {
    await parts.calls.call('RotateKeyOnDemand', signals, (api, options) => api.rotateKeyOnDemand({ KeyId: arn }, options));
  } catch (error) {
    // Somebody else's may have begun between the look and the call.
    if (isKeyfoldError(error, 'CONFLICT') && (await isUnderWay(parts, arn, signals))) return;
    throw error;
  }
}

function requirePrimaryRegion(multiRegion: { readonly MultiRegionKeyType?: string | undefined; readonly PrimaryKey?: { readonly Region?: string | undefined } | undefined } | undefined): void {
  if (multiRegion?.MultiRegionKeyType !== 'REPLICA') return;
  throw new KeyfoldError('INVALID_KEY_USAGE', `This is a replica of a multi-Region key. Rotate it in the region of its primary key, ${multiRegion.PrimaryKey?.Region ?? 'another one'}: AWS brings the new material here.`);
}
