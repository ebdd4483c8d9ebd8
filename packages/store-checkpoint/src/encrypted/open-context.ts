import { Auditor, type Clock, GuardedKmsClient, KeyCache, type KmsClient, Meter, keyPolicy, systemClock } from '@keyfold/core';
import { BufferFreer } from '@keyfold/core/provider';
import type { CheckpointNames } from './checkpoint-names.ts';
import { resolveEncryption } from './encryption-config.ts';
import { KeyAgeGuard } from './key-age.ts';
import { testKms } from './kms-test.ts';
import { type NameKeyBasis, openHiddenNames, refuseHiddenNames } from './name-key.ts';
import { INLINE_LIMIT_BYTES, ObjectKeyRecordStore } from './object-key-record-store.ts';
import { type EncryptedCheckpointStoreOptions, OVER_USER_STORE, checkOptions, requireKms } from './options.ts';
import type { StoreContext } from './store-context.ts';
import { UserKeyRecords } from './user-key-records.ts';
import { VisibleNames } from './visible-names.ts';

/** An open store's parts. */
export interface OpenedContext {
  readonly context: StoreContext;
  readonly keyAge: KeyAgeGuard | undefined;
  /** With hidden names: what the key that they follow from is kept with. */
  readonly nameKey: NameKeyBasis | undefined;
}

/** @throws KeyfoldError CONFIG_INVALID, NOT_SUPPORTED, INVALID_ARGUMENT, and what KMS and storage give */
export async function openContext(options: EncryptedCheckpointStoreOptions): Promise<OpenedContext> {
  checkOptions(options);
  const { suite, accepted: suites, keyAge } = resolveEncryption(options.encryption, options.audit);
  const clock = options.clock ?? systemClock;
  const meter = new Meter(options.metrics, options.metricsPrefix);
  const { kms, clients } = await guardedClients(options, meter, clock);
  const { tenant, objects, requireAuthenticatedWraps = true } = options;
  const policy = keyPolicy(clients, { suites, requireAuthenticatedWraps });
  if (options.testKms !== false) await testKms(kms);
  const cache = new KeyCache({ ...options.keyCache, clock });
  const basis = { tenant, objects, kms, accepted: clients, requireAuthenticatedWraps, cache, clock };
  const names = await openNames(options, basis);
  const auditor = new Auditor(options.audit, clock);
  const shared = { kms, policy, cache, auditor, meter, clock, freer: new BufferFreer(), suite };
  const context = { tenant, objects, names, ...recordsOf(options, names), ...shared };
  return { context, keyAge: keyAge && new KeyAgeGuard(kms, keyAge, clock), nameKey: options.hideNames === true ? basis : undefined };
}

async function guardedClients(
  options: EncryptedCheckpointStoreOptions,
  meter: Meter,
  clock: Clock,
): Promise<{ readonly kms: KmsClient; readonly clients: readonly KmsClient[] }> {
  const guard = { meter, clock, timeoutMs: options.kmsTimeoutMs ?? 10_000, retry: options.kmsRetry };
  const own = typeof options.kms === 'function' ? await options.kms(options.tenant) : options.kms;
  const kms = new GuardedKmsClient(requireKms(own, 'kms'), guard);
  const others = (options.acceptedKms ?? []).map((client) => new GuardedKmsClient(requireKms(client, 'acceptedKms'), guard));
  return { kms, clients: [kms, ...others] };
}

async function openNames(options: EncryptedCheckpointStoreOptions, basis: NameKeyBasis): Promise<CheckpointNames> {
  if (options.hideNames === true) return openHiddenNames(basis);
  // A store of the caller's has never had hidden names.
  if (options[OVER_USER_STORE] === undefined) await refuseHiddenNames(options.objects, options.tenant);
  return new VisibleNames();
}

/** Where records go, and how much of the data with them. */
function recordsOf(options: EncryptedCheckpointStoreOptions, names: CheckpointNames): Pick<StoreContext, 'records' | 'inlineLimitBytes' | 'conditional' | 'aged'> {
  const { objects, [OVER_USER_STORE]: over } = options;
  if (over === undefined) {
    const inlineLimitBytes = options.inlineLimitBytes ?? INLINE_LIMIT_BYTES;
    return { records: new ObjectKeyRecordStore(objects, names), inlineLimitBytes, conditional: true, aged: true };
  }
  if (over.records !== undefined) return { records: new UserKeyRecords(over.records), inlineLimitBytes: 0, conditional: true, aged: false };
  const limit = Number.MAX_SAFE_INTEGER;
  return { records: new ObjectKeyRecordStore(objects, names, limit), inlineLimitBytes: limit, conditional: false, aged: false };
}
