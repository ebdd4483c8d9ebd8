import { createHash } from 'node:crypto';
import { KeyfoldError, isKeyfoldError, throwIfAborted, type ObjectBody, type ObjectCallOptions, type ObjectInfo, type ObjectStore, type PutCondition } from '@keyfold/core/provider';
import { turn } from '../support/failures.ts';
import { ModelStore, refuse } from '../support/model-store.ts';
import { brokenStore, type ObjectStoreMutant } from './model-options.ts';

/** Collects in another way than it should. */
function collecting(collect: (body: ObjectBody, signal: AbortSignal | undefined) => Promise<Uint8Array>): typeof ModelStore {
  return class extends ModelStore {
    protected override collect(_name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
      return collect(body, signal);
    }
  };
}

async function allOf(body: ObjectBody, signal?: AbortSignal, keep: (chunk: Uint8Array) => Uint8Array = (chunk) => Uint8Array.from(chunk)): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return Uint8Array.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    throwIfAborted(signal);
    if (!(chunk instanceof Uint8Array)) refuse('INVALID_ARGUMENT');
    chunks.push(keep(chunk));
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

class RefusesEmpty extends ModelStore {
  protected override write(name: string, bytes: Uint8Array): void {
    super.write(name, bytes.byteLength === 0 ? Uint8Array.of(0) : bytes);
  }
}

class KeepsTheCallersArray extends ModelStore {
  protected override collect(name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return body instanceof Uint8Array ? Promise.resolve(body) : super.collect(name, body, signal);
  }
}

/** Writes over the beginning of what is there. */
class WritesOver extends ModelStore {
  protected override write(name: string, bytes: Uint8Array): void {
    const former = this.objects.get(name)?.bytes.subarray(bytes.byteLength) ?? new Uint8Array(0);
    super.write(name, Uint8Array.from(Buffer.concat([bytes, former])));
  }
}

/** What came before the body broke stays. */
class KeepsHalves extends ModelStore {
  protected override async collect(name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (body instanceof Uint8Array) return super.collect(name, body, signal);
    const half: Uint8Array[] = [];
    try {
      for await (const chunk of body) half.push(Uint8Array.from(chunk));
    } catch (error) {
      this.write(name, Uint8Array.from(Buffer.concat(half)));
      throw error;
    }
    throwIfAborted(signal);
    return super.collect(name, Uint8Array.from(Buffer.concat(half)), signal);
  }
}

class ReplacesErrors extends ModelStore {
  protected override async collect(name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
    try {
      return await super.collect(name, body, signal);
    } catch (error) {
      throw isKeyfoldError(error) ? error : new KeyfoldError('STORAGE_FAILURE', 'The body failed.', { cause: error });
    }
  }
}

/** Writes as it goes. */
class WritesInPlace extends ModelStore {
  protected override async collect(name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (body instanceof Uint8Array || this.objects.has(name)) return super.collect(name, body, signal);
    const before = this.objects.get(name);
    this.write(name, new Uint8Array(0));
    try {
      return await super.collect(name, body, signal);
    } finally {
      if (before === undefined) this.objects.delete(name);
    }
  }
}

class IgnoresAborts extends ModelStore {
  override put(name: string, body: ObjectBody, options: PutCondition & ObjectCallOptions = {}): Promise<{ readonly size: number }> {
    return super.put(name, body, { ...options, signal: undefined });
  }
}

class MiscountsPuts extends ModelStore {
  override async put(name: string, body: ObjectBody, options?: PutCondition & ObjectCallOptions): Promise<{ readonly size: number }> {
    const { size } = await super.put(name, body, options);
    return { size: body instanceof Uint8Array ? size : size + 1 };
  }
}

function settling(settle: (store: ModelStore, name: string, condition: PutCondition) => Promise<void> | undefined): typeof ModelStore {
  return class extends ModelStore {
    protected override settle(name: string, condition: PutCondition): Promise<void> | undefined {
      return settle(this, name, condition);
    }
  };
}

function check(store: ModelStore, name: string, { ifMatch, ifNoneMatch }: PutCondition): void {
  const entry = store.objects.get(name);
  if (ifNoneMatch !== undefined && entry !== undefined) refuse('ALREADY_EXISTS');
  if (ifMatch !== undefined && entry?.etag !== ifMatch) refuse('CONFLICT');
}

const looksThenWrites = settling(async (store, name, condition) => {
  check(store, name, condition);
  await turn();
});

