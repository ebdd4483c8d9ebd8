/** The metrics that Keyfold reports, by what they measure; the values are names without the prefix. */
export const METRICS = {
  encryptions: 'checkpoint_encryption_total',
  decryptions: 'checkpoint_decryption_total',
  encryptionSeconds: 'checkpoint_encryption_duration_seconds',
  decryptionSeconds: 'checkpoint_decryption_duration_seconds',
  kmsCallSeconds: 'kms_call_duration_seconds',
  keyRotations: 'key_rotation_total',
  encryptionErrors: 'encryption_errors_total',
  decryptionErrors: 'decryption_errors_total',
  authFailures: 'auth_failures_total',
  keyRewraps: 'key_rewrap_total',
  dataKeys: 'data_key_total',
  legacyReads: 'field_legacy_read_total',
  plaintextUses: 'checkpoint_plaintext_total',
  kmsRetries: 'kms_retry_total',
} as const;
