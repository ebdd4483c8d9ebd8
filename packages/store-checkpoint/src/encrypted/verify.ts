import { integrityFailure } from '@keyfold/core/provider';
import { inParallel } from '../in-parallel.ts';
import type { RecordEntry } from './checkpoint-records.ts';
import { standingOf } from './data-standing.ts';
import { nameKeyObject } from './hidden-checkpoint-names.ts';
import { type NameKeyBasis, confirmNameKey } from './name-key.ts';
import type { StoreContext } from './store-context.ts';
import { Trail } from './trail.ts';
import { UserKeyRecords } from './user-key-records.ts';
import { VerifyCounter, type ResolvedVerify, type VerifyFinding, type VerifyOptions, resolveVerify } from './verify-options.ts';
import { judge, verifyCheckpoint } from './verify-checkpoint.ts';

/**
 * Every checkpoint and every object, one finding each, in no promised order.
 * First the checkpoints that there are, then the objects that belong to none.
 */
export async function* verify(context: StoreContext, options: VerifyOptions, nameKey: NameKeyBasis | undefined): AsyncGenerator<VerifyFinding, void, undefined> {
  const stop = new AbortController();
  const resolved = resolveVerify(options);
  const signal = AbortSignal.any([stop.signal, ...(resolved.signal === undefined ? [] : [resolved.signal])]);
  const counter = new VerifyCounter();
  for await (const finding of findings(context, { ...resolved, signal }, nameKey)) {
    if (finding === undefined) continue;
    options.onProgress?.(counter.add(finding));
    let left = true;
    try {
      yield finding;
      left = false;
    } finally {
      // Who leaves early does not wait until data have been read to their end.
      if (left) stop.abort();
    }
  }
}

async function* findings(
  context: StoreContext,
  options: ResolvedVerify,
  nameKey: NameKeyBasis | undefined,
): AsyncGenerator<VerifyFinding | undefined, void, undefined> {
  const { prefix, concurrency, signal } = options;
  if (nameKey !== undefined) yield await verifyNameKey(context, nameKey, signal);
  yield* inParallel(context.records.entries({ prefix, signal }), concurrency, (entry) => verifyEntry(context, entry, options));
  const objects = context.objects.list({ prefix: prefix === '' ? context.names.root : context.names.stemPrefix(prefix), signal });
  yield* inParallel(objects, concurrency, ({ name }) => lookAtObject(context, name, options));
}

async function verifyEntry(context: StoreContext, entry: RecordEntry, options: ResolvedVerify): Promise<VerifyFinding | undefined> {
  if (!('unreadable' in entry)) return verifyCheckpoint(context, entry.id, options);
  const object = entry.unreadable;
  await new Trail(context, 'checkpoint.verify', object).failure(integrityFailure(`The hidden name of the object ${object}`));
  return { status: 'damaged', object, code: 'INTEGRITY_FAILURE', message: UNREADABLE };
}

/** Without it nothing is found at the next open. Nothing is said when it is as it was when the store opened. */
async function verifyNameKey(context: StoreContext, basis: NameKeyBasis, signal: AbortSignal | undefined): Promise<VerifyFinding | undefined> {
  const object = nameKeyObject(context.tenant);
  try {
    await confirmNameKey(basis, context.names, signal);
    return undefined;
  } catch (error) {
    const judged = judge({ object }, error);
    await new Trail(context, 'checkpoint.verify', object).failure(error);
    return judged;
  }
}

const UNREADABLE = 'The sealed id of this object does not open. Restore it from a backup; where there is none, delete() of its id removes it, or delete() of the object store.';
const FOREIGN = 'No store of this kind gives objects such a name. Find out who wrote it, and remove it with delete() of the object store if it is not needed.';
const ORPHAN = 'No record refers to these data. gc() removes them, unless a save under way needs them.';

/** What no record names. */
async function lookAtObject(context: StoreContext, name: string, options: ResolvedVerify): Promise<VerifyFinding | undefined> {
  const named = context.names.parse(name);
  if (named.kind === 'mark' || context.names.isOwn(name)) return undefined;
  // Where records are kept apart, one that lies with the data is of another store: its checkpoint is not seen here.
  if (named.kind === 'record' && !(context.records instanceof UserKeyRecords)) return undefined;
  if (named.kind === 'other' || named.kind === 'record') return { status: 'foreign', object: name, message: FOREIGN };
  const id = context.names.idOfStem(named.stem);
  // Storage lists by the encoded id, whose beginning need not be the id's.
  if (options.prefix !== '' && id?.startsWith(options.prefix) !== true) return undefined;
  const about = { object: name, ...(id === undefined ? {} : { id }) };
  try {
    return (await standingOf(context, named.stem, named.objectId, options)) === 'orphan' ? { status: 'orphan', ...about, message: ORPHAN } : undefined;
  } catch (error) {
    return judge(about, error);
  }
}
