import {
  type CheckpointSealer,
  KeyfoldError,
  type StoredKeyRecord,
  isKeyfoldError,
  sealCheckpoint,
} from '@keyfold/core';
import { type ObjectChunks, concatBytes, throwIfAborted, toHex } from '@keyfold/core/provider';
import { chunksOf } from '../checkpoint-data.ts';
import type { CheckpointData, SaveOptions } from '../checkpoint-store.ts';
import { confirmData, isOf } from './confirm-data.ts';
import { tryInspect } from './inspect-record.ts';
import type { CheckpointReceipt } from './receipt.ts';
import { RecordAhead } from './record-ahead.ts';
import { type StoreContext, dataNameOf } from './store-context.ts';

const LEAD_BYTES = 96;
const PUSHED_BYTES = 1_048_576;

/** What a save replaces: nothing, or exactly this state. */
interface Predecessor {
  readonly stored: StoredKeyRecord;
  /** Undefined when the record that stands there is not readable as one. */
  readonly generation: number | undefined;
  /** Its data object, or undefined when its data are inline. */
  readonly dataName: string | undefined;
}

/** A save that is committed: its receipt and what the audit says of it. */
export interface Saved {
  readonly receipt: CheckpointReceipt;
  readonly sealer: CheckpointSealer;
}

/**
 * wrap -> data object, durable (unless inline) -> record, which is the commit
 * point -> the data is still there -> the replaced data goes. Nobody ever sees
 * a record without its data, and data without a record was never acknowledged.
 * What the record's store can do before it shows the record is done beside the
 * data's last sync.
 */
export async function save(context: StoreContext, id: string, data: CheckpointData, options: SaveOptions): Promise<Saved> {
  const predecessor = await findPredecessor(context, id, options);
  const generation = (predecessor?.generation ?? 0) + 1;
  const sealer = await sealCheckpoint({
    kms: context.kms,
    tenant: context.tenant,
    checkpoint: id,
    ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
    suite: context.suite,
    generation,
    clock: context.clock,
    signal: options.signal,
  });
  const record = new RecordAhead(context.records, id, predecessor?.stored.version, options);
  try {
    const object = await writeData(context, id, { sealer, record }, data, options);
    await commit(context, id, { sealer, record, predecessor, object }, options);
  } finally {
    await record.discard();
  }
  if (predecessor?.dataName !== undefined) await discard(context, predecessor.dataName);
  return {
    sealer,
    receipt: { objectId: toHex(sealer.objectId), commitment: toHex(sealer.commitment), generation },
  };
}

async function findPredecessor(context: StoreContext, id: string, options: SaveOptions): Promise<Predecessor | undefined> {
  const stored = await context.records.get(id, { signal: options.signal });
  if (stored === undefined) return undefined;
  if (options.overwrite !== true) throw alreadyExists(id);
  const parsed = tryInspect(stored.bytes, id);
  // Replacing what is damaged is a way out of the damage.
  if (parsed === undefined) return { stored, generation: undefined, dataName: undefined };
  const { record, rest } = parsed;
  // Nobody vouches for the number: one that leaves no room for a successor is as good as none.
  const generation = record.generation < Number.MAX_SAFE_INTEGER ? record.generation : undefined;
  return { stored, generation, dataName: rest.byteLength > 0 ? undefined : dataNameOf(context, id, toHex(record.objectId)) };
}

/** Where the sealed data went: into an object of its own, or into memory to stand inline. */
type WrittenData = { readonly objectId: string; readonly name: string; readonly mark: string } | { readonly inline: Uint8Array };

async function writeData(
  context: StoreContext,
  id: string,
  { sealer, record }: Pick<Publication, 'sealer' | 'record'>,
  data: CheckpointData,
  options: SaveOptions,
): Promise<WrittenData> {
  const pieces = sealed(sealer, data, options.signal);
  try {
    const first: Uint8Array[] = [sealer.lead];
    for (let size = LEAD_BYTES; size <= context.inlineLimitBytes; size += first.at(-1)?.byteLength ?? 0) {
      const step = await pieces.next();
      if (step.done === true) return { inline: concatBytes(...first) };
      first.push(step.value);
    }
    const objectId = toHex(sealer.objectId);
    const body = {
      [Symbol.asyncIterator]: () => chain(first, pieces, () => { record.begin(sealer.record); }),
      release: (piece: Uint8Array) => { context.freer.free(piece); },
    };
    const name = await putData(context, dataNameOf(context, id, objectId), body, options);
    return { objectId, name, mark: context.names.mark(context.names.stem(id), objectId) };
  } finally {
    // Ends the caller's iterator also when the store never began to read it.
    await pieces.return();
  }
}

