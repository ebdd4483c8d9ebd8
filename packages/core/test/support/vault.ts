import type { KeyRecord } from '../../src/format/key-record.ts';
import { parseKeyRecord } from '../../src/format/key-record.ts';
import { signKeyRecord } from '../../src/sealing/record-mac.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { MemoryKeyRecordStore } from '../../src/testing/memory-key-record-store.ts';
import { RecordingAuditSink, RecordingMetricsSink } from '../../src/testing/recording-sinks.ts';
import { KeyVault, type VaultUse } from '../../src/vault/key-vault.ts';
import type { SealedColumn } from '../../src/vault/sealed-column.ts';
import type { KeyVaultOptions } from '../../src/vault/vault-options.ts';
import { LeakyKms } from './checkpoints.ts';
import { secretKey } from './bytes.ts';

export const DAY = 86_400_000;
export const HOUR = 3_600_000;

/** A vault, and all that stands around it. */
export interface VaultBench {
  readonly vault: KeyVault;
  readonly column: SealedColumn<string, string>;
  readonly kms: LeakyKms;
  readonly records: MemoryKeyRecordStore;
  readonly clock: ManualClock;
  readonly audit: RecordingAuditSink;
  readonly metrics: RecordingMetricsSink;
  /** Another process: the same store, KMS and clock. */
  readonly another: (change?: Partial<KeyVaultOptions>) => { readonly vault: KeyVault; readonly column: SealedColumn<string, string> };
}

export function columnOf(vault: KeyVault): SealedColumn<string, string> {
  return vault.column({ table: 'integration', column: 'api_key', bind: 'column', encoding: 'text', content: 'text' });
}

export function vaultBench(change: Partial<KeyVaultOptions> = {}): VaultBench {
  const kms = new LeakyKms();
  const records = new MemoryKeyRecordStore();
  const clock = new ManualClock();
  const audit = new RecordingAuditSink();
  const metrics = new RecordingMetricsSink();
  const another: VaultBench['another'] = (other = {}) => {
    const vault = new KeyVault({ records, kms, tenant: 'acme', clock, audit, metrics, kmsRetry: { attempts: 1 }, ...change, ...other });
    return { vault, column: columnOf(vault) };
  };
  return { ...another(), kms, records, clock, audit, metrics, another };
}

/** Calls to the KMS so far that made or unwrapped a key. */
export function calls({ kms }: Pick<VaultBench, 'kms'>): { made: number; unwrapped: number } {
  return { made: kms.calls.get('generateDataKey') ?? 0, unwrapped: kms.calls.get('decrypt') ?? 0 };
}

export async function keysIn(records: MemoryKeyRecordStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of records.list()) keys.push(key);
  return keys;
}

/** Replaces a stored record by what `change` makes of its bytes. */
export async function overwrite(records: MemoryKeyRecordStore, key: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const stored = await records.get(key);
  if (stored === undefined) throw new Error(`there is no record ${key}`);
  await records.compareAndSwap(key, stored.version, change(stored.bytes));
}

/** The same by somebody who has the DEK. */
export function resignedBy(dek: Uint8Array | undefined, change: (record: KeyRecord) => KeyRecord): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => signKeyRecord(secretKey(dek ?? new Uint8Array(0)), change(parseKeyRecord(bytes).record));
}

export async function states(vault: KeyVault, use: VaultUse = 'field'): Promise<string[]> {
  return (await vault.records(use)).map(({ state }) => state);
}

export function idsOf(column: SealedColumn<string, string>, values: readonly string[]): (string | undefined)[] {
  return values.map((value) => column.dekIdOf(value));
}
