import { KeyfoldError, type StoredKeyRecord, isKeyfoldError } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import { tryInspect } from './inspect-record.ts';
import type { StoreContext } from './store-context.ts';

/** How often a record may be rewrapped while it is taken back. */
const ATTEMPTS = 5;

export interface CommittedSave {
  readonly objectId: string;
  /** The data object. */
  readonly name: string;
  /** What the collection of garbage puts beside it before it looks whether a record refers to it. */
  readonly mark: string;
  /** The record that was replaced. */
  readonly predecessor: Uint8Array | undefined;
}

/**
 * Data are absent either because others have replaced or deleted the checkpoint
 * since, and then it had been saved; or because somebody took them for an orphan
 * before their record was there: then what was there before is put back.
 *
 * The collector marks, then reads the record, then removes data and mark, in
 * that order; the record was written before this looks for the mark, then for
 * the data, in that order. So either the collector sees the record, or this
 * sees the mark or that the data are gone, however long either of them stands still.
 * @throws KeyfoldError CONFLICT
 */
export async function confirmData(context: StoreContext, id: string, save: CommittedSave): Promise<void> {
  const marked = (await context.objects.head(save.mark)) !== undefined;
  if (!marked && (await context.objects.head(save.name)) !== undefined) return;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await context.records.get(id);
    if (stored === undefined || !isOf(stored, save.objectId, id)) return;
    if (await takeBack(context, id, stored, save.predecessor)) break;
  }
  throw new KeyfoldError('CONFLICT', `The data of ${JSON.stringify(id)} was removed while it was being saved. Save it again.`);
}

/** Whether a record is this save's, rewrapped or not. */
export function isOf(stored: StoredKeyRecord, objectId: string, id: string): boolean {
  const parsed = tryInspect(stored.bytes, id);
  return parsed !== undefined && toHex(parsed.record.objectId) === objectId;
}

/** Or false when the record was rewrapped meanwhile. */
async function takeBack(context: StoreContext, id: string, stored: StoredKeyRecord, predecessor: Uint8Array | undefined): Promise<boolean> {
  try {
    if (predecessor === undefined) await context.records.delete(id, stored.version);
    else await context.records.compareAndSwap(id, stored.version, predecessor);
    return true;
  } catch (error) {
    if (isKeyfoldError(error, 'CONFLICT')) return false;
    throw error;
  }
}
