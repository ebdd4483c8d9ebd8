import { type ByteRange, KeyfoldError, type OpenedKeyRecord, type OpenedRange, type StoredKeyRecord, checkpointLength, openCheckpointData, openCheckpointRecord } from '@keyfold/core';
import { constantTimeEqual, integrityFailure, throwIfAborted, toHex } from '@keyfold/core/provider';
import { tooLarge } from '../checkpoint-data.ts';
import type { CallOptions } from '../checkpoint-store.ts';
import { once, openRange } from './load-range.ts';
import { type CheckpointReceipt, checkGeneration, checkReceipt } from './receipt.ts';
import { ReadMemory } from './read-memory.ts';
import { type StoreContext, dataNameOf } from './store-context.ts';
import { YoungMemory } from './young-memory.ts';

/** How often a checkpoint may be replaced under a reader before the reader gives up. */
const ATTEMPTS = 5;

export interface OpenRecordOptions extends CallOptions {
  readonly expect?: CheckpointReceipt | undefined;
  /** The record's, at least. */
  readonly minimumGeneration?: number | undefined;
}

export interface OpenCheckpointOptions extends OpenRecordOptions {
  readonly range?: ByteRange;
  readonly transientChunks?: boolean;
  /** Plaintext bytes: refuses data objects that certainly hold more before anything is read. Not for ranges. */
  readonly maxBytes?: number;
  /** Told which record was opened, and how much it should hold as far as that is known, before any plaintext is given out. */
  readonly onOpened: (opened: OpenedKeyRecord, length: number | undefined) => Promise<void>;
}

/** A checkpoint's verified plaintext, chunk by chunk. */
export async function* loadChunks(
  context: StoreContext,
  id: string,
  options: OpenCheckpointOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { opened, plaintext: chunks, length, cancel } = await openBoth(context, id, options);
  const young = new YoungMemory();
  try {
    await options.onOpened(opened, length);
    for await (const plaintext of chunks) {
      throwIfAborted(options.signal);
      if (plaintext.byteLength === 0) continue;
      yield plaintext;
      if (options.transientChunks === true) context.freer.free(plaintext);
      young.handedOut(plaintext);
    }
  } finally {
    opened.lease.release();
    await cancel();
  }
}

/** A record that is verified against tenant, id, receipt and generation. */
export async function openRecord(
  context: StoreContext,
  id: string,
  options: OpenRecordOptions,
): Promise<{ readonly stored: StoredKeyRecord; readonly opened: OpenedKeyRecord }> {
  const stored = await context.records.get(id, { signal: options.signal });
  if (stored === undefined) throw notFound(id);
  const identity = { tenant: context.tenant, checkpoint: id };
  const opened = await openCheckpointRecord(stored.bytes, identity, {
    policy: context.policy,
    cache: context.cache,
    signal: options.signal,
  });
  try {
    checkReceipt(options.expect, opened, id);
    checkGeneration(options.minimumGeneration, opened, id);
    return { stored, opened };
  } catch (error) {
    opened.lease.release();
    throw error;
  }
}

interface OpenPlaintext extends OpenedRange {
  /** What the storage says, and nobody vouches for. */
  readonly length?: number | undefined;
}

interface OpenCheckpoint extends OpenPlaintext {
  readonly opened: OpenedKeyRecord;
}

async function openBoth(context: StoreContext, id: string, options: OpenCheckpointOptions): Promise<OpenCheckpoint> {
  const { range, signal } = options;
  const found = await withRecord(context, id, options, (opened) =>
    range === undefined ? openWhole(context, id, opened, options) : openRange(context, id, opened, { range, signal }),
  );
  if (found.data === undefined) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
  return { opened: found.opened, ...found.data };
}

/** A record, to be released, with its data; or a record whose data are missing. */
export type RecordAndData<Data> =
  | { readonly opened: OpenedKeyRecord; readonly data: NonNullable<Data> }
  | { readonly opened?: undefined; readonly data?: undefined };

/**
 * Record and data of one and the same save. Data that `openData` finds absent
 * mean that the checkpoint was replaced (read again), deleted (NOT_FOUND), or
 * that they are missing.
 */
export async function withRecord<Data>(
  context: StoreContext,
  id: string,
  options: OpenRecordOptions,
  openData: (opened: OpenedKeyRecord) => Promise<Data | undefined>,
): Promise<RecordAndData<Data>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { stored, opened } = await openRecord(context, id, options);
    try {
      const data = await openData(opened);
      if (data !== undefined && data !== null) return { opened, data };
    } catch (error) {
      opened.lease.release();
      throw error;
    }
    opened.lease.release();
    const again = await context.records.get(id, { signal: options.signal });
    if (again === undefined) throw notFound(id);
    if (constantTimeEqual(again.bytes, stored.bytes)) return {};
  }
  throw new KeyfoldError('CONFLICT', `The checkpoint ${JSON.stringify(id)} is being replaced faster than it can be read. Try again.`);
}

/** All data, or undefined when they are absent. */
export async function openWhole(
  context: StoreContext,
  id: string,
  opened: OpenedKeyRecord,
  { maxBytes = Number.POSITIVE_INFINITY, signal }: CallOptions & { readonly maxBytes?: number },
): Promise<OpenPlaintext | undefined> {
  const identity = { tenant: context.tenant, checkpoint: id };
  const { record, rest } = opened.parsed;
  const sealedLimit = maxBytes + overheadOf(maxBytes);
  if (rest.byteLength > 0) {
    if (rest.byteLength > sealedLimit) throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
    return { plaintext: openCheckpointData(opened, identity, once(rest)), cancel: () => Promise.resolve() };
  }
  const memory = new ReadMemory(context.freer);
  const object = await context.objects.open(dataNameOf(context, id, toHex(record.objectId)), { signal, memory: (bytes) => memory.take(bytes) });
  if (object === undefined) return undefined;
  if (object.size > sealedLimit) {
    await object.cancel();
    throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
  }
  return {
    plaintext: openCheckpointData(opened, identity, object.body, memory),
    length: checkpointLength(opened, object.size),
    cancel: async () => {
      await object.cancel();
      memory.close();
    },
  };
}

/** The most that any suite adds: a lead; and IV, padding and tag for every 16 KiB. */
function overheadOf(bytes: number): number {
  return 96 + 64 * (1 + Math.ceil(bytes / 16_384));
}

function notFound(id: string): KeyfoldError {
  return new KeyfoldError('NOT_FOUND', `There is no checkpoint ${JSON.stringify(id)}. Check the id and the tenant; list() gives those that are there.`);
}
