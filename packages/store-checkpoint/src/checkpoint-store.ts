import type { ByteRange, CheckpointMetadata } from '@keyfold/core';

/** A checkpoint's bytes at once, or as they come; of any length, which need not be known beforehand. */
export type CheckpointData = Uint8Array | AsyncIterable<Uint8Array>;

/** What every call takes. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How a checkpoint is saved. */
export interface SaveOptions extends CallOptions {
  /** Readable without the data. A JSON object of at most 65,416 bytes. Default `{}`. */
  readonly metadata?: CheckpointMetadata;
  /** Replace what is there. Default false: an existing id is refused with ALREADY_EXISTS. */
  readonly overwrite?: boolean;
}

/** How a checkpoint is read as a stream. */
export interface LoadStreamOptions<Receipt> extends CallOptions {
  /** What save() returned: refuses anything older or other under this id. */
  readonly expect?: Receipt;
  /** Only these bytes of the data, `start` up to but not including `end`. RANGE_INVALID unless 0 <= start <= end <= length. */
  readonly range?: ByteRange;
  /**
   * A chunk is valid only until the next is asked for: its memory may be gone then. For readers that pass
   * each chunk on at once; it spares the collector a gibibyte a second. Default false: chunks are the reader's to keep.
   */
  readonly transientChunks?: boolean;
}

/** How a checkpoint is read at once. */
export interface LoadOptions<Receipt> extends LoadStreamOptions<Receipt> {
  /** Refuses a larger checkpoint, or range, with LIMIT_EXCEEDED before memory is taken. Default 1 GiB. */
  readonly maxBytes?: number;
}

/**
 * Named, immutable checkpoints. The plain and the encrypted store both
 * implement it, so encryption is put in by changing one line.
 *
 * Ids are 1..1,024 UTF-8 bytes; `/` separates segments, none of which is empty,
 * `.` or `..`. Codes of every call: INVALID_ARGUMENT, ABORTED, CLOSED,
 * STORAGE_FULL, STORAGE_DENIED, STORAGE_FAILURE; further ones are named below.
 */
export interface CheckpointStore<Receipt = unknown> {
  /**
   * Durable when it resolves; before that, nobody sees anything of it. Chunks
   * may be reused by the caller as soon as the next one is asked for.
   * Further codes: ALREADY_EXISTS, CONFLICT (another writer came first), LIMIT_EXCEEDED.
   */
  save(id: string, data: CheckpointData, options?: SaveOptions): Promise<Receipt>;
  /** All of it, verified to the end, or a range of it. Further codes: NOT_FOUND, INTEGRITY_FAILURE, LIMIT_EXCEEDED, RANGE_INVALID. */
  load(id: string, options?: LoadOptions<Receipt>): Promise<Uint8Array>;
  /**
   * As it comes, every chunk verified. A truncated checkpoint shows only at the
   * end, as a rejection: treat what was read as incomplete until the iteration ends.
   * A range reads only what it needs, and its place and the data's length are
   * authentic from the first chunk on. Further codes: NOT_FOUND, INTEGRITY_FAILURE, RANGE_INVALID.
   */
  loadStream(id: string, options?: LoadStreamOptions<Receipt>): AsyncIterable<Uint8Array>;
  /** Without reading the data. Further codes: NOT_FOUND, INTEGRITY_FAILURE. */
  readMetadata(id: string, options?: CallOptions): Promise<CheckpointMetadata>;
  /** Resolves to whether it was there. Further codes: CONFLICT. */
  delete(id: string, options?: CallOptions): Promise<boolean>;
  /** Ids that begin with `prefix`, in no promised order. */
  list(options?: { readonly prefix?: string } & CallOptions): AsyncIterable<string>;
  /** Forgets cached keys; later calls reject with CLOSED. What the caller made (KMS, objects) stays open. */
  close(): Promise<void>;
}
