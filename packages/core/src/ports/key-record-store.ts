/** A key record as it is stored, with the token that a conditional replacement names. */
export interface StoredKeyRecord {
  /** The record, and behind it whatever the store's owner keeps in the same object. */
  readonly bytes: Uint8Array;
  /** Opaque; changes with every replacement. */
  readonly version: string;
}

/** What every call takes. */
export interface KeyRecordCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where key records live: sidecar objects beside checkpoints, or rows of a key
 * table. The only thing that rotation rewrites. Every write is durable when it
 * resolves.
 *
 * Codes: ALREADY_EXISTS, CONFLICT, LIMIT_EXCEEDED, STORAGE_FULL,
 * STORAGE_DENIED, STORAGE_FAILURE, ABORTED.
 */
export interface KeyRecordStore {
  /** Or undefined when absent. */
  get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined>;
  /** Keys that begin with `prefix`. */
  list(options?: { readonly prefix?: string } & KeyRecordCallOptions): AsyncIterable<string>;
  /** ALREADY_EXISTS when there is one. */
  create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void>;
  /** CONFLICT unless the record stands in exactly this version; never creates. */
  compareAndSwap(
    key: string,
    version: string,
    bytes: Uint8Array,
    options?: KeyRecordCallOptions,
  ): Promise<void>;
  /** CONFLICT unless the record stands in exactly this version. */
  delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void>;
}
