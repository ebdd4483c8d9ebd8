import { KeyfoldError, constantTimeEqual, isKeyfoldError, wrapContext, type EncryptionContext, type KeyVersionState, type KmsClient, type KmsHealth } from '@keyfold/core/provider';
import { gcpError, isUnsent } from './error-codes.ts';
import { currentVersion, type VersionSource } from './key-versions.ts';
import type { SignalOptions } from './kms-calls.ts';

/** Codes of a service that was not reached, or not asked. */
const NOT_REACHED = ['KMS_UNAVAILABLE', 'CONFIG_INVALID', 'ABORTED', 'CLOSED'] as const;

/** Looks at the key, then wraps and unwraps a data key that nobody keeps. Reports, and never rejects. */
export async function testHealth(client: KmsClient, parts: VersionSource & { readonly testTenant: string }, signals: SignalOptions): Promise<KmsHealth> {
  const health = { reachable: false, permitted: false, keyEnabled: false, roundTrip: false };
  try {
    const state = await primaryState(parts, signals);
    health.reachable = true;
    if (state === 'disabled' || state === 'destroyed') throw new KeyfoldError('KEY_DISABLED', 'The primary version is disabled, destroyed or not ready. Look at its state in Cloud KMS.');
    const context = wrapContext('checkpoint', parts.testTenant, 'test-connection', new Uint8Array(16));
    health.roundTrip = await roundTrip(client, context, signals);
    health.keyEnabled = true;
    health.permitted = true;
    if (!health.roundTrip) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'Google Cloud KMS gave another key back than it had wrapped.');
    return health;
  } catch (error) {
    return { ...health, ...explain(error, health) };
  }
}

/** Who may only wrap or unwrap need not be allowed to look: then the round trip tells. */
async function primaryState(parts: VersionSource, signals: SignalOptions): Promise<KeyVersionState> {
  try {
    return (await currentVersion(parts, signals)).state;
  } catch (error) {
    if (isKeyfoldError(error, 'ACCESS_DENIED')) return 'unknown';
    throw error;
  }
}

async function roundTrip(client: KmsClient, context: EncryptionContext, { signal }: SignalOptions): Promise<boolean> {
  const { plaintext, wrapped } = await client.generateDataKey({ context, signal });
  try {
    const opened = await client.decrypt(wrapped, { context, signal });
    const same = constantTimeEqual(plaintext, opened);
    opened.fill(0);
    return same;
  } finally {
    plaintext.fill(0);
  }
}

function explain(error: unknown, { reachable }: { reachable: boolean }): Partial<KmsHealth> {
  const { code, message, cause } = isKeyfoldError(error) ? error : gcpError(error, 'The test of the connection');
  const unsent = code === 'AUTHENTICATION_FAILED' && isUnsent(cause);
  const answered = !unsent && !NOT_REACHED.some((other) => other === code);
  return { reachable: reachable || answered, problem: { code, message } };
}