class TakesTwoConditions extends ModelStore {
  override put(name: string, body: ObjectBody, { ifMatch, ...options }: PutCondition & ObjectCallOptions = {}): Promise<{ readonly size: number }> {
    return super.put(name, body, options.ifNoneMatch === undefined && ifMatch !== undefined ? { ...options, ifMatch } : options);
  }
}

class HashesForEtags extends ModelStore {
  protected override newEtag(bytes: Uint8Array): string {
    return createHash('sha256').update(bytes).digest('hex');
  }
}

/** Every name counts for itself, from one. */
class CountsForEtags extends ModelStore {
  protected override write(name: string, bytes: Uint8Array): void {
    const former = Number(this.objects.get(name)?.etag ?? 0);
    this.objects.set(name, { bytes, etag: String(former + 1) });
  }
}

class ChangesEtagsAllTheTime extends ModelStore {
  override async read(...args: Parameters<ModelStore['read']>): ReturnType<ModelStore['read']> {
    const content = await super.read(...args);
    if (content === undefined) return undefined;
    const etag = this.newEtag(content.bytes);
    this.objects.set(args[0], { bytes: content.bytes, etag });
    return { bytes: Uint8Array.from(content.bytes), etag };
  }
}

function deleting(remove: (store: ModelStore, name: string, ifMatch: string | undefined) => boolean): typeof ModelStore {
  return class extends ModelStore {
    override async delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
      this.checkName(name);
      await this.turn(options.signal);
      return remove(this, name, options.ifMatch);
    }
  };
}

class BringsBack extends ModelStore {
  readonly #gone = new Map<string, string>();

  override async delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
    const etag = this.objects.get(name)?.etag;
    const removed = await super.delete(name, options);
    if (removed && etag !== undefined) this.#gone.set(name, etag);
    return removed;
  }

  protected override settle(name: string, condition: PutCondition): Promise<void> | undefined {
    if (!this.objects.has(name) && condition.ifMatch === this.#gone.get(name)) return undefined;
    return super.settle(name, condition);
  }
}

function saying(message: string): typeof ModelStore {
  return deleting((store, name, ifMatch) => {
    if (ifMatch !== undefined && store.objects.get(name)?.etag !== ifMatch) throw new KeyfoldError('CONFLICT', message);
    return store.objects.delete(name);
  });
}

/** More is in the storage whenever one looks. */
function growing(): () => number {
  let left = 0;
  return () => (left += 1);
}

const IN_CHUNKS = ['put.chunks', 'put.mixed', 'put.release'] as const;

