import { readFileSync } from 'node:fs';
import { findInput, type Input } from './input.ts';
import type { JobMessage, JobOrder } from './job-protocol.ts';
import { openStore, workspaceIn, type OpenStore } from './store.ts';
import { WordIndex } from './word-index.ts';

const ID_PREFIX = 'word-index/chk-';
const KEPT = 3;

interface Progress {
  readonly index: WordIndex;
  nextFile: number;
  bytesDone: number;
  sequence: number;
}

/** The job's way to the world: a process of its own has the supervisor at the other end. */
export interface JobPort {
  readonly tell: (message: JobMessage) => void;
  /** Says that the moment has come and never returns: a SIGKILL ends the wait, and the process with it. */
  readonly awaitKill: (where: string) => Promise<never>;
}

/** The stateful job: resumes from the newest checkpoint, goes on, may be killed anywhere. */
export async function job(order: JobOrder, port: JobPort): Promise<void> {
  const input = findInput(order.input, order.maxBytes);
  const { store, close } = await openStore(workspaceIn(order.directory));
  const progress = await resume(store, input);
  port.tell({ type: 'started', from: progress.bytesDone, checkpoint: progress.sequence });
  const interval = Math.max(1, Math.ceil(input.bytes / order.checkpoints));
  let due = progress.bytesDone + interval;
  for (const [position, file] of input.files.entries()) {
    if (position < progress.nextFile) continue;
    progress.index.addFile(position, readFileSync(file.path, 'utf8'));
    progress.nextFile = position + 1;
    progress.bytesDone += file.size;
    if (progress.bytesDone >= (order.killAt?.bytes ?? Number.POSITIVE_INFINITY)) await port.awaitKill('between checkpoints');
    if (progress.bytesDone >= due || progress.nextFile === input.files.length) {
      await checkpoint(store, input, progress, order, port);
      due = progress.bytesDone + interval;
    }
  }
  await close();
  port.tell({ type: 'finished', checkpoint: idOf(progress.sequence), words: progress.index.words, ...progress.index.digest() });
}

async function resume(store: OpenStore['store'], input: Input): Promise<Progress> {
  const newest = (await savedIds(store)).at(-1);
  if (newest === undefined) return { index: new WordIndex(), nextFile: 0, bytesDone: 0, sequence: 0 };
  const { fingerprint, nextFile, bytesDone, sequence } = await store.readMetadata(newest);
  if (fingerprint !== input.fingerprint) throw new Error('The input files changed since the checkpoint was taken.');
  return {
    index: await WordIndex.restore(store.loadStream(newest)),
    nextFile: Number(nextFile),
    bytesDone: Number(bytesDone),
    sequence: Number(sequence),
  };
}

async function checkpoint(
  store: OpenStore['store'],
  input: Input,
  progress: Progress,
  { killAt }: JobOrder,
  port: JobPort,
): Promise<void> {
  progress.sequence++;
  const killHere = progress.bytesDone >= (killAt?.insideSaveFrom ?? Number.POSITIVE_INFINITY) ? killAt?.chunk : undefined;
  const { nextFile, bytesDone, sequence } = progress;
  await store.save(idOf(sequence), chunks(progress.index, killHere, port), {
    metadata: { job: 'word-index', sequence, nextFile, bytesDone, fingerprint: input.fingerprint },
  });
  port.tell({ type: 'saved', checkpoint: sequence, bytesDone });
  for (const old of (await savedIds(store)).slice(0, -KEPT)) await store.delete(old);
}

/** The state for save(); where a kill is ordered, waits for it in the middle. */
async function* chunks(index: WordIndex, killAfter: number | undefined, port: JobPort): AsyncGenerator<Uint8Array, void, undefined> {
  let count = 0;
  for (const chunk of index.serialize()) {
    yield chunk;
    count++;
    if (count === killAfter) await port.awaitKill('inside a save');
  }
  // A state of few chunks: its end is inside the save as well.
  if (killAfter !== undefined) await port.awaitKill('inside a save');
}

async function savedIds(store: OpenStore['store']): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list({ prefix: ID_PREFIX })) ids.push(id);
  return ids.sort();
}

function idOf(sequence: number): string {
  return ID_PREFIX + String(sequence).padStart(6, '0');
}
