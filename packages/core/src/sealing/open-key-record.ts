import type { KeyObject } from 'node:crypto';
import { toBase64Url } from '../bytes.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { KeyfoldError, integrityFailure, isKeyfoldError } from '../errors.ts';
import { type EncryptionContext, checkpointContext, encodeWrapContext, wrapContext } from '../format/context.ts';
import { type KeyRecord, type ParsedKeyRecord, parseKeyRecord } from '../format/key-record.ts';
import { MalformedError } from '../format/reader.ts';
import { type KeyCache, type KeyLease, keyIdentity } from '../keys/key-cache.ts';
import type { KmsClient, WrappedKey } from '../ports/kms-client.ts';
import { type KeyPolicy, acceptedWraps, clientFor, policyIdentity } from './key-policy.ts';
import { type CheckpointMetadata, openMetadata } from './metadata.ts';
import { verifyKeyRecord } from './record-mac.ts';
import { acceptedSuite } from './suites.ts';

/** Whose record the reader expects; never taken from the record. */
export interface CheckpointIdentity {
  readonly tenant: string;
  readonly checkpoint: string;
}

export interface OpenKeyRecordOptions {
  readonly policy: KeyPolicy;
  readonly cache: KeyCache;
  readonly signal?: AbortSignal | undefined;
}

/** A checkpoint's key record whose MAC and identity are verified. Release it when done. */
export interface OpenedKeyRecord {
  readonly parsed: ParsedKeyRecord;
  readonly metadata: CheckpointMetadata;
  /** The wrap that was opened. */
  readonly wrap: WrappedKey;
  readonly dek: KeyObject;
  readonly lease: KeyLease;
}

/**
 * Opens a checkpoint's key record: accepted keys only, unwrap, MAC, and the
 * metadata's commitment, which binds tenant and checkpoint.
 * @throws KeyfoldError KEY_NOT_ALLOWED when no wrap is by an accepted key (none is contacted),
 *   INTEGRITY_FAILURE when anything does not authenticate, and what the KMS gives
 */
export async function openCheckpointRecord(
  bytes: Uint8Array,
  identity: CheckpointIdentity,
  options: OpenKeyRecordOptions,
): Promise<OpenedKeyRecord> {
  // A copy: what is verified after the KMS was asked must be what was parsed before.
  const parsed = parseCheckpointRecord(new Uint8Array(bytes), identity, options.policy);
  const candidates = acceptedWraps(options.policy, parsed.record.wraps);
  if (candidates.length === 0) throw notAllowed(identity);
  let unavailable: unknown;
  for (const { client, wrap } of candidates) {
    try {
      return await openWith(client, wrap, parsed, identity, options);
    } catch (error) {
      // Only an outage leads to the next wrap; a wrong answer never does.
      if (!isKeyfoldError(error, 'KMS_UNAVAILABLE')) throw error;
      unavailable = error;
    }
  }
  throw unavailable;
}

/** Takes a checkpoint's record apart and refuses what this reader does not accept, before any key is used. */
function parseCheckpointRecord(bytes: Uint8Array, identity: CheckpointIdentity, policy: KeyPolicy): ParsedKeyRecord {
  const parsed = inspectCheckpointRecord(bytes, identity.checkpoint);
  if (acceptedSuite(parsed.record.suite, policy.suites) === undefined) throw damaged(identity);
  return parsed;
}

async function openWith(
  client: KmsClient,
  wrap: WrappedKey,
  parsed: ParsedKeyRecord,
  identity: CheckpointIdentity,
  options: OpenKeyRecordOptions,
): Promise<OpenedKeyRecord> {
  const context = wrapContext('checkpoint', identity.tenant, identity.checkpoint, parsed.record.dekId);
  const cached = cachedAs(wrap, parsed.record, context, options.policy);
  const lease = await options.cache.acquire(
    cached,
    () => {
      if (clientFor(options.policy, wrap) === undefined) throw notAllowed(identity);
    },
    () => unwrap(client, wrap, context, identity),
    options.signal,
  );
  try {
    const dek = lease.key.toKeyObject();
    const metadata = verifyRecord(dek, parsed, identity);
    if (metadata === undefined) {
      // The KMS gave a key, and it is not this record's: keep nothing of it.
      options.cache.evict(cached);
      throw damaged(identity);
    }
    return { parsed, metadata, wrap, dek, lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** Everything that decides an unwrap and whether its result may be used. */
function cachedAs(wrap: WrappedKey, record: KeyRecord, context: EncryptionContext, policy: KeyPolicy): string {
  return keyIdentity([
    wrap.provider, wrap.keyId, wrap.keyVersion, wrap.algorithm, toBase64Url(wrap.ciphertext),
    toBase64Url(encodeWrapContext(context)), String(record.suite), policyIdentity(policy),
  ]);
}

/** Forgets the DEK of a record that was deleted: put back, it must not open without the KMS. */
export function forgetCheckpointKey(
  record: KeyRecord,
  identity: CheckpointIdentity,
  { policy, cache }: Pick<OpenKeyRecordOptions, 'policy' | 'cache'>,
): void {
  const context = wrapContext('checkpoint', identity.tenant, identity.checkpoint, record.dekId);
  for (const { wrap } of acceptedWraps(policy, record.wraps)) cache.evict(cachedAs(wrap, record, context, policy));
}

async function unwrap(
  client: KmsClient,
  wrap: WrappedKey,
  context: EncryptionContext,
  identity: CheckpointIdentity,
): Promise<SecretBytes> {
  try {
    return SecretBytes.adopt(await client.decrypt(wrap, { context }));
  } catch (error) {
    // To the KMS a damaged wrap, another tenant's and another checkpoint's look alike; so they do to the caller.
    throw isKeyfoldError(error, 'INVALID_CIPHERTEXT') ? damaged(identity) : error;
  }
}

/**
 * What a record says of itself without any key: for listings and for choosing a
 * generation. Nobody vouches for it.
 * @throws KeyfoldError INTEGRITY_FAILURE when it is no checkpoint's record
 */
export function inspectCheckpointRecord(bytes: Uint8Array, checkpoint: string): ParsedKeyRecord {
  try {
    const parsed = parseKeyRecord(bytes);
    if (parsed.record.use === 'checkpoint') return parsed;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  throw integrityFailure(`The checkpoint ${JSON.stringify(checkpoint)}`);
}

/** The metadata, if record and identity are what the DEK vouches for. */
function verifyRecord(dek: KeyObject, parsed: ParsedKeyRecord, identity: CheckpointIdentity): CheckpointMetadata | undefined {
  if (!verifyKeyRecord(dek, parsed)) return undefined;
  return openMetadata(dek, parsed.record, checkpointContext(identity.tenant, identity.checkpoint));
}

function damaged(identity: CheckpointIdentity): KeyfoldError {
  return integrityFailure(`The checkpoint ${JSON.stringify(identity.checkpoint)}`);
}

function notAllowed(identity: CheckpointIdentity): KeyfoldError {
  return new KeyfoldError(
    'KEY_NOT_ALLOWED',
    `The key of the checkpoint ${JSON.stringify(identity.checkpoint)} is wrapped only by keys that this reader does not accept. ` +
      'If the wrapping key is yours, add its KmsClient to the configuration; no key was contacted.',
  );
}
