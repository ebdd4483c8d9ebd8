import { KeyfoldError, type StoredKeyRecord, forgetCheckpointKey, isKeyfoldError } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import type { CallOptions } from '../checkpoint-store.ts';
import { isOf } from './confirm-data.ts';
import { tryInspect } from './inspect-record.ts';
import { type StoreContext, dataNameOf } from './store-context.ts';

/** How often a record may be replaced under a delete before it gives up. */
const ATTEMPTS = 5;

/** What the audit says of a delete. */
export interface Removed {
  /** 32 hex digits, or undefined when the record was not readable as one. */
  readonly dek: string | undefined;
}

export interface RemoveOptions extends CallOptions {
  /** 32 hex digits. */
  readonly objectId?: string;
}

/**
 * The record first, for without it nobody can open the data; then the data.
 * Needs no KMS: the record is not opened, and only names under this id follow from it.
 * With `objectId` only the record of that save, rewrapped or not.
 */
export async function remove(context: StoreContext, id: string, options: RemoveOptions): Promise<Removed | undefined> {
  let contended: StoredKeyRecord | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await getOrRemoveOversized(context, id, options);
    if (stored === 'changed') continue;
    if (stored === 'removed') return { dek: undefined };
    if (stored === undefined) {
      // Another deleted it, or a store that tried twice lost to itself: then nobody else removes the data.
      if (contended !== undefined) await removeData(context, id, contended.bytes);
      return undefined;
    }
    if (options.objectId !== undefined && !isOf(stored, options.objectId, id)) return undefined;
    try {
      await context.records.delete(id, stored.version, { signal: options.signal });
    } catch (error) {
      if (!isKeyfoldError(error, 'CONFLICT')) throw error;
      contended = stored;
      continue;
    }
    return removeData(context, id, stored.bytes);
  }
  throw new KeyfoldError('CONFLICT', `The checkpoint ${JSON.stringify(id)} is being replaced faster than it can be deleted. Try again.`);
}

/** The record, unless something stood in its place that is too large to be one. */
async function getOrRemoveOversized(context: StoreContext, id: string, { signal, objectId }: RemoveOptions): Promise<StoredKeyRecord | 'removed' | 'changed' | undefined> {
  try {
    return await context.records.get(id, { signal });
  } catch (error) {
    if (!isKeyfoldError(error, 'LIMIT_EXCEEDED') || context.records.removeOversized === undefined) throw error;
    // It is of no save.
    if (objectId !== undefined) return undefined;
    const outcome = await context.records.removeOversized(id, { signal });
    return outcome === 'absent' ? undefined : outcome;
  }
}

async function removeData(context: StoreContext, id: string, record: Uint8Array): Promise<Removed> {
  // A record that is damaged can be deleted all the same; its data stay until garbage is collected.
  const parsed = tryInspect(record, id);
  if (parsed === undefined) return { dek: undefined };
  forgetCheckpointKey(parsed.record, { tenant: context.tenant, checkpoint: id }, context);
  if (parsed.rest.byteLength === 0) await context.objects.delete(dataNameOf(context, id, toHex(parsed.record.objectId)));
  return { dek: toHex(parsed.record.dekId) };
}
