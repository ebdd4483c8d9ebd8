import { KeyfoldError, constantTimeEqual, isKeyfoldError, wrapContext, type EncryptionContext, type KmsClient, type KmsHealth } from '@keyfold/core/provider';
import type { ResolvedKey } from './key-name.ts';
import { describeKey, stateOf } from './key-versions.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';

/** Codes of a service that was not reached, or not asked. */
const NOT_REACHED = ['KMS_UNAVAILABLE', 'CONFIG_INVALID', 'ABORTED', 'CLOSED'] as const;
/** Errors of credentials that never left this machine. */
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError']);

/** Looks at the key, then wraps and unwraps a data key that nobody keeps. Reports, and never rejects. */
export async function testHealth(
  client: KmsClient,
  { calls, key, testTenant }: { readonly calls: KmsCalls; readonly key: ResolvedKey; readonly testTenant: string },
  signals: SignalOptions,
): Promise<KmsHealth> {
  const health = { reachable: false, permitted: false, keyEnabled: false, roundTrip: false };
  try {
    const state = await keyState(calls, key, signals);
    health.reachable = true;
    if (state === 'disabled') throw new KeyfoldError('KEY_DISABLED', 'The key is disabled, being deleted or not ready. Look at its state in AWS KMS and enable it.');
    const context = wrapContext('checkpoint', testTenant, 'test-connection', new Uint8Array(16));
    health.roundTrip = await roundTrip(client, context, signals);
    health.keyEnabled = true;
    health.permitted = true;
    if (!health.roundTrip) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS gave another key back than it had wrapped.');
    return health;
  } catch (error) {
    return { ...health, ...explain(error, health) };
  }
}

/** Who may only wrap or unwrap need not be allowed to describe: then the round trip tells. */
async function keyState(calls: KmsCalls, key: ResolvedKey, signals: SignalOptions): Promise<'enabled' | 'disabled' | 'destroyed' | 'unknown'> {
  try {
    return stateOf(await describeKey(calls, key, key.arn, signals));
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
  if (!isKeyfoldError(error)) {
    return { problem: { code: 'KMS_PROTOCOL_ERROR', message: 'AWS KMS failed in an unforeseen way.' } };
  }
  const { code, message, cause } = error;
  const unsent = code === 'AUTHENTICATION_FAILED' && NO_CREDENTIALS.has((cause as { name?: string } | undefined)?.name ?? '');
  const answered = !unsent && !NOT_REACHED.some((other) => other === code);
  return { reachable: reachable || answered, problem: { code, message } };
}
