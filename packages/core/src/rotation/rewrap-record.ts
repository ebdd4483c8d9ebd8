import { concatBytes, constantTimeEqual } from '../bytes.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { type EncryptionContext, wrapContext } from '../format/context.ts';
import { KEY_RECORD_LIMITS, type KeyRecord, parseKeyRecord, sameKek } from '../format/key-record.ts';
import type { KeyCache } from '../keys/key-cache.ts';
import type { KeyRecordStore, StoredKeyRecord } from '../ports/key-record-store.ts';
import type { KeyVersion, KmsClient, WrappedKey } from '../ports/kms-client.ts';
import { type KeyPolicy, clientFor, sameKey } from '../sealing/key-policy.ts';
import { type OpenedRecord, forgetKey, openRecord } from '../sealing/open-record.ts';
import { signKeyRecord } from '../sealing/record-mac.ts';
import { type RecordIdentity, type RecordSubject, damaged, subjectOf } from '../sealing/record-subject.ts';

/** Which record is wrapped anew, and by which keys. */
export interface RewrapOptions {
  readonly records: KeyRecordStore;
  /** The record's key in that store. */
  readonly key: string;
  /** What the record must be of: a checkpoint, or one of a vault's keys. */
  readonly identity: RecordIdentity;
  /** What may unwrap; wraps by these keys are replaced. */
  readonly policy: KeyPolicy;
  /** What wraps from now on; one of the policy's clients. */
  readonly target: KmsClient;
  /** The target's primary version, if the caller knows it already (one call for many records). */
  readonly targetVersion?: KeyVersion;
  readonly cache: KeyCache;
  readonly signal?: AbortSignal | undefined;
}

/** What a rewrap did. */
export interface RewrapResult {
  /** `unchanged`: the target's primary version was the only accepted wrap already, and it opens. */
  readonly outcome: 'rewrapped' | 'unchanged';
  readonly generation: number;
  readonly dekId: Uint8Array;
  /** The wraps that went. */
  readonly removed: readonly Omit<WrappedKey, 'ciphertext'>[];
  /** The wrap that stays. */
  readonly wrap: Omit<WrappedKey, 'ciphertext'>;
}

/**
 * Wraps the DEK of a checkpoint or a vault anew and leaves its data alone. The new wrap is
 * opened by the KMS before it is written, written beside the old one, and read
 * back before the old one goes: a crash at any point leaves a record that
 * opens, and running it again ends what was begun.
 * @throws KeyfoldError INVALID_ARGUMENT (the policy would not open what the target wraps), NOT_FOUND, CONFLICT (somebody else replaced or deleted the record; it is as they left it),
 *   LIMIT_EXCEEDED (no room for another wrap), INTEGRITY_FAILURE, KEY_NOT_ALLOWED, and what KMS and store give
 */
export async function rewrapRecord(options: RewrapOptions): Promise<RewrapResult> {
  if (clientFor(options.policy, options.target) === undefined) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The target of a rewrap must be one of the policy\'s keys: the record would not open any more.');
  }
  const read = await readRecord(options);
  try {
    const { record } = read.opened.parsed;
    const { use, tenant, scope } = read.subject;
    const context = wrapContext(use, tenant, scope, record.dekId);
    const version = options.targetVersion ?? (await options.target.currentKeyVersion({ signal: options.signal }));
    const present = record.wraps.find((wrap) => isTarget(wrap, options.target, version));
    if (present !== undefined) await confirmWrap(options, read, present, context);
    const result = present === undefined ? await addThenRemove(options, read, context) : await removeOthers(options, read, present);
    // A wrap that went must not go on opening its record, put back, out of the cache.
    if (result.outcome === 'rewrapped') forgetKey(record, read.subject, options);
    return result;
  } finally {
    read.opened.lease.release();
  }
}

interface ReadRecord {
  readonly subject: RecordSubject<unknown>;
  readonly stored: StoredKeyRecord;
  readonly opened: OpenedRecord<unknown>;
}

async function readRecord(options: RewrapOptions): Promise<ReadRecord> {
  const { records, key, policy, cache, signal } = options;
  const subject = subjectOf(options.identity);
  const stored = await records.get(key, { signal });
  if (stored === undefined) throw notFound(subject);
  return { subject, stored, opened: await openRecord(stored.bytes, subject, { policy, cache, signal }) };
}