async function putData(context: StoreContext, name: string, body: ObjectChunks, options: SaveOptions): Promise<string> {
  try {
    await context.objects.put(name, body, { ifNoneMatch: '*', signal: options.signal });
    return name;
  } catch (error) {
    // No record will name it; a store that failed late may have it all the same.
    if (!isKeyfoldError(error, 'ALREADY_EXISTS')) await discard(context, name);
    throw error;
  }
}

async function* sealed(
  sealer: CheckpointSealer,
  data: CheckpointData,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunksOf(data, signal)) {
    // A large chunk is not to be held a second time, as ciphertext.
    for (let start = 0; start < chunk.byteLength; start += PUSHED_BYTES) yield* sealer.push(chunk.subarray(start, start + PUSHED_BYTES));
  }
  yield sealer.end();
}

async function* chain(first: Uint8Array[], rest: AsyncIterable<Uint8Array>, onEnd: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  yield* first.splice(0);
  yield* rest;
  onEnd();
}

interface Publication {
  readonly sealer: CheckpointSealer;
  readonly record: RecordAhead;
  readonly predecessor: Predecessor | undefined;
  readonly object: WrittenData;
}

async function commit(context: StoreContext, id: string, save: Publication, options: SaveOptions): Promise<void> {
  const { sealer, record, predecessor, object } = save;
  const bytes = 'inline' in object ? concatBytes(sealer.record, object.inline) : sealer.record;
  try {
    throwIfAborted(options.signal);
  } catch (error) {
    if ('name' in object) await discard(context, object.name);
    throw error;
  }
  try {
    await record.publish(bytes);
  } catch (error) {
    const standing = isDefinite(error) ? await standingRecord(context, id, toHex(sealer.objectId)) : 'unknown';
    if ('name' in object && standing === 'other') await discard(context, object.name);
    if (standing !== 'own' || !isLost(error)) throw isKeyfoldError(error, 'ALREADY_EXISTS') ? lost(id, options) : error;
  }
  if ('name' in object) await confirmData(context, id, { ...object, predecessor: predecessor?.stored.bytes });
}

/** Whether the store says that it did not take the record. After anything else it may have, and the data must stay. */
function isDefinite(error: unknown): boolean {
  return (['ALREADY_EXISTS', 'CONFLICT', 'STORAGE_FULL', 'STORAGE_DENIED', 'INVALID_ARGUMENT'] as const).some((code) =>
    isKeyfoldError(error, code),
  );
}

/** Whether the store says that another writer came first. */
function isLost(error: unknown): boolean {
  return isKeyfoldError(error, 'ALREADY_EXISTS') || isKeyfoldError(error, 'CONFLICT');
}

/** What a store says that failed late is not the last word, and one that tried twice may have lost to itself: whose record is there? */
async function standingRecord(context: StoreContext, id: string, objectId: string): Promise<'own' | 'other' | 'unknown'> {
  try {
    const stored = await context.records.get(id);
    return stored !== undefined && isOf(stored, objectId, id) ? 'own' : 'other';
  } catch {
    return 'unknown';
  }
}

function lost(id: string, { overwrite }: SaveOptions): KeyfoldError {
  return overwrite === true ? overtaken(id) : alreadyExists(id);
}

/** Removes data that nothing refers to any more; where that fails it stays as an orphan that nobody can open. */
async function discard(context: StoreContext, name: string): Promise<void> {
  try {
    await context.objects.delete(name);
  } catch {
    // The save's own outcome is what counts.
  }
}

function overtaken(id: string): KeyfoldError {
  return new KeyfoldError('CONFLICT', `Somebody else saved a checkpoint ${JSON.stringify(id)} at the same time, where none was. Save again to replace it.`);
}

/** The caller did not ask to replace what is there. */
export function alreadyExists(id: string): KeyfoldError {
  return new KeyfoldError('ALREADY_EXISTS', `There is a checkpoint ${JSON.stringify(id)} already. Choose another id, or save with overwrite: true.`);
}
