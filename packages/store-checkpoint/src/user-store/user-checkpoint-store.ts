/**
 * A store of the caller's own that keeps bytes under names. Names are 1..3,072
 * characters of `[a-z0-9._/%-]`, as those of an ObjectStore. What it throws is
 * reported as STORAGE_FAILURE unless it is a KeyfoldError.
 */
export interface UserCheckpointStore {
  /** Durable when it resolves, and all of it or nothing; replaces what is there. The bytes are the caller's to keep. */
  save(name: string, bytes: Uint8Array): Promise<unknown>;
  /** Or undefined, or null, when absent. */
  load(name: string): Promise<Uint8Array | undefined | null>;
  /** Nothing happens when it is absent. */
  delete(name: string): Promise<unknown>;
  /** Every name that begins with `prefix`; more is left out, the order does not matter. */
  list(prefix: string): AsyncIterable<string> | Iterable<string> | Promise<Iterable<string>>;
}
