/** What an object store knows of an object without reading it. */
export interface ObjectInfo {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Unix milliseconds. */
  readonly lastModified: number;
}

/** A small object, whole. */
export interface ObjectContent {
  readonly bytes: Uint8Array;
  /** Its identity at this moment, for `ifMatch`: opaque, changes with every replacement. */
  readonly etag: string;
}

/** What an ObjectStore decides by itself. */
export interface ObjectStoreCapabilities {
  /** `create` and `replace` are decided by the store, atomically. Required by the encrypted store. */
  readonly conditionalWrites: boolean;
}

/** Half-open: bytes `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Chunks of any size. Without `release` a chunk stays the writer's: its content may change once the next is asked for. */
export interface ObjectChunks extends AsyncIterable<Uint8Array> {
  /**
   * Present where every chunk keeps its content until it comes back through this
   * function, so that a store may still be writing some while it asks for the next.
   * A store calls it at most once for each, when nothing reads the chunk any more,
   * in any order; the memory may be gone as soon as it does. Chunks that never come
   * back cost memory and nothing else: a store may know nothing of this.
   */
  readonly release?: ((chunk: Uint8Array) => void) | undefined;
}

/** Bytes at once, which do not change before the put is over, or in chunks. */
export type ObjectBody = Uint8Array | ObjectChunks;

/** What every call takes. */
export interface ObjectCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How a put treats an object that is there. Without either the last writer wins. */
export interface PutCondition {
  /** Only where nothing stands (`If-None-Match: *`), else ALREADY_EXISTS. */
  readonly ifNoneMatch?: '*';
  /** Only over exactly this state (`If-Match`), else CONFLICT; an absent object is a CONFLICT too. */
  readonly ifMatch?: string;
}

/** An object that is ready to be put. End it by one of the two. */
export interface PreparedPut {
  /** What `put` would do from here on, with its promises and codes: nothing was visible before. */
  publish(): Promise<{ readonly size: number }>;
  /** Leaves nothing. Never rejects, and does nothing after `publish`. */
  discard(): Promise<void>;
}

/** What opening an object takes besides. */
export interface OpenOptions extends ObjectCallOptions {
  /** Only these bytes. */
  readonly range?: ByteRange;
  /**
   * Where a store may put a chunk of that many bytes, so that a reader can have
   * many chunks in the same memory; undefined leaves it to the store. Each is
   * for one chunk, is the store's until it gives that chunk out, and nothing
   * touches it from then on, nor once the body is over. A store may know nothing
   * of this.
   */
  readonly memory?: ((bytes: number) => Uint8Array | undefined) | undefined;
}

/** An open object. Iterate `body` once, or call `cancel`; until then a handle may be held. */
export interface OpenObject {
  /** Bytes of the whole object, whatever range was asked for. */
  readonly size: number;
  /**
   * Opaque, and another one after every replacement: two opens that give the
   * same one read from the same object. Left out where the store cannot tell.
   */
  readonly identity?: string;
  /** Chunks of any size; each is the reader's to keep, to change or to free. Errors rather than ends early. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the object without reading on; calling it again, or after the end, does nothing. */
  cancel(): Promise<void>;
}

/**
 * Named, flat, byte-exact storage. Names are 1..3,072 characters of
 * `[a-z0-9._/%-]` without empty, `.` or `..` segments; `/` is only a separator.
 * A put is atomic and durable when it resolves: readers see all of it or none.
 *
 * Codes: NOT_FOUND, ALREADY_EXISTS, CONFLICT, LIMIT_EXCEEDED, RANGE_INVALID,
 * INVALID_ARGUMENT, STORAGE_FULL, STORAGE_DENIED, STORAGE_FAILURE, ABORTED.
 */
export interface ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  /**
   * Writes atomically: everything or nothing, also when `body` throws (that
   * error is passed on as it is).
   */
  put(
    name: string,
    body: ObjectBody,
    options?: PutCondition & ObjectCallOptions,
  ): Promise<{ readonly size: number }>;
  /**
   * The slow part of a put of bytes, ahead of its time: for a writer who has to
   * wait for something else before the object may be seen. Same arguments and
   * codes; whether the condition holds is decided when it is published. Left out
   * where a put has no part that can go ahead.
   */
  prepare?(name: string, bytes: Uint8Array, options?: PutCondition & ObjectCallOptions): Promise<PreparedPut>;
  /**
   * A small object at once with its etag, or undefined when absent.
   * LIMIT_EXCEEDED, before anything is allocated, when larger than `maxBytes`.
   */
  read(
    name: string,
    options: { readonly maxBytes: number } & ObjectCallOptions,
  ): Promise<ObjectContent | undefined>;
  /** A large, immutable object in chunks, or undefined when absent. */
  open(
    name: string,
    options?: OpenOptions,
  ): Promise<OpenObject | undefined>;
  /** Or undefined when absent. */
  head(name: string, options?: ObjectCallOptions): Promise<ObjectInfo | undefined>;
  /**
   * Removes; resolves to whether it was there. With `ifMatch` only in exactly
   * that state (otherwise CONFLICT), and no later replacement of that state by a slow writer succeeds.
   */
  delete(name: string, options?: { readonly ifMatch?: string } & ObjectCallOptions): Promise<boolean>;
  /** Every object whose name begins with `prefix`, in ascending order of names by code unit. */
  list(options?: { readonly prefix?: string } & ObjectCallOptions): AsyncIterable<ObjectInfo>;
  /**
   * Where interrupted writers leave what no call shows: removes it once it is
   * older than `olderThanMs` (the store's own default unless given). Safe beside
   * any number of writers. Resolves to counts of what was removed, by kind.
   */
  sweep?(options?: { readonly olderThanMs?: number | undefined } & ObjectCallOptions): Promise<object>;
}
