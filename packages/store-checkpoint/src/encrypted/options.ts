import type {
  AuditSink,
  Clock,
  KeyCacheOptions,
  KeyRecordStore,
  KmsClient,
  KmsRetryOptions,
  MetricsSink,
  ObjectStore,
} from '@keyfold/core';
import { encodeUtf8 } from '@keyfold/core/provider';
import { PlainCheckpointStore } from '../plain/plain-checkpoint-store.ts';
import { type EncryptionConfig, invalid, refuseUnknown, requireFlags } from './encryption-config.ts';
import { INLINE_LIMIT_BYTES } from './object-key-record-store.ts';

/** What an encrypted store is made of. Unknown options are refused. */
export interface EncryptedCheckpointStoreOptions {
  /** Where everything is kept. It must decide conditional writes itself. */
  readonly objects: ObjectStore;
  /** Wraps and unwraps the data keys; or a function that gives the tenant's own. */
  readonly kms: KmsClient | ((tenant: string) => KmsClient | Promise<KmsClient>);
  /** Further keys that may unwrap, tried after `kms`, e.g. the former one. Default none. */
  readonly acceptedKms?: readonly KmsClient[];
  /** 1..256 UTF-8 bytes; part of what every key and all data are bound to. */
  readonly tenant: string;
  /** Default: AES-256-GCM, no look at the age of keys. */
  readonly encryption?: EncryptionConfig;
  /** Takes an event for every save, load, delete and rewrap. Default none. */
  readonly audit?: AuditSink;
  /** Takes counters and durations. Default none. */
  readonly metrics?: MetricsSink;
  /** In front of every metric's name. Default `heliosdb`. */
  readonly metricsPrefix?: string;
  /** Limits of the cache of unwrapped keys. Default: 100 keys for 5 minutes. */
  readonly keyCache?: Omit<KeyCacheOptions, 'clock'>;
  /** Whether open() makes a round trip to the KMS, and refuses when that fails. Default true. */
  readonly testKms?: boolean;
  /** Milliseconds after which a call to the KMS ends at the latest, retries and waits included. Default 10,000. */
  readonly kmsTimeoutMs?: number;
  /** How calls that were throttled, or went wrong for a moment, are made again. Default: three attempts. */
  readonly kmsRetry?: KmsRetryOptions | undefined;
  /** Data objects up to this size share their record's object. 0..262,144; default 262,144. */
  readonly inlineLimitBytes?: number;
  /** Names objects after an HMAC of their ids, so that storage sees no ids. One KMS call more at open. Default false. */
  readonly hideNames?: boolean;
  /**
   * While checkpoints in plaintext are being moved here: what has no encrypted record is read, listed and deleted there.
   * Whoever can write that storage can plant checkpoints, so leave it out as soon as everything is moved.
   */
  readonly migration?: { readonly plaintext: PlainCheckpointStore };
  /** Default true: refuses keys, such as RSA ones, for which anybody could make a wrap. */
  readonly requireAuthenticatedWraps?: boolean;
  /** Default the machine's. */
  readonly clock?: Clock;
  /** @internal */
  readonly [OVER_USER_STORE]?: { readonly records: KeyRecordStore | undefined };
}

/** Set by fromCheckpointStore() alone, which knows what its `objects` cannot do. */
export const OVER_USER_STORE = Symbol('over a user store');

const KNOWN = [
  'objects', 'kms', 'acceptedKms', 'tenant', 'encryption', 'audit', 'metrics', 'metricsPrefix', 'keyCache', 'testKms',
  'kmsTimeoutMs', 'kmsRetry', 'inlineLimitBytes', 'hideNames', 'migration', 'requireAuthenticatedWraps', 'clock',
] as const satisfies readonly (keyof EncryptedCheckpointStoreOptions)[];

const KNOWN_CACHE = ['maxEntries', 'maxAgeMs', 'maxUses', 'maxBytes', 'maxRefusals', 'refusalMaxAgeMs'] as const satisfies readonly (keyof KeyCacheOptions)[];

