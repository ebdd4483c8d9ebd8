export type {
  CallOptions,
  CheckpointData,
  CheckpointStore,
  LoadOptions,
  LoadStreamOptions,
  SaveOptions,
} from './checkpoint-store.ts';
export {
  EncryptedCheckpointStore,
  type EncryptedLoadOptions,
  type EncryptedLoadStreamOptions,
  type EncryptedReadMetadataOptions,
} from './encrypted/encrypted-checkpoint-store.ts';
export type { EncryptionConfig, KeyRotationConfig } from './encrypted/encryption-config.ts';
export type { GcOptions, GcReport } from './encrypted/gc-options.ts';
export type { KeyStatus } from './encrypted/key-age.ts';
export type { EncryptedCheckpointStoreOptions } from './encrypted/options.ts';
export type { CheckpointReceipt } from './encrypted/receipt.ts';
export type { VerifyFinding, VerifyOptions, VerifyProgress, VerifyStatus } from './encrypted/verify-options.ts';
export type { MigratePlaintextOptions, MigrationOutcome, MigrationReport, MigrationStep } from './migration/migrate-options.ts';
export { migratePlaintext } from './migration/migrate-plaintext.ts';
export { FileSystemObjectStore } from './object-stores/file-system-object-store.ts';
export { MemoryObjectStore } from './object-stores/memory-object-store.ts';
export { PLAINTEXT_ACKNOWLEDGEMENT, openCheckpointStore, type OpenCheckpointStoreOptions } from './plain/open-checkpoint-store.ts';
export { PlainCheckpointStore, type PlainReceipt } from './plain/plain-checkpoint-store.ts';
export { fromCheckpointStore, type FromCheckpointStoreOptions } from './user-store/from-checkpoint-store.ts';
export type { UserCheckpointStore } from './user-store/user-checkpoint-store.ts';
