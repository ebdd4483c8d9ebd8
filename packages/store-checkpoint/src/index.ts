export type {
  CallOptions,
  CheckpointData,
  CheckpointStore,
  LoadOptions,
  LoadStreamOptions,
  SaveOptions,
} from './checkpoint-store.ts';
export { EncryptedCheckpointStore } from './encrypted/encrypted-checkpoint-store.ts';
export type { EncryptionConfig, KeyRotationConfig } from './encrypted/encryption-config.ts';
export type { KeyStatus } from './encrypted/key-age.ts';
export type { EncryptedCheckpointStoreOptions } from './encrypted/options.ts';
export type { CheckpointReceipt } from './encrypted/receipt.ts';
export { FileSystemObjectStore } from './object-stores/file-system-object-store.ts';
export { MemoryObjectStore } from './object-stores/memory-object-store.ts';
export { PlainCheckpointStore, type PlainReceipt } from './plain/plain-checkpoint-store.ts';
