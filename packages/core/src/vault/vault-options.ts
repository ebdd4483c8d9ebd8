import { type Clock, systemClock } from '../clock.ts';
import { KeyfoldError } from '../errors.ts';
import { wrapContext } from '../format/context.ts';
import { KeyCache } from '../keys/key-cache.ts';
import { GuardedKmsClient } from '../kms/guarded-kms-client.ts';
import type { KmsRetryOptions } from '../kms/retry-policy.ts';
import type { AuditSink } from '../ports/audit-sink.ts';
import { Auditor } from '../ports/auditor.ts';
import type { KeyRecordStore } from '../ports/key-record-store.ts';
import type { KmsClient } from '../ports/kms-client.ts';
import { Meter, type MetricsSink } from '../ports/metrics-sink.ts';
import { type KeyPolicy, keyPolicy } from '../sealing/key-policy.ts';

const DAY_MS = 86_400_000;

/** What a vault is made of. Unknown options are refused. */
export interface KeyVaultOptions {
  /** Where the key records are kept, e.g. a key table. */
  readonly records: KeyRecordStore;
  /** Wraps new data keys, and unwraps. Closing it is the caller's. */
  readonly kms: KmsClient;
  /** Further keys that may unwrap, tried after `kms`, e.g. the former one. Default none. */
  readonly acceptedKms?: readonly KmsClient[];
  /** 1..256 UTF-8 bytes; part of what every key and value is bound to. */
  readonly tenant: string;
  /** Which of the tenant's sets of keys, 1..1,024 UTF-8 bytes. Default `default`. */
  readonly scope?: string;
  /** Milliseconds from a field key's creation until it seals no more. prime() replaces it when a tenth is left. Default 30 days. */
  readonly maxKeyAgeMs?: number;
  /** Values that this process seals with one field key; prime() replaces it when a tenth is left. Default 2^32. */
  readonly maxSeals?: number;
  /** Milliseconds from an unwrap until the key must be unwrapped anew. prime() does so after half of them. Default 1 hour. */
  readonly maxMemoryAgeMs?: number;
  /** Keys of one use that are held unwrapped; the least recently used goes first. Default 1,000. */
  readonly maxKeysInMemory?: number;
  /** Milliseconds between two looks of prime() at the records. Default 5 minutes. */
  readonly recheckMs?: number;
  /** Takes an event for every key that is created, unwrapped or retired. Default none. */
  readonly audit?: AuditSink;
  readonly metrics?: MetricsSink;
  /** In front of every metric's name. Default `heliosdb`. */
  readonly metricsPrefix?: string;
  /** Milliseconds after which a call to the KMS ends at the latest, retries and waits included. Default 10,000. */
  readonly kmsTimeoutMs?: number;
  /** How calls that were throttled, or went wrong for a moment, are made again. Default: three attempts. */
  readonly kmsRetry?: KmsRetryOptions | undefined;
  /** Default true: refuses keys, such as RSA ones, for which anybody could make a wrap. */
  readonly requireAuthenticatedWraps?: boolean;
  /** Default the machine's. */
  readonly clock?: Clock;
}

const KNOWN = [
  'records', 'kms', 'acceptedKms', 'tenant', 'scope', 'maxKeyAgeMs', 'maxSeals', 'maxMemoryAgeMs', 'maxKeysInMemory', 'recheckMs',
  'audit', 'metrics', 'metricsPrefix', 'kmsTimeoutMs', 'kmsRetry', 'requireAuthenticatedWraps', 'clock',
] as const satisfies readonly (keyof KeyVaultOptions)[];

/** How long keys may do what. */
export interface VaultLimits {
  readonly maxKeyAgeMs: number;
  readonly maxSeals: number;
  readonly maxMemoryAgeMs: number;
  readonly maxKeysInMemory: number;
  readonly recheckMs: number;
}

/** What the parts of a vault share. */
export interface VaultContext {
  readonly records: KeyRecordStore;
  readonly kms: KmsClient;
  readonly policy: KeyPolicy;
  /** Keeps nothing: keys are zeroed as soon as a KeyObject was made of them. */
  readonly unwraps: KeyCache;
  readonly tenant: string;
  readonly scope: string;
  readonly limits: VaultLimits;
  readonly auditor: Auditor;
  readonly meter: Meter;
  readonly clock: Clock;
}

/** @throws KeyfoldError CONFIG_INVALID, and INVALID_ARGUMENT for a tenant or scope outside its limits */
export function vaultContext(options: KeyVaultOptions): VaultContext {
  refuseUnknown(options);
  const { tenant, scope = 'default', clock = systemClock } = options;
  wrapContext('field', tenant, scope, new Uint8Array(16));
  const meter = new Meter(options.metrics, options.metricsPrefix);
  const guard = { meter, clock, timeoutMs: options.kmsTimeoutMs ?? 10_000, retry: options.kmsRetry };
  const kms = new GuardedKmsClient(options.kms, guard);
  const accepted = (options.acceptedKms ?? []).map((client) => new GuardedKmsClient(client, guard));
  return {
    records: options.records,
    kms,
    policy: keyPolicy([kms, ...accepted], { requireAuthenticatedWraps: options.requireAuthenticatedWraps ?? true }),
    unwraps: new KeyCache({ maxEntries: 0, clock }),
    tenant,
    scope,
    limits: {
      maxKeyAgeMs: atLeastOne('maxKeyAgeMs', options.maxKeyAgeMs ?? 30 * DAY_MS),
      maxSeals: atLeastOne('maxSeals', options.maxSeals ?? 2 ** 32),
      maxMemoryAgeMs: atLeastOne('maxMemoryAgeMs', options.maxMemoryAgeMs ?? 3_600_000),
      maxKeysInMemory: atLeastOne('maxKeysInMemory', options.maxKeysInMemory ?? 1_000),
      recheckMs: atLeastOne('recheckMs', options.recheckMs ?? 300_000),
    },
    auditor: new Auditor(options.audit, clock),
    meter,
    clock,
  };
}

/** A misspelt option must not be ignored. */
function refuseUnknown(options: object): void {
  const unknown = Object.keys(options).find((name) => !KNOWN.some((known) => known === name));
  if (unknown !== undefined) throw new KeyfoldError('CONFIG_INVALID', `KeyVault has no option ${JSON.stringify(unknown)}. Known are: ${KNOWN.join(', ')}.`);
}

function atLeastOne(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new KeyfoldError('CONFIG_INVALID', `KeyVault: ${name} must be a whole number of 1 or more.`);
}
