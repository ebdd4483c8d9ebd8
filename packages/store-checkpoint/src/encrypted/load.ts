import { KeyfoldError, type OpenedKeyRecord, type StoredKeyRecord, openCheckpointData, openCheckpointRecord } from '@keyfold/core';
import { constantTimeEqual, integrityFailure, throwIfAborted, toHex } from '@keyfold/core/provider';
import { tooLarge } from '../checkpoint-data.ts';
import type { CallOptions } from '../checkpoint-store.ts';
import { dataName } from '../object-names.ts';
import { type CheckpointReceipt, checkReceipt } from './receipt.ts';
import type { StoreContext } from './store-context.ts';

/** How often a checkpoint may be replaced under a reader before the reader gives up. */
const ATTEMPTS = 5;

export interface OpenCheckpointOptions extends CallOptions {
  readonly expect?: CheckpointReceipt | undefined;
  /** Plaintext bytes: refuses data objects that certainly hold more before anything is read. */
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
  const { opened, body, cancel } = await openBoth(context, id, options);
  try {
    await options.onOpened(opened);
    for await (const plaintext of openCheckpointData(opened, { tenant: context.tenant, checkpoint: id }, body)) {
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

interface OpenCheckpoint {
  readonly opened: OpenedKeyRecord;
  readonly body: AsyncIterable<Uint8Array>;
  readonly cancel: () => Promise<void>;
}

/**
 * Record and data of one and the same save. Data that is absent means that the
 * checkpoint was replaced (read again), deleted (NOT_FOUND), or is damaged.
 */
async function openBoth(context: StoreContext, id: string, options: OpenCheckpointOptions): Promise<OpenCheckpoint> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { stored, opened } = await openRecord(context, id, options);
    try {
      const data = await openData(context, id, opened, options);
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

async function openData(
  context: StoreContext,
  id: string,
  opened: OpenedKeyRecord,
  { maxBytes = Number.POSITIVE_INFINITY, signal }: OpenCheckpointOptions,
): Promise<Omit<OpenCheckpoint, 'opened'> | undefined> {
  const { record, rest } = opened.parsed;
  const sealedLimit = maxBytes + overheadOf(maxBytes);
  if (rest.byteLength > 0) {
    if (rest.byteLength > sealedLimit) throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
    return { body: single(rest), cancel: () => Promise.resolve() };
  }
  const object = await context.objects.open(dataName(id, toHex(record.objectId)), { signal });
  if (object === undefined) return undefined;
  if (object.size > sealedLimit) {
    await object.cancel();
    throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
  }
  return { body: object.body, cancel: () => object.cancel() };
}

/** The most that sealing adds: a lead, and a tag for every 16 KiB. */
function overheadOf(bytes: number): number {
  return 96 + 16 * (1 + Math.ceil(bytes / 16_384));
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes);
}

function notFound(id: string): KeyfoldError {
  return new KeyfoldError('NOT_FOUND', `There is no checkpoint ${JSON.stringify(id)}. Check the id and the tenant; list() gives those that are there.`);
}
