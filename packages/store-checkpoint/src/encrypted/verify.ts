import { isKeyfoldError } from '@keyfold/core';
import { inParallel } from '../in-parallel.ts';
import type { RecordEntry } from './checkpoint-records.ts';
import { standingOf } from './data-standing.ts';
import type { StoreContext } from './store-context.ts';
import { VerifyCounter, type ResolvedVerify, type VerifyFinding, type VerifyOptions, resolveVerify } from './verify-options.ts';
import { verifyCheckpoint } from './verify-checkpoint.ts';

/**
 * Every checkpoint and every object, one finding each, in no promised order.
 * First the checkpoints that there are, then the objects that belong to none.
 */
export async function* verify(context: StoreContext, options: VerifyOptions): AsyncGenerator<VerifyFinding, void, undefined> {
  const stop = new AbortController();
  const resolved = resolveVerify(options);
  const signal = AbortSignal.any([stop.signal, ...(resolved.signal === undefined ? [] : [resolved.signal])]);
  const counter = new VerifyCounter();
  for await (const finding of findings(context, { ...resolved, signal })) {
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

async function* findings(context: StoreContext, options: ResolvedVerify): AsyncGenerator<VerifyFinding | undefined, void, undefined> {
  const { prefix, concurrency, signal } = options;
  yield* inParallel(context.records.entries({ prefix, signal }), concurrency, (entry) => verifyEntry(context, entry, options));
  const objects = context.objects.list({ prefix: prefix === '' ? context.names.root : context.names.stemPrefix(prefix), signal });
  yield* inParallel(objects, concurrency, ({ name }) => lookAtObject(context, name, options));
}

async function verifyEntry(context: StoreContext, entry: RecordEntry, options: ResolvedVerify): Promise<VerifyFinding | undefined> {
  if ('unreadable' in entry) return { status: 'damaged', object: entry.unreadable, code: 'INTEGRITY_FAILURE' };
  return verifyCheckpoint(context, entry.id, options);
}

/** What no record names. */
async function lookAtObject(context: StoreContext, name: string, options: ResolvedVerify): Promise<VerifyFinding | undefined> {
  const named = context.names.parse(name);
  if (named.kind === 'record' || named.kind === 'mark' || context.names.isOwn(name)) return undefined;
  if (named.kind === 'other') return { status: 'foreign', object: name };
  const id = context.names.idOfStem(named.stem);
  // Storage lists by the encoded id, whose beginning need not be the id's.
  if (options.prefix !== '' && id?.startsWith(options.prefix) !== true) return undefined;
  const about = { object: name, ...(id === undefined ? {} : { id }) };
  try {
    return (await standingOf(context, named.stem, named.objectId, options)) === 'orphan' ? { status: 'orphan', ...about } : undefined;
  } catch (error) {
    if (!isKeyfoldError(error) || error.code === 'ABORTED') throw error;
    return error.code === 'LIMIT_EXCEEDED' ? undefined : { status: 'unchecked', ...about, code: error.code };
  }
}
