import { KeyfoldError, type KeyVersion, type KeyVersionState } from '@keyfold/core/provider';
import { versionName, versionNumber } from './key-name.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import type { GcpCryptoKey, GcpKeyVersion, GcpTimestamp } from './sdk.ts';

const PAGE = 100;
/** Pages that one listing may take; a key has a handful of versions. */
const MAX_PAGES = 1_000;
/** CryptoKeyVersionState by number, as the REST transport may give it. */
const STATE_NAMES: readonly string[] = [
  'CRYPTO_KEY_VERSION_STATE_UNSPECIFIED', 'ENABLED', 'DISABLED', 'DESTROYED', 'DESTROY_SCHEDULED', 'PENDING_GENERATION', 'PENDING_IMPORT',
  'IMPORT_FAILED', 'GENERATION_FAILED', 'PENDING_EXTERNAL_DESTRUCTION', 'EXTERNAL_DESTRUCTION_FAILED',
];
/** What a state means. A version whose destruction is only scheduled can still be restored. */
const STATES: Readonly<Record<string, KeyVersionState>> = {
  ENABLED: 'enabled',
  DISABLED: 'disabled',
  DESTROY_SCHEDULED: 'disabled',
  PENDING_GENERATION: 'disabled',
  PENDING_IMPORT: 'disabled',
  DESTROYED: 'destroyed',
  IMPORT_FAILED: 'destroyed',
  GENERATION_FAILED: 'destroyed',
  PENDING_EXTERNAL_DESTRUCTION: 'destroyed',
  EXTERNAL_DESTRUCTION_FAILED: 'destroyed',
};
const ENCRYPT_DECRYPT = ['ENCRYPT_DECRYPT', 1];

/** Where versions are read from. */
export interface VersionSource {
  readonly keyId: string;
  readonly calls: KmsCalls;
}

/** A version, and the state as Cloud KMS calls it. */
export type ReadVersion = Omit<KeyVersion, 'primary'> & { readonly gcpState: string };

/** Reads a version of an answer, and refuses one of another key. @throws KeyfoldError KMS_PROTOCOL_ERROR */
export function readVersion(keyId: string, version: GcpKeyVersion): ReadVersion {
  const id = versionNumber(keyId, version.name);
  if (id === undefined) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'Google Cloud KMS answered with a version of another key than it was asked for.');
  const gcpState = typeof version.state === 'number' ? (STATE_NAMES[version.state] ?? '') : (version.state ?? '');
  return { id, createdAt: milliseconds(version.createTime), state: STATES[gcpState] ?? 'unknown', gcpState };
}

/**
 * The primary version in an answer about the key.
 * @throws KeyfoldError KMS_PROTOCOL_ERROR (another key), INVALID_KEY_USAGE (a key that does not encrypt), KEY_DISABLED (no primary)
 */
export function primaryOf(keyId: string, key: GcpCryptoKey): KeyVersion {
  if (key.name !== keyId) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'Google Cloud KMS answered about another key than it was asked for.');
  if (!ENCRYPT_DECRYPT.some((purpose) => purpose === key.purpose)) {
    throw new KeyfoldError('INVALID_KEY_USAGE', 'A key of Google Cloud KMS for Keyfold has the purpose ENCRYPT_DECRYPT; this one has another.');
  }
  if (key.primary === null || key.primary === undefined) {
    throw new KeyfoldError('KEY_DISABLED', 'The key has no primary version. Make one of its versions the primary, or create one.');
  }
  return shown(readVersion(keyId, key.primary), true);
}

/** The version that wraps now. */
export async function currentVersion({ keyId, calls }: VersionSource, signals: SignalOptions): Promise<KeyVersion> {
  const [key] = await calls.call('GetCryptoKey', signals, (api, options) => api.getCryptoKey({ name: keyId }, options));
  return primaryOf(keyId, key);
}

/** Reads one version. */
export async function getVersion({ keyId, calls }: VersionSource, id: string, signals: SignalOptions): Promise<ReadVersion> {
  const name = versionName(keyId, id);
  const [version] = await calls.call('GetCryptoKeyVersion', signals, (api, options) => api.getCryptoKeyVersion({ name }, options));
  const read = readVersion(keyId, version);
  if (read.id !== id) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'Google Cloud KMS answered with another version than it was asked for.');
  return read;
}

/** Every version, newest first. */
export async function listVersions({ keyId, calls }: VersionSource, signals: SignalOptions): Promise<ReadVersion[]> {
  const found: ReadVersion[] = [];
  let pageToken: string | undefined;
  for (let count = 0; count < MAX_PAGES; count++) {
    const request = { parent: keyId, pageSize: PAGE, ...(pageToken !== undefined && { pageToken }) };
    const [versions, next] = await calls.call('ListCryptoKeyVersions', signals, (api, options) => api.listCryptoKeyVersions(request, options));
    found.push(...versions.map((version) => readVersion(keyId, version)));
    const token = next?.pageToken ?? '';
    if (token === '') return found.sort(newestFirst);
    if (token === pageToken) break;
    pageToken = token;
  }
  throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'ListCryptoKeyVersions by Google Cloud KMS does not come to an end: the service repeats its pages.');
}

/** A version as the port shows it. */
export function shown({ id, createdAt, state }: Omit<KeyVersion, 'primary'>, primary: boolean): KeyVersion {
  return { id, createdAt, state, primary };
}

/** Versions are numbered in the order in which they are made. */
export function isNewer(a: string, b: string): boolean {
  return BigInt(a) > BigInt(b);
}

function newestFirst(a: ReadVersion, b: ReadVersion): number {
  return isNewer(a.id, b.id) ? -1 : 1;
}

function milliseconds(time: GcpTimestamp | null | undefined): number | undefined {
  if (time?.seconds === null || time?.seconds === undefined) return undefined;
  const ms = Number(time.seconds.toString()) * 1_000 + Math.floor((time.nanos ?? 0) / 1_000_000);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
