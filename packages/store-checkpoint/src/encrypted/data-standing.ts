import { isKeyfoldError } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import type { CallOptions } from '../checkpoint-store.ts';
import { tryInspect } from './inspect-record.ts';
import type { StoreContext } from './store-context.ts';

/** What becomes of a data object: somebody needs it, nobody does, or that cannot be told. */
export type DataStanding = 'referenced' | 'orphan' | 'unclear';

/**
 * Whether the record of a stem refers to a data object. Needs no key. A record
 * that cannot be read as one may refer to anything. One that refers to other
 * data which are absent, or marked, may be taken back by the save that wrote
 * it, for the record before it: then these data are needed again.
 */
export async function standingOf(context: StoreContext, stem: string, objectId: string, options: CallOptions): Promise<DataStanding> {
  const { names, objects, records } = context;
  const { signal } = options;
  const stored = await records.at(stem, { signal }).catch(oversized);
  if (stored === undefined) return 'orphan';
  if (stored === 'oversized') return 'unclear';
  const parsed = tryInspect(stored.bytes, stem);
  if (parsed === undefined) return 'unclear';
  if (parsed.rest.byteLength > 0) return 'orphan';
  const current = toHex(parsed.record.objectId);
  if (current === objectId) return 'referenced';
  const marked = (await objects.head(names.mark(stem, current), { signal })) !== undefined;
  return marked || (await objects.head(names.data(stem, current), { signal })) === undefined ? 'unclear' : 'orphan';
}

/** What is too large for a record is there, and cannot be read as one. */
function oversized(error: unknown): 'oversized' {
  if (isKeyfoldError(error, 'LIMIT_EXCEEDED')) return 'oversized';
  throw error;
}
