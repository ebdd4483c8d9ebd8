/**
 * For those who write a KmsClient, an ObjectStore or a KeyRecordStore: the
 * ports, the errors, and the parts of the formats that providers share.
 */
export { concatBytes, constantTimeEqual, decodeUtf8, encodeUtf8, fromBase64Url, toBase64Url, toHex } from './bytes.ts';
export { systemClock, type Clock } from './clock.ts';
export { BufferFreer } from './crypto/buffer-freer.ts';
export { openMessage } from './crypto/message.ts';
export { sealMessage } from './crypto/seal-message.ts';
export { systemRandomSource, type RandomSource } from './crypto/random.ts';
export { SecretBytes } from './crypto/secret-bytes.ts';
export {
  ERROR_CODES,
  KeyfoldError,
  integrityFailure,
  isKeyfoldError,
  throwIfAborted,
  type ErrorCode,
} from './errors.ts';
export {
  decodeContext,
  encodeContext,
  encodeWrapContext,
  kmsAad,
  label,
  wrapContext,
  type EncryptionContext,
  type KeyUse,
} from './format/context.ts';
export { lengthPrefixed } from './format/writer.ts';
export type * from './ports/kms-client.ts';
export type * from './ports/object-store.ts';
export type * from './ports/key-record-store.ts';
export type * from './ports/audit-sink.ts';
export type * from './ports/metrics-sink.ts';
