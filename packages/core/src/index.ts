/** For users, and for the stores that are built on core. */
export { systemClock, type Clock } from './clock.ts';
export { SecretBytes } from './crypto/secret-bytes.ts';
export { ERROR_CODES, KeyfoldError, isKeyfoldError, type ErrorCode } from './errors.ts';
export type { Normalisation } from './format/blind-index.ts';
export type { EncryptionContext } from './format/context.ts';
export { HIDDEN_PREFIX_LIMIT_BYTES, parseHiddenRecord, type ParsedHiddenRecord } from './format/hidden-name.ts';
export { KEY_RECORD_LIMITS, type WrappedKey } from './format/key-record.ts';
export { KeyCache, type KeyCacheOptions } from './keys/key-cache.ts';
export { GuardedKmsClient, type GuardOptions } from './kms/guarded-kms-client.ts';
export type { Jitter, KmsRetryOptions } from './kms/retry-policy.ts';
export type { Timers } from './kms/timers.ts';
export { openKms, type OpenKmsOptions } from './kms/url.ts';
export type { AuditAction, AuditEvent, AuditSink } from './ports/audit-sink.ts';
export { Auditor } from './ports/auditor.ts';
export type { KeyRecordStore, StoredKeyRecord } from './ports/key-record-store.ts';
export type { KeyVersion, KmsClient, KmsHealth, OpenKmsUrl } from './ports/kms-client.ts';
export { METRICS } from './ports/metric-names.ts';
export { Meter, type MetricLabels, type MetricsSink } from './ports/metrics-sink.ts';
export type { ByteRange, ObjectInfo, ObjectStore, OpenObject, OpenOptions, PreparedPut } from './ports/object-store.ts';
export { rewrapRecord, type RewrapOptions, type RewrapResult } from './rotation/rewrap-record.ts';
export { checkRange, rangeInvalid } from './sealing/byte-range.ts';
export { checkpointLength, openCheckpointData } from './sealing/checkpoint-opener.ts';
export { openCheckpointRange, type OpenedRange } from './sealing/checkpoint-range-opener.ts';
export { sealCheckpoint, type CheckpointSealer, type SealCheckpointOptions } from './sealing/seal-checkpoint.ts';
export { HiddenNames, NAME_KEY_CHECKPOINT, hiddenTenantName } from './sealing/hidden-names.ts';
export { keyPolicy, type KeyPolicy } from './sealing/key-policy.ts';
export { encodeMetadata, type CheckpointMetadata, type JsonValue } from './sealing/metadata.ts';
export {
  forgetCheckpointKey,
  inspectCheckpointRecord,
  openCheckpointRecord,
  type CheckpointIdentity,
  type OpenedKeyRecord,
} from './sealing/open-key-record.ts';
export type { OpenPart } from './sealing/object-parts.ts';
export { ALL_SUITES, GCM_SUITES, type SuiteName } from './sealing/suites.ts';
export type { RecordIdentity, VaultKeyIdentity } from './sealing/record-subject.ts';
export type { BlindIndex, BlindIndexPolicy } from './vault/blind-index.ts';
export { KeyVault, type VaultRecordInfo, type VaultUse } from './vault/key-vault.ts';
export type { ColumnPolicy, OpenedValue, RowOptions, SealedColumn } from './vault/sealed-column.ts';
export type { KeyVaultOptions } from './vault/vault-options.ts';
