import { type KeyfoldError, type ObjectInfo, isKeyfoldError } from '@keyfold/core';
import { throwIfAborted } from '@keyfold/core/provider';
import { standingOf } from './data-standing.ts';
import { type GcOptions, type GcReport, type ResolvedGc, emptyReport, resolveGc } from './gc-options.ts';
import type { StoreContext } from './store-context.ts';
import { Trail } from './trail.ts';

/**
 * Removes data objects that no record refers to. The first run that finds one
 * marks it; a run that finds the mark old enough looks at the record once more
 * and removes data, then mark. What {@link confirmData} says of the order holds
 * here: the mark is there before the record is read that decides.
 * What the storage fails with at one object does not keep the others: it is
 * thrown once everything else is done.
 * @throws KeyfoldError INVALID_ARGUMENT, ABORTED, AUDIT_FAILED and the storage codes
 */
export async function collectGarbage(context: StoreContext, options: GcOptions): Promise<GcReport> {
  const run = new Collection(context, resolveGc(options));
  let failure: KeyfoldError | undefined;
  for await (const info of context.objects.list({ prefix: context.names.root, signal: options.signal })) {
    throwIfAborted(options.signal);
    const considered = await run.consider(info).catch((error: unknown) => {
      if (!isKeyfoldError(error, 'STORAGE_FAILURE') && !isKeyfoldError(error, 'STORAGE_DENIED')) throw error;
      failure ??= error;
      return true;
    });
    if (considered) options.onProgress?.(run.report);
  }
  await run.sweep();
  if (failure !== undefined) throw failure;
  return run.report;
}

/** A data object, or the mark of one. */
interface Candidate {
  readonly info: ObjectInfo;
  readonly stem: string;
  readonly objectId: string;
  readonly mark: string;
}

class Collection {
  readonly report = emptyReport();
  readonly #context: StoreContext;
  readonly #options: ResolvedGc;

  constructor(context: StoreContext, options: ResolvedGc) {
    this.#context = context;
    this.#options = options;
  }

  /** Whether the object is one that this is about. */
  async consider(info: ObjectInfo): Promise<boolean> {
    const { names } = this.#context;
    const named = names.parse(info.name);
    if (named.kind !== 'data' && named.kind !== 'mark') return false;
    const candidate = { info, stem: named.stem, objectId: named.objectId, mark: names.mark(named.stem, named.objectId) };
    if (named.kind === 'data') await this.#data(candidate);
    else await this.#mark(candidate);
    return true;
  }

  /** What interrupted writers left inside the object store, where it has such things. */
  async sweep(): Promise<void> {
    const { graceMs, dryRun, signal } = this.#options;
    if (dryRun) return;
    const swept = await this.#context.objects.sweep?.({ olderThanMs: graceMs, signal });
    this.report.swept = Object.fromEntries(Object.entries(swept ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }

  async #data(candidate: Candidate): Promise<void> {
    const { report } = this;
    report.examined++;
    if (!this.#isOld(candidate.info)) {
      report.young++;
      return;
    }
    // Before the record is read: whoever writes a record from now on finds the mark.
    const mark = await this.#context.objects.head(candidate.mark, this.#call());
    const standing = await standingOf(this.#context, candidate.stem, candidate.objectId, this.#options);
    if (standing !== 'orphan') report[standing]++;
    else if (mark === undefined) await this.#markNow(candidate);
    else if (!this.#isOld(mark)) report.waiting++;
    else await this.#remove(candidate);
  }

  async #markNow({ mark }: Candidate): Promise<void> {
    const { objects } = this.#context;
    try {
      if (!this.#options.dryRun) await objects.put(mark, new Uint8Array(0), { ifNoneMatch: '*', ...this.#call() });
      this.report.marked++;
    } catch (error) {
      // On a full disk what is marked already can go all the same, and makes room.
      if (isKeyfoldError(error, 'STORAGE_FULL')) this.report.unmarked++;
      // Another run was here at the same time.
      else if (isKeyfoldError(error, 'ALREADY_EXISTS')) this.report.waiting++;
      else throw error;
    }
  }

  async #remove({ info, mark }: Candidate): Promise<void> {
    const { objects } = this.#context;
    if (!this.#options.dryRun) {
      await this.#audited(info.name, async () => {
        await objects.delete(info.name);
        await objects.delete(mark);
      });
    }
    this.report.removed++;
    this.report.removedBytes += info.size;
  }

  /** A mark is of use as long as its data are there, also when these have a record by now: they had none when it was put. */
  async #mark({ info, stem, objectId }: Candidate): Promise<void> {
    const { names, objects } = this.#context;
    if (!this.#isOld(info) || (await objects.head(names.data(stem, objectId), this.#call())) !== undefined) return;
    // A listing may still show one that went with its data.
    if (this.#options.dryRun || (await objects.delete(info.name, this.#call()))) this.report.marksRemoved++;
  }

  async #audited(name: string, work: () => Promise<void>): Promise<void> {
    const trail = new Trail(this.#context, 'checkpoint.gc', name);
    try {
      await work();
    } catch (error) {
      await trail.failure(error);
      throw error;
    }
    await trail.success();
  }

  /** A clock that went backwards says nothing about age. */
  #isOld({ lastModified }: ObjectInfo): boolean {
    return this.#context.clock.now() - lastModified >= this.#options.graceMs;
  }

  #call(): { readonly signal: AbortSignal | undefined } {
    return { signal: this.#options.signal };
  }
}
