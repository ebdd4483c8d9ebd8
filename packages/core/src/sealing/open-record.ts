import { type KeyObject, createHash } from 'node:crypto';
import { toBase64Url } from '../bytes.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';
import { type EncryptionContext, encodeWrapContext, wrapContext } from '../format/context.ts';
import { type KeyRecord, type ParsedKeyRecord, parseKeyRecord } from '../format/key-record.ts';
import { MalformedError } from '../format/reader.ts';
import { type KeyCache, type KeyLease, keyIdentity } from '../keys/key-cache.ts';
import type { KmsClient, WrappedKey } from '../ports/kms-client.ts';
import { type KeyPolicy, acceptedWraps, clientFor, policyIdentity } from './key-policy.ts';
import { verifyKeyRecord } from './record-mac.ts';
import { type RecordSubject, damaged } from './record-subject.ts';

export interface OpenKeyRecordOptions {
  readonly policy: KeyPolicy;
  readonly cache: KeyCache;
  readonly signal?: AbortSignal | undefined;
}

/** A key record whose MAC and subject are verified. Release it when done. */
export interface OpenedRecord<Vouched> {
  readonly parsed: ParsedKeyRecord;
  /** What its DEK vouches for besides. */
  readonly vouched: Vouched;
  /** The wrap that was opened. */
  readonly wrap: WrappedKey;
  readonly dek: KeyObject;
  readonly lease: KeyLease;
}

/**
 * Opens a key record of any use: accepted keys only, unwrap, MAC, and then what
 * its subject asks for.
 * @throws KeyfoldError KEY_NOT_ALLOWED when no wrap is by an accepted key (none is contacted),
 *   INTEGRITY_FAILURE when anything does not authenticate, and what the KMS gives
 */
export async function openRecord<Vouched>(
  bytes: Uint8Array,
  subject: RecordSubject<Vouched>,
  options: OpenKeyRecordOptions,
): Promise<OpenedRecord<Vouched>> {
  // A copy: what is verified after the KMS was asked must be what was parsed before.
  const parsed = inspectKeyRecord(new Uint8Array(bytes));
  if (parsed === undefined || !subject.admits(parsed, options.policy)) throw damaged(subject);
  const candidates = acceptedWraps(options.policy, parsed.record.wraps);
  if (candidates.length === 0) throw notAllowed(subject);
  let unavailable: unknown;
  for (const { client, wrap } of candidates) {
    try {
      return await openWith(client, wrap, parsed, subject, options);
    } catch (error) {
      // Only an outage leads to the next wrap; a wrong answer never does.
      if (!isKeyfoldError(error, 'KMS_UNAVAILABLE')) throw error;
      unavailable = error;
    }
  }
  throw unavailable;
}

/** What a record says of itself without any key, or undefined when it is none. Nobody vouches for it. */
export function inspectKeyRecord(bytes: Uint8Array): ParsedKeyRecord | undefined {
  try {
    return parseKeyRecord(bytes);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

async function openWith<Vouched>(
  client: KmsClient,
  wrap: WrappedKey,
  parsed: ParsedKeyRecord,
  subject: RecordSubject<Vouched>,
  options: OpenKeyRecordOptions,
): Promise<OpenedRecord<Vouched>> {
  const { record } = parsed;
  const context = wrapContext(subject.use, subject.tenant, subject.scope, record.dekId);
  const cached = cachedAs(wrap, record, context, options.policy);
  const refused = refusedAs(cached, parsed);
  const lease = await options.cache.acquire(
    cached,
    () => {
      if (clientFor(options.policy, wrap) === undefined) throw notAllowed(subject);
      options.cache.checkRecord(refused);
    },
    () => unwrap(client, wrap, context, subject),
    options.signal,
  );
  try {
    const dek = lease.key.toKeyObject();
    const vouched = verifyKeyRecord(dek, parsed) ? subject.vouched(dek, record) : undefined;
    if (vouched === undefined) {
      // The KMS gave a key, and it is not this record's: keep nothing of it.
      options.cache.evict(cached);
      const refusal = damaged(subject);
      options.cache.refuseRecord(refused, refusal, lease);
      throw refusal;
    }
    return { parsed, vouched, wrap, dek, lease };
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

/**
 * Everything that decides whether an unwrapped DEK vouches for a record: what
 * decided the unwrap, and the record's own bytes, without the data behind them.
 */
function refusedAs(cached: string, { body, mac }: ParsedKeyRecord): string {
  return createHash('sha256').update(keyIdentity([cached])).update(body).update(mac).digest('base64url');
}

/** Forgets the DEK of a record that went: put back, it must not open without the KMS. */
export function forgetKey(
  record: KeyRecord,
  subject: RecordSubject<unknown>,
  { policy, cache }: Pick<OpenKeyRecordOptions, 'policy' | 'cache'>,
): void {
  const context = wrapContext(subject.use, subject.tenant, subject.scope, record.dekId);
  for (const { wrap } of acceptedWraps(policy, record.wraps)) cache.evict(cachedAs(wrap, record, context, policy));
}

async function unwrap(
  client: KmsClient,
  wrap: WrappedKey,
  context: EncryptionContext,
  subject: RecordSubject<unknown>,
): Promise<SecretBytes> {
  try {
    return SecretBytes.adopt(await client.decrypt(wrap, { context }));
  } catch (error) {
    // To the KMS a damaged wrap, another tenant's and another checkpoint's look alike; so they do to the caller.
    throw isKeyfoldError(error, 'INVALID_CIPHERTEXT') ? damaged(subject) : error;
  }
}

function notAllowed({ noun, name }: RecordSubject<unknown>): KeyfoldError {
  return new KeyfoldError(
    'KEY_NOT_ALLOWED',
    `The key of the ${noun} ${JSON.stringify(name)} is wrapped only by keys that this reader does not accept. ` +
      'If the wrapping key is yours, add its KmsClient to the configuration; no key was contacted.',
  );
}
