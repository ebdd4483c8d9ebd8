import { createHash, type KeyObject } from 'node:crypto';
import { constantTimeEqual, toHex } from '../bytes.ts';
import { type KeyfoldError, integrityFailure } from '../errors.ts';
import { type KeyUse, checkpointContext, encodeWrapContext, wrapContext } from '../format/context.ts';
import type { KeyRecord, ParsedKeyRecord } from '../format/key-record.ts';
import type { KeyPolicy } from './key-policy.ts';
import { type CheckpointMetadata, openMetadata } from './metadata.ts';
import { acceptedSuite } from './suites.ts';

/** Whose record the reader expects; never taken from the record. */
export interface CheckpointIdentity {
  readonly tenant: string;
  readonly checkpoint: string;
}

/** Which of a vault's keys the reader expects; never taken from the record. */
export interface VaultKeyIdentity {
  readonly use: Exclude<KeyUse, 'checkpoint'>;
  readonly tenant: string;
  readonly scope: string;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
}

/** Which record the reader expects: a checkpoint's, or one of a vault's. */
export type RecordIdentity = CheckpointIdentity | VaultKeyIdentity;

/** What the ways to open and to rewrap a record need to know of what it is for. */
export interface RecordSubject<Vouched> {
  readonly use: KeyUse;
  readonly tenant: string;
  /** The wrap context's scope. */
  readonly scope: string;
  /** For sentences: `checkpoint`, and its name. */
  readonly noun: string;
  readonly name: string;
  /** Whether the reader takes such a record at all; asked before any key is used. */
  admits(parsed: ParsedKeyRecord, policy: KeyPolicy): boolean;
  /** What the DEK vouches for besides the record's MAC, which is verified; undefined when it does not. */
  vouched(dek: KeyObject, record: KeyRecord): Vouched | undefined;
}

/** @throws KeyfoldError INVALID_ARGUMENT, when used, for a tenant or id outside its limits */
export function checkpointSubject({ tenant, checkpoint }: CheckpointIdentity): RecordSubject<CheckpointMetadata> {
  return {
    use: 'checkpoint',
    tenant,
    scope: checkpoint,
    noun: 'checkpoint',
    name: checkpoint,
    admits: ({ record }, policy) => record.use === 'checkpoint' && acceptedSuite(record.suite, policy.suites) !== undefined,
    // The metadata's commitment binds tenant and checkpoint.
    vouched: (dek, record) => openMetadata(dek, record, checkpointContext(tenant, checkpoint)),
  };
}

/** @throws KeyfoldError INVALID_ARGUMENT for a tenant, scope or id outside its limits */
export function vaultKeySubject(identity: VaultKeyIdentity): RecordSubject<true> {
  const { use, tenant, scope, dekId } = identity;
  const binding = vaultKeyBinding(identity);
  return {
    use,
    tenant,
    scope,
    noun: 'data key',
    name: toHex(dekId),
    // A foreign binding is refused without a call to the KMS, and nothing may follow such a record.
    admits: ({ record, rest }) =>
      rest.byteLength === 0 &&
      record.use === use &&
      constantTimeEqual(record.dekId, dekId) &&
      constantTimeEqual(record.binding, binding),
    // The MAC covers the binding, and that is of this tenant, scope, use and DEK id.
    vouched: () => true,
  };
}

/** What a vault's record is bound to: SHA-256 of the encoded wrap context. */
export function vaultKeyBinding({ use, tenant, scope, dekId }: VaultKeyIdentity): Uint8Array {
  return createHash('sha256').update(encodeWrapContext(wrapContext(use, tenant, scope, dekId))).digest();
}

export function subjectOf(identity: RecordIdentity): RecordSubject<unknown> {
  return 'checkpoint' in identity ? checkpointSubject(identity) : vaultKeySubject(identity);
}

/** The one error for a record that does not open, whichever check failed. */
export function damaged({ noun, name }: Pick<RecordSubject<unknown>, 'noun' | 'name'>): KeyfoldError {
  return integrityFailure(`The ${noun} ${JSON.stringify(name)}`);
}
