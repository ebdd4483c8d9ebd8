import {
  type AuditAction,
  Auditor,
  type CheckpointMetadata,
  GuardedKmsClient,
  KeyCache,
  KeyfoldError,
  Meter,
  type OpenedKeyRecord,
  type RewrapResult,
  keyPolicy,
  rewrapRecord,
  systemClock,
} from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import { checkAsked, collect, resolveMaxBytes } from '../checkpoint-data.ts';
import type { CallOptions, CheckpointData, CheckpointStore, LoadOptions, LoadStreamOptions, SaveOptions } from '../checkpoint-store.ts';
import { encodeId } from '../object-names.ts';
import { resolveEncryption } from './encryption-config.ts';
import { KeyAgeGuard, type KeyStatus } from './key-age.ts';
import { testKms } from './kms-test.ts';
import { loadChunks, openRecord } from './load.ts';
import { INLINE_LIMIT_BYTES, ObjectKeyRecordStore } from './object-key-record-store.ts';
import { type EncryptedCheckpointStoreOptions, checkOptions, requireKms } from './options.ts';
import type { CheckpointReceipt } from './receipt.ts';
import { remove } from './remove.ts';
import { save } from './save.ts';
import type { StoreContext } from './store-context.ts';
import { Trail } from './trail.ts';

/**
 * Checkpoints sealed with AES-256-GCM (or, where rules demand it, AES-256-CBC
 * and HMAC-SHA-256), each under a data key of its own that a
 * KMS wraps. See {@link CheckpointStore} for the calls; to each, what the KMS
 * can answer is added: KEY_NOT_FOUND, KEY_DISABLED, ACCESS_DENIED,
 * AUTHENTICATION_FAILED, KMS_THROTTLED, KMS_UNAVAILABLE, KMS_PROTOCOL_ERROR;
 * to loads KEY_NOT_ALLOWED, to saves KEY_EXPIRED, to all AUDIT_FAILED.
 */
export class EncryptedCheckpointStore implements CheckpointStore<CheckpointReceipt> {
  readonly #context: StoreContext;
  readonly #keyAge: KeyAgeGuard | undefined;
  #closed = false;

  private constructor(context: StoreContext, keyAge: KeyAgeGuard | undefined) {
    this.#context = context;
    this.#keyAge = keyAge;
  }

  /**
   * Checks the configuration and, unless told not to, the KMS.
   * @throws KeyfoldError CONFIG_INVALID, NOT_SUPPORTED, INVALID_ARGUMENT, and what the KMS gives
   */
  static async open(options: EncryptedCheckpointStoreOptions): Promise<EncryptedCheckpointStore> {
    checkOptions(options);
    const { suite, accepted: suites, keyAge } = resolveEncryption(options.encryption ?? {}, options.audit);
    const clock = options.clock ?? systemClock;
    const meter = new Meter(options.metrics, options.metricsPrefix);
    const guard = { meter, clock, timeoutMs: options.kmsTimeoutMs ?? 10_000 };
    const own = typeof options.kms === 'function' ? await options.kms(options.tenant) : options.kms;
    const kms = new GuardedKmsClient(requireKms(own, 'kms'), guard);
    const accepted = (options.acceptedKms ?? []).map((client) => new GuardedKmsClient(requireKms(client, 'acceptedKms'), guard));
    const context: StoreContext = {
      tenant: options.tenant,
      objects: options.objects,
      records: new ObjectKeyRecordStore(options.objects),
      kms,
      policy: keyPolicy([kms, ...accepted], { suites, requireAuthenticatedWraps: options.requireAuthenticatedWraps ?? true }),
      cache: new KeyCache({ ...options.keyCache, clock }),
      auditor: new Auditor(options.audit, clock),
      meter,
      clock,
      suite,
      inlineLimitBytes: options.inlineLimitBytes ?? INLINE_LIMIT_BYTES,
    };
    if (options.testKms !== false) await testKms(kms);
    return new EncryptedCheckpointStore(context, keyAge && new KeyAgeGuard(kms, keyAge, clock));
  }

