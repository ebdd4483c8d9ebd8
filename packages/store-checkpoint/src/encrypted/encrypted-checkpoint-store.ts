import { type AuditAction, type CheckpointMetadata, KeyfoldError, type RewrapResult, rewrapRecord } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import { checkAsked, collect, resolveMaxBytes } from '../checkpoint-data.ts';
import type { CallOptions, CheckpointData, CheckpointStore, LoadOptions, LoadStreamOptions, SaveOptions } from '../checkpoint-store.ts';
import { encodeId } from '../object-names.ts';
import { collectGarbage } from './gc.ts';
import type { GcOptions, GcReport } from './gc-options.ts';
import { CONTEXT, FROM_PLAINTEXT } from './internals.ts';
import type { KeyStatus } from './key-age.ts';
import { rewrapNameKey } from './name-key.ts';
import { type OpenedContext, openContext } from './open-context.ts';
import type { EncryptedCheckpointStoreOptions } from './options.ts';
import { PlaintextWindow } from './plaintext-window.ts';
import { chunksOrPlaintext, metadataOrPlaintext } from './read-or-plaintext.ts';
import type { CheckpointReceipt } from './receipt.ts';
import { remove } from './remove.ts';
import { alreadyExists, save } from './save.ts';
import type { StoreContext } from './store-context.ts';
import { Trail, WHOLE_STORE } from './trail.ts';
import { verify } from './verify.ts';
import type { VerifyFinding, VerifyOptions } from './verify-options.ts';

/** Refuses a record of a lower generation, e.g. one from before a rewrap: INTEGRITY_FAILURE. */
interface Generation {
  readonly minimumGeneration?: number;
}