/** Both wraps in one generation, read back, then the old one gone in the next. */
async function addThenRemove(options: RewrapOptions, before: ReadRecord, context: EncryptionContext): Promise<RewrapResult> {
  const { record } = before.opened.parsed;
  const added = await before.opened.lease.key.expose((dek) =>
    options.target.encrypt(dek, { context, signal: options.signal }),
  );
  // A name that is not the target's would lead readers elsewhere.
  if (!sameKey(added, options.target)) {
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${options.target.provider} KMS wrapped under another key than the configured one.`);
  }
  // A wrap that gives another key must not reach the record: readers may try it first.
  await confirmWrap(options, before, added, context);
  // A KMS without versions may wrap under the version that is there already: then the new wrap takes its place.
  const kept = record.wraps.filter((wrap) => !sameKek(wrap, added));
  if (kept.length >= KEY_RECORD_LIMITS.wraps) {
    throw new KeyfoldError('LIMIT_EXCEEDED', `The key record of ${JSON.stringify(before.subject.name)} has ${kept.length} wraps and cannot take another.`);
  }
  const written = await swap(options, before, [...kept, added]);
  const stored = await options.records.get(options.key, { signal: options.signal });
  if (stored === undefined || !constantTimeEqual(stored.bytes, written)) throw conflict(before.subject);
  const after = { subject: before.subject, stored, opened: { ...before.opened, parsed: parseKeyRecord(stored.bytes) } };
  return { ...(await removeOthers(options, after, added)), outcome: 'rewrapped' };
}

/** Asks the KMS itself, past every cache, whether a wrap gives the record's DEK. */
async function confirmWrap(options: RewrapOptions, read: ReadRecord, wrap: WrappedKey, context: EncryptionContext): Promise<void> {
  const unwrapped = SecretBytes.adopt(await options.target.decrypt(wrap, { context, signal: options.signal }));
  try {
    if (!unwrapped.equals(read.opened.lease.key)) {
      throw damaged({ ...read.subject, noun: `new wrap of the ${read.subject.noun}` });
    }
  } finally {
    unwrapped.dispose();
  }
}

/** Drops every other wrap by the policy's keys; wraps by keys outside the policy are not this reader's to drop. */
async function removeOthers(options: RewrapOptions, read: ReadRecord, wrap: WrappedKey): Promise<RewrapResult> {
  const { record } = read.opened.parsed;
  const removed = record.wraps.filter((other) => !sameKek(other, wrap) && clientFor(options.policy, other) !== undefined);
  const result = { dekId: record.dekId, removed: removed.map(nameOf), wrap: nameOf(wrap) };
  if (removed.length === 0) return { ...result, outcome: 'unchanged', generation: record.generation };
  await swap(options, read, record.wraps.filter((other) => !removed.includes(other)));
  return { ...result, outcome: 'rewrapped', generation: record.generation + 1 };
}

/** The next generation: other wraps, everything else byte for byte, what follows the record included. */
async function swap(options: RewrapOptions, read: ReadRecord, wraps: readonly WrappedKey[]): Promise<Uint8Array> {
  const { record, rest } = read.opened.parsed;
  const next: KeyRecord = { ...record, generation: record.generation + 1, wraps };
  const bytes = concatBytes(signKeyRecord(read.opened.dek, next), rest);
  await options.records.compareAndSwap(options.key, read.stored.version, bytes, { signal: options.signal });
  return bytes;
}

function isTarget(wrap: WrappedKey, target: KmsClient, version: KeyVersion): boolean {
  // A version that the KMS does not tell is never known to be the primary one.
  return version.id !== '' && wrap.provider === target.provider && wrap.keyId === target.keyId && wrap.keyVersion === version.id;
}

function nameOf({ provider, keyId, keyVersion, algorithm }: WrappedKey): Omit<WrappedKey, 'ciphertext'> {
  return { provider, keyId, keyVersion, algorithm };
}

function notFound({ noun, name }: RecordSubject<unknown>): KeyfoldError {
  return new KeyfoldError('NOT_FOUND', `There is no ${noun} ${JSON.stringify(name)}.`);
}

function conflict({ name }: RecordSubject<unknown>): KeyfoldError {
  return new KeyfoldError('CONFLICT', `The key record of ${JSON.stringify(name)} was replaced meanwhile. Read it again and retry.`);
}