/** @throws KeyfoldError CONFIG_INVALID */
export function checkOptions(options: EncryptedCheckpointStoreOptions): void {
  refuseUnknown('EncryptedCheckpointStore.open()', options, KNOWN);
  const { objects, kms, keyCache, metricsPrefix = 'default', kmsTimeoutMs = 1, inlineLimitBytes = 0 } = options as Loose;
  if (!isObject(objects) || (!isObject(kms) && typeof kms !== 'function')) {
    throw invalid('EncryptedCheckpointStore.open() needs "objects", "kms" and "tenant".');
  }
  checkTenant(options.tenant);
  if (options[OVER_USER_STORE] === undefined && (objects as { capabilities?: Partial<ObjectStore['capabilities']> }).capabilities?.conditionalWrites !== true) {
    throw invalid('This object store has no conditional writes, without which concurrent writers would lose updates. Use another one.');
  }
  checkNamesAndMigration(options);
  checkParts(options);
  if (keyCache !== undefined) refuseUnknown('keyCache', keyCache, KNOWN_CACHE);
  if (typeof metricsPrefix !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(metricsPrefix)) {
    throw invalid('metricsPrefix must be 1 to 64 letters, digits and "_", and not begin with a digit.');
  }
  if (!(typeof kmsTimeoutMs === 'number' && kmsTimeoutMs >= 1 && kmsTimeoutMs <= 2_147_483_647)) {
    throw invalid('kmsTimeoutMs must be a number of milliseconds from 1 to 2,147,483,647.');
  }
  if (!(typeof inlineLimitBytes === 'number' && Number.isInteger(inlineLimitBytes) && inlineLimitBytes >= 0 && inlineLimitBytes <= INLINE_LIMIT_BYTES)) {
    throw invalid(`inlineLimitBytes must be a whole number from 0 to ${INLINE_LIMIT_BYTES}.`);
  }
}

function checkNamesAndMigration({ hideNames, migration, inlineLimitBytes, [OVER_USER_STORE]: over }: EncryptedCheckpointStoreOptions): void {
  if (over !== undefined && (hideNames === true || inlineLimitBytes !== undefined)) {
    throw invalid('hideNames and inlineLimitBytes are not for stores that fromCheckpointStore() encrypts.');
  }
  if (hideNames !== undefined && typeof hideNames !== 'boolean') throw invalid('hideNames must be true or false.');
  if (migration === undefined) return;
  refuseUnknown('migration', migration, ['plaintext']);
  if (!(migration.plaintext instanceof PlainCheckpointStore)) throw invalid('migration.plaintext must be a PlainCheckpointStore.');
}

/** What is null, or the text "false", must not pass for a switch that is off; and a sink that takes nothing shows here, not after a save. */
function checkParts(options: EncryptedCheckpointStoreOptions): void {
  const loose: Loose = options;
  requireFlags('open()', options, ['requireAuthenticatedWraps', 'testKms']);
  requireCalls('audit', loose.audit, ['record']);
  requireCalls('metrics', loose.metrics, ['increment', 'observe']);
  requireCalls('clock', loose.clock, ['now']);
  if (loose.acceptedKms !== undefined && !Array.isArray(loose.acceptedKms)) throw invalid('"acceptedKms" must be a list of KmsClients.');
}

/** @throws KeyfoldError CONFIG_INVALID for something that is given and has not these calls */
export function requireCalls(what: string, part: unknown, calls: readonly string[]): void {
  if (part === undefined) return;
  const has = (typeof part === 'object' && part !== null ? part : {}) as Partial<Record<string, unknown>>;
  const missing = calls.find((call) => typeof has[call] !== 'function');
  if (missing !== undefined) throw invalid(`"${what}" has to have ${missing}(). Pass one that has, or leave it out.`);
}

/** Options as they may come from somebody who does not compile with types. */
type Loose = Partial<Record<keyof EncryptedCheckpointStoreOptions, unknown>>;

/** @throws KeyfoldError CONFIG_INVALID for something that is no KmsClient, e.g. what a function `kms` gave */
export function requireKms(client: KmsClient | undefined, what: string): KmsClient {
  const { provider, keyId, capabilities, generateDataKey } = (client ?? {}) as Partial<KmsClient>;
  if (client !== undefined && typeof provider === 'string' && typeof keyId === 'string' && isObject(capabilities) && typeof generateDataKey === 'function') {
    return client;
  }
  throw invalid(`"${what}" did not give a KmsClient. Pass one, such as LocalKms.open() resolves to.`);
}

function checkTenant(tenant: unknown): void {
  const bytes = typeof tenant === 'string' ? encodeUtf8(tenant, 'The tenant').byteLength : 0;
  if (bytes < 1 || bytes > 256) throw invalid('EncryptedCheckpointStore.open() needs a "tenant" of 1 to 256 UTF-8 bytes.');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
