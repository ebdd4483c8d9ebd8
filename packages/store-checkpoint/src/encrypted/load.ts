import { type ByteRange, KeyfoldError, type OpenedKeyRecord, type OpenedRange, type StoredKeyRecord, openCheckpointData, openCheckpointRecord } from '@keyfold/core';
import { constantTimeEqual, integrityFailure, throwIfAborted, toHex } from '@keyfold/core/provider';
import { tooLarge } from '../checkpoint-data.ts';
import type { CallOptions } from '../checkpoint-store.ts';
import { dataName } from '../object-names.ts';
import { once, openRange } from './load-range.ts';
import { type CheckpointReceipt, checkReceipt } from './receipt.ts';
import type { StoreContext } from './store-context.ts';

/** How often a checkpoint may be replaced under a reader before the reader gives up. */
const ATTEMPTS = 5;

export interface OpenCheckpointOptions extends CallOptions {
  readonly expect?: CheckpointReceipt | undefined;
  readonly range?: ByteRange;
  /** Plaintext bytes: refuses data objects that certainly hold more before anything is read. Not for ranges. */
  readonly maxBytes?: number;
  /** Told which record was opened, before any plaintext is given out. */
  readonly onOpened: (opened: OpenedKeyRecord) => Promise<void>;
}

/** A checkpoint's verified plaintext, chunk by chunk. */
export async function* loadChunks(
  context: StoreContext,
  id: string,
  options: OpenCheckpointOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { opened, plaintext: chunks, cancel } = await openBoth(context, id, options);
  try {
    await options.onOpened(opened);
    for await (const plaintext of chunks) {
      throwIfAborted(options.signal);
      if (plaintext.byteLength > 0) yield plaintext;
    }
  } finally {
    opened.lease.release();
    await cancel();
  }
}

/** A record that is verified against tenant, id and receipt. */
export async function openRecord(
  context: StoreContext,
  id: string,
  options: CallOptions & { readonly expect?: CheckpointReceipt | undefined },
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
    return { stored, opened };
  } catch (error) {
    opened.lease.release();
    throw error;
  }
}

interface OpenCheckpoint extends OpenedRange {
  readonly opened: OpenedKeyRecord;
}

/**
 * Record and data of one and the same save. Data that is absent means that the
 * checkpoint was replaced (read again), deleted (NOT_FOUND), or is damaged.
 */
async function openBoth(context: StoreContext, id: string, options: OpenCheckpointOptions): Promise<OpenCheckpoint> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { stored, opened } = await openRecord(context, id, options);
    try {
      const { range, signal } = options;
      const data = range === undefined ? await openWhole(context, id, opened, options) : await openRange(context, id, opened, { range, signal });
      if (data !== undefined) return { opened, ...data };
    } catch (error) {
      opened.lease.release();
      throw error;
    }
    opened.lease.release();
    const again = await context.records.get(id, { signal: options.signal });
    if (again === undefined) throw notFound(id);
    if (constantTimeEqual(again.bytes, stored.bytes)) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
  }
  throw new KeyfoldError('CONFLICT', `The checkpoint ${JSON.stringify(id)} is being replaced faster than it can be read. Try again.`);
}

/** All data, or undefined when they are absent. */
async function openWhole(
  context: StoreContext,
  id: string,
  opened: OpenedKeyRecord,
  { maxBytes = Number.POSITIVE_INFINITY, signal }: OpenCheckpointOptions,
): Promise<OpenedRange | undefined> {
  const identity = { tenant: context.tenant, checkpoint: id };
  const { record, rest } = opened.parsed;
  const sealedLimit = maxBytes + overheadOf(maxBytes);
  if (rest.byteLength > 0) {
    if (rest.byteLength > sealedLimit) throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
    return { plaintext: openCheckpointData(opened, identity, once(rest)), cancel: () => Promise.resolve() };
  }
  const object = await context.objects.open(dataName(id, toHex(record.objectId)), { signal });
  if (object === undefined) return undefined;
  if (object.size > sealedLimit) {
    await object.cancel();
    throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
  }
  return { plaintext: openCheckpointData(opened, identity, object.body), cancel: () => object.cancel() };
}

/** The most that any suite adds: a lead; and IV, padding and tag for every 16 KiB. */
function overheadOf(bytes: number): number {
  return 96 + 64 * (1 + Math.ceil(bytes / 16_384));
}

function notFound(id: string): KeyfoldError {
  return new KeyfoldError('NOT_FOUND', `There is no checkpoint ${JSON.stringify(id)}. Check the id and the tenant; list() gives those that are there.`);
}
