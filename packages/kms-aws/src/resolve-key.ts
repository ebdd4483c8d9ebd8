import { KeyfoldError } from '@keyfold/core/provider';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import { isEveryRegion, isMultiRegionId, parseName, resolvedKey, type ParsedName, type ResolvedKey } from './key-name.ts';
import type { AwsKeyMetadata, AwsKmsApi } from './sdk.ts';

/** What {@link resolveKey} is told. */
export interface ResolveRequest {
  readonly name: ParsedName;
  readonly api: AwsKmsApi;
  readonly calls: KmsCalls;
  /** Whether the identity is that of all regions; undefined: as the key is. */
  readonly multiRegion: boolean | undefined;
}

/**
 * Finds what the configured name stands for. A key's ARN says everything by
 * itself, so a service that is down does not keep a process from starting;
 * anything else is asked of AWS, once.
 * @throws KeyfoldError CONFIG_INVALID, INVALID_KEY_USAGE, and what DescribeKey gives
 */
export async function resolveKey(request: ResolveRequest, signals: SignalOptions = {}): Promise<ResolvedKey> {
  const { name, multiRegion } = request;
  const region = await clientRegion(request.api);
  if (name.home === undefined) return describeAndResolve(request, region, signals);
  const everywhere = isEveryRegion(name.home.region);
  if (!everywhere && region !== undefined && region !== name.home.region) throw otherRegion(name.home.region, region);
  const here = everywhere ? region : name.home.region;
  if (here === undefined) throw new KeyfoldError('CONFIG_INVALID', 'keyId names every region; pass the region of this client, too.');
  if (everywhere && multiRegion === false) throw new KeyfoldError('CONFIG_INVALID', 'keyId names every region, which contradicts multiRegion: false.');
  const home = { ...name.home, region: here };
  if (name.kind === 'key') return resolvedKey(name, home, decideMultiRegion(name.name, everywhere ? true : multiRegion));
  if (everywhere) return resolvedKey(name, home, true);
  return multiRegion === undefined ? describeAndResolve(request, region, signals) : resolvedKey(name, home, multiRegion);
}

async function describeAndResolve({ name, calls, multiRegion }: ResolveRequest, region: string | undefined, signals: SignalOptions): Promise<ResolvedKey> {
  const asked = name.home === undefined ? name.name : `arn:${name.home.partition}:kms:${name.home.region}:${name.home.account}:${name.name}`;
  const { KeyMetadata: metadata } = await calls.call('DescribeKey', signals, (api, options) => api.describeKey({ KeyId: asked }, options));
  requireSymmetric(metadata);
  const target = metadata?.Arn === undefined ? undefined : parseName(metadata.Arn);
  if (target?.kind !== 'key' || target.home === undefined || !isExpected(target, name, region)) {
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS described another key than it was asked for.');
  }
  // An alias is in the account and region of its key.
  return resolvedKey(name.kind === 'key' ? target : name, target.home, decideMultiRegion(target.name, multiRegion));
}

function isExpected(target: ParsedName, asked: ParsedName, region: string | undefined): boolean {
  if (asked.kind === 'key' && target.name !== asked.name) return false;
  if (asked.home === undefined) return region === undefined || target.home?.region === region;
  return target.home?.region === asked.home.region && target.home.account === asked.home.account;
}

function decideMultiRegion(keyId: string, wanted: boolean | undefined): boolean {
  const is = isMultiRegionId(keyId);
  if (wanted === true && !is) throw new KeyfoldError('CONFIG_INVALID', 'This is no multi-Region key (their ids begin with "mrk-"); its records cannot be read in other regions.');
  return wanted ?? is;
}

/** @throws KeyfoldError INVALID_KEY_USAGE for keys that sign, or RSA ones, which make no data keys */
export function requireSymmetric(metadata: AwsKeyMetadata | undefined): void {
  const { KeySpec: spec = 'SYMMETRIC_DEFAULT', KeyUsage: usage = 'ENCRYPT_DECRYPT' } = metadata ?? {};
  if (spec !== 'SYMMETRIC_DEFAULT' || usage !== 'ENCRYPT_DECRYPT') {
    throw new KeyfoldError('INVALID_KEY_USAGE', `A key of AWS KMS for Keyfold is a symmetric encryption key (SYMMETRIC_DEFAULT); this one is ${spec} for ${usage}.`);
  }
}

/** The region of the client, however it came to it; undefined when it does not say. */
async function clientRegion(api: AwsKmsApi): Promise<string | undefined> {
  const region = api.config?.region;
  try {
    return typeof region === 'function' ? await region() : region;
  } catch (error) {
    throw new KeyfoldError('CONFIG_INVALID', 'No AWS region is configured: pass region, a key ARN, or set AWS_REGION.', { cause: error });
  }
}

function otherRegion(named: string, region: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `keyId is of the region ${named}, but the client is of ${region}. Name the key, or the multi-Region key's replica, of the client's region.`);
}