  async save(id: string, data: CheckpointData, options: SaveOptions = {}): Promise<CheckpointReceipt> {
    return this.#run('checkpoint.encrypt', id, async (note) => {
      await this.#keyAge?.requireFresh(options.signal);
      const { receipt, sealer } = await save(this.#context, id, data, options);
      note(toHex(sealer.dekId), sealer.wrap);
      return receipt;
    });
  }

  async load(id: string, options: LoadOptions<CheckpointReceipt> = {}): Promise<Uint8Array> {
    const maxBytes = resolveMaxBytes(options.maxBytes);
    return collect(this.#chunks(id, { ...options, maxBytes }), maxBytes, `The checkpoint ${JSON.stringify(id)}`);
  }

  loadStream(id: string, options: LoadStreamOptions<CheckpointReceipt> = {}): AsyncIterable<Uint8Array> {
    return this.#chunks(id, options);
  }

  async readMetadata(id: string, options: CallOptions = {}): Promise<CheckpointMetadata> {
    return this.#run('checkpoint.read-metadata', id, async (note) => {
      const { opened } = await openRecord(this.#context, id, options);
      opened.lease.release();
      note(toHex(opened.parsed.record.dekId), opened.wrap);
      return opened.metadata;
    });
  }

  async delete(id: string, options: CallOptions = {}): Promise<boolean> {
    return this.#run('checkpoint.delete', id, async (note) => {
      const removed = await remove(this.#context, id, options);
      note(removed?.dek);
      return removed !== undefined;
    });
  }

  async *list(options: { readonly prefix?: string } & CallOptions = {}): AsyncIterable<string> {
    this.#requireOpen();
    yield* this.#context.records.list(options);
  }

  /**
   * Wraps a checkpoint's data key with the primary version of the configured
   * key; its data are not touched. See {@link rewrapRecord} for the codes.
   */
  async rewrap(id: string, options: CallOptions = {}): Promise<RewrapResult> {
    return this.#run('key.rewrap', id, async (note) => {
      const { tenant, records, policy, cache, kms: target } = this.#context;
      const result = await rewrapRecord({ records, key: id, identity: { tenant, checkpoint: id }, policy, target, cache, signal: options.signal });
      note(toHex(result.dekId), result.wrap);
      return result;
    });
  }

  /**
   * How old the primary version of the key is against `encryption.keyRotation`.
   * @throws KeyfoldError CONFIG_INVALID without that setting, and what the KMS gives
   */
  async keyStatus(options: CallOptions = {}): Promise<KeyStatus> {
    this.#requireOpen();
    if (this.#keyAge === undefined) throw new KeyfoldError('CONFIG_INVALID', 'keyStatus() needs encryption.keyRotation to be set.');
    return this.#keyAge.status(options.signal);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#context.cache.close();
    return Promise.resolve();
  }

  async *#chunks(
    id: string,
    options: LoadStreamOptions<CheckpointReceipt> & { readonly maxBytes?: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const trail = new Trail(this.#context, 'checkpoint.decrypt', id);
    try {
      this.#requireOpen();
      encodeId(id);
      checkAsked(options.range, options.maxBytes);
      // The event is on record before any plaintext is out.
      const onOpened = async (opened: OpenedKeyRecord): Promise<void> => {
        trail.note(toHex(opened.parsed.record.dekId), opened.wrap);
        await trail.success();
      };
      yield* loadChunks(this.#context, id, { ...options, onOpened });
      trail.measure();
    } catch (error) {
      await trail.failure(error);
      throw error;
    }
  }

  async #run<T>(action: AuditAction, id: string, work: (note: Trail['note']) => Promise<T>): Promise<T> {
    const trail = new Trail(this.#context, action, id);
    let result: T;
    try {
      this.#requireOpen();
      encodeId(id);
      result = await work(trail.note);
    } catch (error) {
      await trail.failure(error);
      throw error;
    }
    trail.measure();
    await trail.success();
    return result;
  }

  #requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This checkpoint store was closed. Open it again to go on.');
  }
}
