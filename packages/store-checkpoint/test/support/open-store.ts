import type { ObjectStore } from '@keyfold/core';
import { ManualClock, MemoryKms, RecordingAuditSink, RecordingMetricsSink } from '@keyfold/core/testing';
import { EncryptedCheckpointStore } from '../../src/encrypted/encrypted-checkpoint-store.ts';
import type { EncryptedCheckpointStoreOptions } from '../../src/encrypted/options.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { HookedObjectStore } from './hooked-object-store.ts';

export const TENANT = 'acme';

export interface Opened {
  readonly store: EncryptedCheckpointStore;
  readonly objects: ObjectStore;
  readonly kms: MemoryKms;
  readonly audit: RecordingAuditSink;
  readonly metrics: RecordingMetricsSink;
  readonly clock: ManualClock;
}

export type Overrides = Partial<Omit<EncryptedCheckpointStoreOptions, 'kms'>> & { readonly kms?: MemoryKms };

/** A store over memory, with everything that a test may want to look at. Its calls to the KMS are made once. */
export async function openStore(overrides: Overrides = {}): Promise<Opened> {
  const { kms = new MemoryKms(), objects = new MemoryObjectStore() } = overrides;
  const audit = new RecordingAuditSink();
  const metrics = new RecordingMetricsSink();
  const clock = new ManualClock();
  const store = await EncryptedCheckpointStore.open({ tenant: TENANT, audit, metrics, clock, testKms: false, kmsRetry: { attempts: 1 }, ...overrides, kms, objects });
  // What open() itself asked is no part of what a test does.
  if (objects instanceof HookedObjectStore) objects.log.length = 0;
  return { store, objects, kms, audit, metrics, clock };
}

/** Calls to the KMS during `run`, by operation. */
export async function kmsCalls(kms: MemoryKms, run: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = new Map(kms.calls);
  await run();
  const changes = [...kms.calls].map(([operation, count]) => [operation, count - (before.get(operation) ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, count]) => count > 0));
}
