import { ERROR_CODES, KeyfoldError, type KmsClient } from '@keyfold/core';

/**
 * Refuses to go on with a KMS that does not make and open a key.
 * @throws KeyfoldError with the code of what is in the way
 */
export async function testKms(kms: KmsClient): Promise<void> {
  const health = await kms.testConnection();
  if (health.reachable && health.permitted && health.keyEnabled && health.roundTrip) return;
  const code = ERROR_CODES.find((known) => known === health.problem?.code) ?? 'KMS_UNAVAILABLE';
  throw new KeyfoldError(
    code,
    `The ${kms.provider} KMS did not pass its test, so the store does not open: ${health.problem?.message ?? 'it gave no reason.'}`,
  );
}
