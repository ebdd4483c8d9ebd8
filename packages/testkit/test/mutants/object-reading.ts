import { throwIfAborted, type ByteRange, type ObjectBody, type ObjectCallOptions, type ObjectInfo, type OpenObject, type PutCondition } from '@keyfold/core/provider';
import { turn } from '../support/failures.ts';
import { ModelStore, refuse } from '../support/model-store.ts';
import { brokenStore, type ObjectStoreMutant } from './model-options.ts';

/** Gives its own memory away. */
class GivesItsOwn extends ModelStore {
  protected override copy(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
}

class ReusesChunks extends ModelStore {
  protected override async *chunks(...args: Parameters<ModelStore['chunks']>): AsyncGenerator<Uint8Array, void, undefined> {
    const buffer = new Uint8Array(524_288);
    for await (const chunk of super.chunks(...args)) {
      buffer.set(chunk);
      yield buffer.subarray(0, chunk.byteLength);
    }
  }
}

class GivesBuffers extends ModelStore {
  protected override copy(bytes: Uint8Array): Uint8Array {
    return Buffer.from(Uint8Array.from(bytes).buffer);
  }
}

function ranging(rangeOf: (size: number, range: ByteRange) => ByteRange): typeof ModelStore {
  return class extends ModelStore {
    protected override rangeOf(size: number, range: ByteRange = { start: 0, end: size }): ByteRange {
      return rangeOf(size, range);
    }
  };
}

function opening(change: (object: OpenObject, range: ByteRange | undefined) => OpenObject): typeof ModelStore {
  return class extends ModelStore {
    override async open(name: string, options: { readonly range?: ByteRange } & ObjectCallOptions = {}): Promise<OpenObject | undefined> {
      const object = await super.open(name, options);
      return object && change(object, options.range);
    }
  };
}

/** Reads what stands there when a chunk is asked for. */
class ReadsWhatStandsThere extends ModelStore {
  protected override async *chunks(...[name, entry, start, end, look]: Parameters<ModelStore['chunks']>): AsyncGenerator<Uint8Array, void, undefined> {
    await Promise.resolve();
    yield* super.chunks(name, this.objects.get(name) ?? entry, start, end, look);
  }
}

function describing(change: (info: ObjectInfo) => ObjectInfo): typeof ModelStore {
  return class extends ModelStore {
    override async head(name: string, options?: ObjectCallOptions): Promise<ObjectInfo | undefined> {
      const info = await super.head(name, options);
      return info && change(info);
    }
  };
}

function selecting(select: (names: readonly string[], prefix: string) => string[]): typeof ModelStore {
  return class extends ModelStore {
    protected override select(prefix: string): string[] {
      return select([...this.objects.keys()].sort(), prefix);
    }
  };
}

function listing(list: (store: ModelStore, options: { readonly prefix?: string } & ObjectCallOptions, all: ReturnType<ModelStore['list']>) => AsyncGenerator<ObjectInfo, void, undefined>): typeof ModelStore {
  return class extends ModelStore {
    override list(options: { readonly prefix?: string } & ObjectCallOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
      return list(this, options, super.list({ prefix: options.prefix ?? '' }));
    }
  };
}

function naming(checkName: (name: unknown) => void): typeof ModelStore {
  return class extends ModelStore {
    protected override checkName(name: unknown): void {
      super.checkName(name);
      checkName(name);
    }
  };
}

class TakesAnyName extends ModelStore {
  protected override checkName(name: unknown): void {
    if (typeof name !== 'string' || name === '') refuse('INVALID_ARGUMENT');
  }
}

class TakesAnyPrefix extends ModelStore {
  protected override checkPrefix(): void {
    // All are welcome.
  }
}

class Decodes extends ModelStore {
  protected override write(name: string, bytes: Uint8Array): void {
    super.write(name.replaceAll('%2e', '.').replaceAll('%2f', '/'), bytes);
  }
}

/** A reader may come between two halves. */
class WritesInHalves extends ModelStore {
  protected override settle(name: string, condition: PutCondition): Promise<void> | undefined {
    const settled = super.settle(name, condition);
    const entry = this.objects.get(name);
    if (entry === undefined || entry.bytes.byteLength < 200_000) return settled;
    this.objects.set(name, { bytes: entry.bytes.slice(0, 150_000), etag: entry.etag });
    return turn();
  }
}

class MixesUpNames extends ModelStore {
  #underWay = 0;
  #last = '';