/** Mutants that write, replace and delete wrongly. */
export const WRITING: readonly ObjectStoreMutant[] = [
  brokenStore('keeps nothing empty', RefusesEmpty, ['put.bytes', 'put.chunks', 'put.replace']),
  brokenStore('keeps chunks that are the writer’s', collecting((body, signal) => allOf(body, signal, (chunk): Uint8Array => chunk)), ['condition.replace', 'put.chunks', 'put.unseen', 'race.reader']),
  brokenStore('reverses chunks', collecting(async (body, signal) => { const chunks: Uint8Array[] = []; await allOf(body, signal, (chunk) => { chunks.unshift(Uint8Array.from(chunk)); return chunk; }); return body instanceof Uint8Array ? Uint8Array.from(body) : Uint8Array.from(Buffer.concat(chunks)); }), ['condition.replace', ...IN_CHUNKS, 'put.unseen', 'race.reader']),
  brokenStore('miscounts chunks', MiscountsPuts, ['put.chunks']),
  brokenStore('gives chunks back before it has read them', collecting((body, signal) => allOf(body, signal, (chunk) => { if (!(body instanceof Uint8Array)) body.release?.(chunk); return Uint8Array.from(chunk); })), ['put.release']),
  brokenStore('gives chunks back twice', collecting((body, signal) => allOf(body, signal, (chunk) => { const copy = Uint8Array.from(chunk); if (!(body instanceof Uint8Array)) [chunk, chunk].forEach((each) => body.release?.(each)); return copy; })), ['put.release']),
  brokenStore('keeps the caller’s array', KeepsTheCallersArray, ['put.own']),
  brokenStore('writes over the beginning of what is there', WritesOver, ['put.chunks', 'put.replace', 'race.delete', 'race.same-content', 'read.reopened', 'read.replaced']),
  brokenStore('keeps what came before a body broke', KeepsHalves, ['put.failing-body', 'put.failing-replacement', 'put.no-bytes']),
  brokenStore('replaces what a body throws', ReplacesErrors, ['put.failing-body']),
  brokenStore('leaves something that no call shows', ModelStore, ['put.aborted', 'put.failing-body'], { residue: growing() }),
  brokenStore('takes text for bytes', collecting((body, signal) => allOf(body instanceof Uint8Array ? body : (async function* () { for await (const chunk of body) yield Buffer.from(chunk); })(), signal)), ['put.no-bytes']),
  brokenStore('ignores aborts of a put', IgnoresAborts, ['put.aborted']),
  brokenStore('shows what is not yet whole', WritesInPlace, ['put.unseen']),
  brokenStore('declares something else', class extends ModelStore { override readonly capabilities = { conditionalWrites: false }; }, ['condition.declared']),
  brokenStore('creates over what is there', settling((store, name, { ifMatch }) => { check(store, name, ifMatch === undefined ? {} : { ifMatch }); return undefined; }), ['condition.create', 'condition.create-empty', 'error.typed', 'race.create']),
  brokenStore('takes what is empty for nothing', settling((store, name, condition) => { if (store.objects.get(name)?.bytes.byteLength !== 0) check(store, name, condition); return undefined; }), ['condition.create-empty']),
  brokenStore('replaces whatever stands there', settling((store, name, { ifNoneMatch, ifMatch }) => { if (ifMatch !== undefined && !store.objects.has(name)) refuse('CONFLICT'); check(store, name, ifNoneMatch === undefined ? {} : { ifNoneMatch }); return undefined; }), ['condition.replace', 'delete.room', 'error.typed', 'race.counters', 'race.replace', 'race.same-content']),
  brokenStore('creates by replacing', settling((store, name, condition) => { if (store.objects.has(name)) check(store, name, condition); return undefined; }), ['condition.never-creates', 'delete.final']),
  brokenStore('takes two conditions', TakesTwoConditions, ['condition.one']),
  brokenStore('names states by their content', HashesForEtags, ['read.identity']),
  brokenStore('names states by counting from one', CountsForEtags, ['delete.room']),
  brokenStore('changes etags with every look', ChangesEtagsAllTheTime, ['etag.changes', 'put.failing-replacement', 'read.reopened']),
  brokenStore('says that it deleted nothing', deleting((store, name, ifMatch) => { if (ifMatch !== undefined && store.objects.get(name)?.etag !== ifMatch) refuse('CONFLICT'); store.objects.delete(name); return false; }), ['delete.says', 'delete.state']),
  brokenStore('deletes everything that begins so', deleting((store, name, ifMatch) => { if (ifMatch !== undefined && store.objects.get(name)?.etag !== ifMatch) refuse('CONFLICT'); for (const each of store.objects.keys()) if (each !== name && each.startsWith(name.replace(/\/[^/]*$/, '/')) && name.includes('/')) store.objects.delete(each); return store.objects.delete(name); }), ['delete.says']),
  brokenStore('deletes whatever stands there', deleting((store, name, ifMatch) => { if (ifMatch !== undefined && !store.objects.has(name)) refuse('CONFLICT'); return store.objects.delete(name); }), ['delete.state', 'error.typed', 'race.delete']),
  brokenStore('finds nothing wrong with deleting nothing', deleting((store, name, ifMatch) => { const entry = store.objects.get(name); if (ifMatch !== undefined && entry !== undefined && entry.etag !== ifMatch) refuse('CONFLICT'); return store.objects.delete(name); }), ['delete.final', 'delete.nothing']),
  brokenStore('brings back what was deleted', BringsBack, ['delete.final']),
  brokenStore('gives NOT_FOUND for what is absent', class extends ModelStore { override async head(name: string, options?: ObjectCallOptions): Promise<ObjectInfo | undefined> { return (await super.head(name, options)) ?? refuse('NOT_FOUND'); } }, ['delete.says', 'put.unseen', 'read.absent']),
  brokenStore('reads beyond the limit', class extends ModelStore { override read(name: string, options: { readonly maxBytes: number } & ObjectCallOptions): ReturnType<ObjectStore['read']> { return super.read(name, { ...options, maxBytes: options.maxBytes < 1_000 && options.maxBytes >= 0 ? 1_000 : options.maxBytes }); } }, ['error.typed', 'read.limit']),
  brokenStore('looks first and writes afterwards', looksThenWrites, ['race.counters', 'race.create', 'race.delete', 'race.replace', 'race.same-content']),
  brokenStore('says nothing', saying('no'), ['error.typed']),
  brokenStore('says what it did not look at', saying('The object undefined is in another state.'), ['error.typed']),
];
