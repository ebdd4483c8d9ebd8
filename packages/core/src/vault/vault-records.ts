import { toHex } from '../bytes.ts';
import { systemRandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { isKeyfoldError } from '../errors.ts';
import { wrapContext } from '../format/context.ts';
import type { KeyRecord, ParsedKeyRecord, WrappedKey } from '../format/key-record.ts';
import type { AuditEvent } from '../ports/audit-sink.ts';
import { inspectKeyRecord, openRecord } from '../sealing/open-record.ts';
import { signKeyRecord, verifyKeyRecord } from '../sealing/record-mac.ts';
import { type VaultKeyIdentity, damaged, vaultKeyBinding, vaultKeySubject } from '../sealing/record-subject.ts';
import type { LoadedKey } from './loaded-keys.ts';
import { RefusedRecords } from './refused-records.ts';
import { dekIdOfKey, recordPrefix, vaultRecordKey } from './record-name.ts';
import type { VaultContext } from './vault-options.ts';

/** A vault's record as the store gave it: it says it is ours, and nobody has vouched for it yet. */
export interface VaultRecord {
  /** Its key in the store. */
  readonly key: string;
  readonly identity: VaultKeyIdentity;
  readonly parsed: ParsedKeyRecord;
  readonly bytes: Uint8Array;
  /** The store's token for a conditional replacement. */
  readonly version: string;
}

const PARALLEL_READS = 8;

/** The records of one use of a vault: found, read, opened, created and retired. */
export class VaultRecords {
  readonly #context: VaultContext;
  readonly #use: VaultKeyIdentity['use'];
  readonly #refused: RefusedRecords;

  constructor(context: VaultContext, use: VaultKeyIdentity['use']) {
    this.#context = context;
    this.#use = use;
    this.#refused = new RefusedRecords(context);
  }

  identityOf(dekId: Uint8Array): VaultKeyIdentity {
    return { use: this.#use, tenant: this.#context.tenant, scope: this.#context.scope, dekId };
  }

  /** Every record that says it is of this tenant, use and scope, newest first; what belongs to other scopes or is no record is left out. */
  async readAll(): Promise<VaultRecord[]> {
    const prefix = recordPrefix({ use: this.#use, tenant: this.#context.tenant });
    const ids: Uint8Array[] = [];
    for await (const key of this.#context.records.list({ prefix })) {
      const dekId = dekIdOfKey(key, prefix);
      if (dekId !== undefined) ids.push(dekId);
    }
    const found: (VaultRecord | undefined)[] = [];
    await inBatches(ids, async (dekId) => found.push(await this.read(dekId)));
    return found.filter((record) => record !== undefined).sort(newestFirst);
  }

  /** The record of one DEK, or undefined when there is none that says it is ours. */
  async read(dekId: Uint8Array): Promise<VaultRecord | undefined> {
    const identity = this.identityOf(dekId);
    const key = vaultRecordKey(identity);
    const stored = await this.#context.records.get(key);
    if (stored === undefined) return undefined;
    const bytes = new Uint8Array(stored.bytes);
    const parsed = inspectKeyRecord(bytes);
    if (parsed === undefined || !vaultKeySubject(identity).admits(parsed, this.#context.policy)) return undefined;
    return { key, identity, parsed, bytes, version: stored.version };
  }

  /** Has the KMS unwrap the record's DEK, and verifies the record with it. */
  async open(record: VaultRecord): Promise<LoadedKey> {
    const { unwraps: cache, policy, auditor, clock } = this.#context;
    const subject = vaultKeySubject(record.identity);
    if (this.#refused.has(record.bytes)) throw damaged(subject);
    const about = this.#event('key.load', record.identity.dekId);
    try {
      const opened = await openRecord(record.bytes, subject, { policy, cache });
      // The KeyObject has a copy of its own; these bytes are zeroed.
      opened.lease.release();
      await auditor.success({ ...about, kek: kekOf(opened.wrap) });
      return {
        id: toHex(record.identity.dekId),
        dekId: record.identity.dekId,
        dek: opened.dek,
        created: record.parsed.record.created,
        loadedAt: clock.now(),
      };
    } catch (error) {
      if (isKeyfoldError(error, 'INTEGRITY_FAILURE')) this.#refused.add(record.bytes);
      await auditor.failure(about, error);
      throw error;
    }
  }

  /**
   * Whether a record as it is now is by a key that was unwrapped before.
   * @throws KeyfoldError INTEGRITY_FAILURE
   */
  verify(key: LoadedKey, record: VaultRecord): void {
    if (!verifyKeyRecord(key.dek, record.parsed)) throw damaged(vaultKeySubject(record.identity));
  }

  /** A new DEK, whose record is durable when this resolves: one call to the KMS. */
  async create(created: number): Promise<LoadedKey> {
    const { kms, records, auditor, meter, tenant, scope, clock } = this.#context;
    const dekId = systemRandomSource.bytes(16);
    const identity = this.identityOf(dekId);
    const about = this.#event('key.create', dekId);
    try {
      const { plaintext, wrapped } = await kms.generateDataKey({ context: wrapContext(this.#use, tenant, scope, dekId) });
      const secret = SecretBytes.adopt(plaintext);
      try {
        const dek = secret.toKeyObject();
        const record: KeyRecord = {
          suite: 0x01,
          use: this.#use,
          state: 'active',
          objectId: new Uint8Array(16),
          dekId,
          generation: 1,
          created,
          binding: vaultKeyBinding(identity),
          sealedMetadata: new Uint8Array(0),
          wraps: [wrapped],
        };
        await records.create(vaultRecordKey(identity), signKeyRecord(dek, record));
        await auditor.success({ ...about, kek: kekOf(wrapped) });
        meter.increment('dataKeys', { use: this.#use, event: 'created' });
        return { id: toHex(dekId), dekId, dek, created, loadedAt: clock.now() };
      } finally {
        secret.dispose();
      }
    } catch (error) {
      await auditor.failure(about, error);
      throw error;
    }
  }

  /** Makes a key decrypt-only, unless somebody replaced its record meanwhile. */
  async retire(key: LoadedKey, record: VaultRecord): Promise<void> {
    const { records, auditor, meter } = this.#context;
    const about = this.#event('key.retire', key.dekId);
    const before = record.parsed.record;
    const next: KeyRecord = { ...before, state: 'decrypt-only', generation: before.generation + 1 };
    try {
      await records.compareAndSwap(record.key, record.version, signKeyRecord(key.dek, next));
      await auditor.success(about);
      meter.increment('dataKeys', { use: this.#use, event: 'retired' });
    } catch (error) {
      await auditor.failure(about, error);
      throw error;
    }
  }

  #event(action: 'key.load' | 'key.create' | 'key.retire', dekId: Uint8Array): { action: typeof action; tenant: string; scope: string; dek: string } {
    return { action, tenant: this.#context.tenant, scope: this.#context.scope, dek: toHex(dekId) };
  }
}

/** The names alone: an event holds no ciphertext. */
function kekOf({ provider, keyId, keyVersion }: WrappedKey): NonNullable<AuditEvent['kek']> {
  return { provider, keyId, keyVersion };
}

/** The order of which one is active: greatest `created`, and of equals the greatest id. */
export function newestFirst(a: VaultRecord, b: VaultRecord): number {
  return b.parsed.record.created - a.parsed.record.created || (toHex(a.identity.dekId) < toHex(b.identity.dekId) ? 1 : -1);
}

/** Some at a time: a key table answers them in one go, a KMS would throttle hundreds. */
export async function inBatches<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += PARALLEL_READS) await Promise.all(items.slice(at, at + PARALLEL_READS).map(run));
}