  override async put(name: string, body: ObjectBody, options?: PutCondition & ObjectCallOptions): Promise<{ readonly size: number }> {
    this.#underWay += 1;
    if (this.#underWay <= 20) this.#last = name;
    try {
      return await super.put(this.#underWay > 20 ? this.#last : name, body, options);
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** Mutants that read, list and name wrongly, or crowd. */
export const READING: readonly ObjectStoreMutant[] = [
  brokenStore('gives its own memory to readers', GivesItsOwn, ['read.own']),
  brokenStore('reads into one array again and again', ReusesChunks, ['put.bytes', 'put.chunks', 'put.mixed', 'put.release', 'put.replace', 'put.unseen', 'read.at-once', 'read.cancel', 'read.keep', 'read.own', 'read.range', 'read.replaced', 'read.aborted']),
  brokenStore('gives Buffers', GivesBuffers, ['read.no-buffers']),
  brokenStore('takes the end of a range for its last byte', ranging((size, { start, end }) => (start >= 0 && start <= end && end <= size && Number.isSafeInteger(start) ? { start, end: Math.min(end + (end < size ? 1 : 0), size) } : refuse('RANGE_INVALID'))), ['read.at-once', 'read.range']),
  brokenStore('says the size of a range', opening((object, range) => (range === undefined ? object : { ...object, size: range.end - range.start })), ['read.range']),
  brokenStore('cuts ranges that reach beyond the end', ranging((size, { start, end }) => (start >= 0 && start <= end && Number.isSafeInteger(start) ? { start, end: Math.min(end, size) } : refuse('RANGE_INVALID'))), ['error.typed', 'read.no-range']),
  brokenStore('reads what stands there now', ReadsWhatStandsThere, ['read.replaced']),
  brokenStore('mixes up readers', class extends ModelStore { #readers = 0; protected override rangeOf(size: number, range?: ByteRange): ByteRange { this.#readers += range === undefined || size < 3_000_000 ? 0 : 1; return super.rangeOf(size, this.#readers > 15 ? { start: 0, end: 1 } : range); } }, ['read.at-once']),
  brokenStore('cannot be cancelled', opening((object) => ({ ...object, cancel: () => Promise.resolve() })), ['read.cancel']),
  brokenStore('gives a body twice', opening((object) => { let first = true; return { ...object, body: { [Symbol.asyncIterator]: () => (first ? ((first = false), object.body) : empty())[Symbol.asyncIterator]() } }; }), ['read.once']),
  brokenStore('reads on after an abort', class extends ModelStore { override async open(name: string, options: { readonly range?: ByteRange } & ObjectCallOptions = {}): Promise<OpenObject | undefined> { throwIfAborted(options.signal); const { range } = options; return super.open(name, range === undefined ? {} : { range }); } }, ['read.aborted']),
  brokenStore('tells times in seconds', describing((info) => ({ ...info, lastModified: 1_700_000_000 })), ['list.order', 'read.head']),
  brokenStore('tells no size', describing((info) => ({ ...info, size: 0 })), ['list.order', 'read.head']),
  brokenStore('names no identity', opening((object) => ({ size: object.size, body: object.body, cancel: () => object.cancel() })), ['read.identity']),
  brokenStore('names one identity for all', opening((object) => ({ ...object, identity: 'the one' })), ['read.identity']),
  brokenStore('lists folder by folder', selecting((names, prefix) => names.filter((name) => name.startsWith(prefix)).sort((a, b) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1))), ['list.order']),
  brokenStore('lists whole folders alone', selecting((names, prefix) => names.filter((name) => name.startsWith(prefix) && (prefix === '' || prefix.endsWith('/') || name === prefix))), ['list.prefix']),
  brokenStore('lists one page', selecting((names, prefix) => names.filter((name) => name.startsWith(prefix)).slice(0, 1_000)), ['list.many']),
  brokenStore('lists the end of a page twice', selecting((names, prefix) => { const all = names.filter((name) => name.startsWith(prefix)); return all.length > 1_000 ? [...all.slice(0, 1_000), ...all.slice(999)] : all; }), ['list.many']),
  brokenStore('breaks when objects vanish under a list', listing(async function* (store, options, all) { throwIfAborted(options.signal); const names: ObjectInfo[] = []; for await (const info of all) names.push(info); for (const info of names) { throwIfAborted(options.signal); if (!store.objects.has(info.name)) refuse('STORAGE_FAILURE'); yield info; } }), ['list.vanishing']),
  brokenStore('lists on after an abort', listing((_, __, all) => all), ['list.aborted']),
  brokenStore('takes any prefix', TakesAnyPrefix, ['error.typed', 'list.no-prefix']),
  brokenStore('takes any name', TakesAnyName, ['error.typed', 'name.refused']),
  brokenStore('refuses dots', naming((name) => { if (String(name).includes('...')) refuse('INVALID_ARGUMENT'); }), ['name.unusual']),
  brokenStore('decodes percents', Decodes, ['list.order', 'name.unusual']),
  brokenStore('refuses long names', naming((name) => { if (String(name).length > 1_024) refuse('INVALID_ARGUMENT'); }), ['name.longest']),
  brokenStore('shows readers a half', WritesInHalves, ['race.reader']),
  brokenStore('mixes up names when many write', MixesUpNames, ['race.names']),
  brokenStore('keeps objects for itself', ModelStore, ['race.counters', 'race.create', 'race.reader', 'read.reopened'], { reopen: () => new ModelStore() }),
];

/** A body that is over at once. */
async function* empty(): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await Promise.resolve([]);
}