/** How an encrypted checkpoint is read as a stream. */
export type EncryptedLoadStreamOptions = LoadStreamOptions<CheckpointReceipt> & Generation;
/** How an encrypted checkpoint is read at once. */
export type EncryptedLoadOptions = LoadOptions<CheckpointReceipt> & Generation;
/** How an encrypted checkpoint's metadata are read. */
export type EncryptedReadMetadataOptions = CallOptions &
  Generation & {
    /** What save() returned: refuses anything older or other under this id. */
    readonly expect?: CheckpointReceipt;
  };

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
  readonly #keyAge: OpenedContext['keyAge'];
  readonly #nameKey: OpenedContext['nameKey'];
  readonly #window: PlaintextWindow | undefined;
  #closed = false;

  private constructor({ context, keyAge, nameKey }: OpenedContext, window: PlaintextWindow | undefined) {
    this.#context = context;
    this.#keyAge = keyAge;
    this.#nameKey = nameKey;
    this.#window = window;
  }

  /**
   * Checks the configuration and, unless told not to, the KMS.
   * @throws KeyfoldError CONFIG_INVALID, NOT_SUPPORTED, INVALID_ARGUMENT, and what KMS and storage give
   */
  static async open(options: EncryptedCheckpointStoreOptions): Promise<EncryptedCheckpointStore> {
    const opened = await openContext(options);
    const plain = options.migration?.plaintext;
    return new EncryptedCheckpointStore(opened, plain && new PlaintextWindow(opened.context, plain));
  }

  async save(id: string, data: CheckpointData, options: SaveOptions & { readonly [FROM_PLAINTEXT]?: true } = {}): Promise<CheckpointReceipt> {
    return this.#run('checkpoint.encrypt', id, async (note) => {
      const fresh = options.overwrite !== true && options[FROM_PLAINTEXT] === undefined;
      if (fresh && (await this.#window?.has(id, { signal: options.signal })) === true) throw alreadyExists(id);
      await this.#keyAge?.requireFresh(options.signal);
      const { receipt, sealer } = await save(this.#context, id, data, options);
      note(toHex(sealer.dekId), sealer.wrap);
      return receipt;
    });
  }

  async load(id: string, options: EncryptedLoadOptions = {}): Promise<Uint8Array> {
    const maxBytes = resolveMaxBytes(options.maxBytes);
    let expected: number | undefined;
    const onLength = (length: number | undefined): void => {
      expected = length;
    };
    return collect(this.#chunks(id, { ...options, maxBytes, onLength }), {
      what: `The checkpoint ${JSON.stringify(id)}`,
      maxBytes,
      expected: () => expected,
      free: (chunk) => {
        this.#context.freer.free(chunk);
      },
    });
  }

  loadStream(id: string, options: EncryptedLoadStreamOptions = {}): AsyncIterable<Uint8Array> {
    return this.#chunks(id, options);
  }

  async readMetadata(id: string, options: EncryptedReadMetadataOptions = {}): Promise<CheckpointMetadata> {
    const store = { context: this.#context, window: this.#window };
    return this.#run('checkpoint.read-metadata', id, (note) => metadataOrPlaintext(store, id, options, note));
  }

  async delete(id: string, options: CallOptions = {}): Promise<boolean> {
    return this.#run('checkpoint.delete', id, async (note) => {
      // First: with the record gone, what is in plaintext would be the checkpoint again.
      const plain = (await this.#window?.delete(id, options)) === true;
      const removed = await remove(this.#context, id, options);
      note(removed?.dek);
      return removed !== undefined || plain;
    });
  }

  async *list(options: { readonly prefix?: string } & CallOptions = {}): AsyncIterable<string> {
    this.#requireOpen();
    if (this.#window !== undefined) yield* this.#window.list(options);
    yield* this.#context.records.list(options);
  }

  /**
   * Looks at every checkpoint and every object, and gives a finding for each. Data are authenticated to their end;
   * plaintext is overwritten and never given out. Damage is a finding, and so is what the KMS or the storage kept from
   * being looked at; only a listing that fails, the signal, and a sink that takes no events end it with a rejection.
   */
  async *verify(options: VerifyOptions = {}): AsyncGenerator<VerifyFinding, void, undefined> {
    this.#requireOpen();
    yield* verify(this.#context, options, this.#nameKey);
  }

  /**
   * Removes data objects that no record refers to, left by saves and deletes that were interrupted; needs no key. Takes two
   * runs at least: one marks, a later one removes. Any number of runs and writers may be at work at once.
   * Codes: NOT_SUPPORTED over a store of the caller's own, which knows no times.
   */
  async gc(options: GcOptions = {}): Promise<GcReport> {
    return this.#run('checkpoint.gc', WHOLE_STORE, () => {
      if (!this.#context.aged) throw new KeyfoldError('NOT_SUPPORTED', 'gc() needs to know how old objects are, and the store that was given does not tell.');
      return collectGarbage(this.#context, options);
    });
  }

  /**
   * Wraps a checkpoint's data key with the primary version of the configured
   * key; its data are not touched. See {@link rewrapRecord} for the codes.
   */
  async rewrap(id: string, options: CallOptions = {}): Promise<RewrapResult> {
    return this.#run('key.rewrap', id, async (note) => {
      if (!this.#context.conditional) throw new KeyfoldError('NOT_SUPPORTED', 'A rewrap needs conditional writes, which the store that was given has not. Give fromCheckpointStore() a KeyRecordStore.');
      const { tenant, records, policy, cache, kms: target } = this.#context;
      const result = await rewrapRecord({ records, key: id, identity: { tenant, checkpoint: id }, policy, target, cache, signal: options.signal });
      note(toHex(result.dekId), result.wrap);
      return result;
    });
  }

  /**
   * Wraps the key that hidden names follow from with the primary version of the configured key. No name changes.
   * Like every checkpoint it has to be rewrapped before a former key version goes. Codes as of {@link rewrapRecord},
   * and CONFIG_INVALID without `hideNames`.
   */
  async rewrapNameKey(options: CallOptions = {}): Promise<RewrapResult> {
    return this.#run('key.rewrap', WHOLE_STORE, async (note) => {
      if (this.#nameKey === undefined) throw new KeyfoldError('CONFIG_INVALID', 'rewrapNameKey() needs a store that was opened with hideNames: true.');
      const result = await rewrapNameKey(this.#nameKey, options.signal);
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

  /** @internal */
  get [CONTEXT](): StoreContext {
    return this.#context;
  }

  async *#chunks(
    id: string,
    options: EncryptedLoadStreamOptions & { readonly maxBytes?: number; readonly onLength?: (length: number | undefined) => void },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const trail = new Trail(this.#context, 'checkpoint.decrypt', id);
    try {
      this.#requireOpen();
      encodeId(id);
      checkAsked(options.range, options.maxBytes);
      yield* chunksOrPlaintext({ context: this.#context, window: this.#window }, id, options, trail);
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
      if (id !== WHOLE_STORE) encodeId(id);
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
