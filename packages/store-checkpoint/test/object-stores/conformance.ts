import { isKeyfoldError, type ByteRange, type ErrorCode, type ObjectInfo, type ObjectStore, type PreparedPut } from '@keyfold/core/provider';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  readonly cleanup: () => Promise<void>;
}

const MIB = 1_048_576;

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Distinct at every position up to far beyond a chunk's length. */
export function pattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4)).map((_, index) => Math.imul(index + 1, 2_654_435_761));
  return new Uint8Array(words.buffer, 0, length);
}

export async function* chunksOf(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.byteLength; start += size) {
    // One buffer for all: the store may use it only until it asks for the next.
    const chunk = content.slice(start, start + size);
    yield await Promise.resolve(chunk);
    chunk.fill(0xee);
  }
}

export async function textOf(store: ObjectStore, name: string): Promise<string | undefined> {
  const content = await store.read(name, { maxBytes: MIB });
  return content && new TextDecoder().decode(content.bytes);
}

export async function etagOf(store: ObjectStore, name: string): Promise<string> {
  const content = await store.read(name, { maxBytes: 16 * MIB });
  if (content === undefined) throw new Error(`"${name}" should be there`);
  return content.etag;
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function namesOf(store: ObjectStore, prefix?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const info of store.list(prefix === undefined ? {} : { prefix })) names.push(info.name);
  return names;
}

export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'OK' | 'FOREIGN'> {
  try {
    await promise;
    return 'OK';
  } catch (error) {
    return isKeyfoldError(error) ? error.code : 'FOREIGN';
  }
}

/** The promises of the ObjectStore port, for any store that keeps them. */
export function objectStoreConformance(title: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${title} keeps the promises of an object store`, () => {
    let store: ObjectStore;
    let cleanup: () => Promise<void>;

    beforeEach(async () => {
      const made = await make();
      store = made.store;
      cleanup = () => made.cleanup();
    });
    afterEach(() => cleanup());

    it('declares that it decides conditional writes', () => {
      expect(store.capabilities.conditionalWrites).toBe(true);
    });

    describe('put', () => {
      it('stores bytes exactly and reports their number', async () => {
        const content = pattern(70_001);
        expect(await store.put('a/b.kfk', content)).toEqual({ size: 70_001 });
        const read = await store.read('a/b.kfk', { maxBytes: 70_001 });
        expect(Buffer.from(read?.bytes ?? []).equals(content)).toBe(true);
      });

      it.each([0, 1, 32, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1])('stores %i bytes at once', async (size) => {
        const content = pattern(size);
        expect(await store.put('x', content)).toEqual({ size });
        expect(await store.head('x')).toMatchObject({ name: 'x', size });
        const opened = await store.open('x');
        expect((await collect(opened?.body ?? chunksOf(bytes('absent'), 1))).equals(content)).toBe(true);
      });

      it.each([
        [0, 1],
        [1, 1],
        [100_000, 7],
        [3 * MIB + 5, MIB],
        [3 * MIB + 5, 524_287],
        [2 * MIB, 524_288],
        [9 * MIB, 65_536],
        [20 * MIB + 1, 3 * MIB],
      ])('stores %i bytes that come in chunks of %i', async (size, chunk) => {
        const content = pattern(size);
        expect(await store.put('x', chunksOf(content, chunk))).toEqual({ size });
        const read = await store.read('x', { maxBytes: size });
        expect(Buffer.from(read?.bytes ?? []).equals(content)).toBe(true);
      });

      it('lets a body take its chunks back early, each once at most and never while it is needed', async () => {
        const sizes = [MIB, 70_000, 3, 3 * MIB + 1, 0, 65_535, MIB - 5, 524_288, 20];
        const content = pattern(sizes.reduce((sum, size) => sum + size, 0));
        const out = new Set<Uint8Array>();
        async function* chunks(): AsyncGenerator<Uint8Array> {
          let start = 0;
          for (const size of sizes) {
            const chunk = content.slice(start, start + size);
            out.add(chunk);
            yield await Promise.resolve(chunk);
            start += size;
          }
        }
        const release = (chunk: Uint8Array): void => {
          if (!out.delete(chunk)) throw new Error('this chunk was not out');
          // What is read from now on is somebody else's memory.
          chunk.fill(0xee);
        };
        expect(await store.put('x', { [Symbol.asyncIterator]: chunks, release })).toEqual({ size: content.byteLength });
        const opened = await store.open('x');
        expect((await collect(opened?.body ?? chunks())).equals(content)).toBe(true);
      });

      it('stores chunks of mixed sizes in their order, empty ones too', async () => {
        const sizes = [0, 3, 524_288, 1, 0, 600_000, 2, 524_287, 524_289, 0];
        const content = pattern(sizes.reduce((sum, size) => sum + size, 0));
        async function* mixed(): AsyncGenerator<Uint8Array> {
          let start = 0;
          for (const size of sizes) {
            yield await Promise.resolve(content.slice(start, start + size));
            start += size;
          }
        }
        await store.put('x', mixed());
        const opened = await store.open('x');
        expect((await collect(opened?.body ?? mixed())).equals(content)).toBe(true);
      });

      it('keeps what was put when the caller changes its buffer afterwards', async () => {
        const content = bytes('mine');
        await store.put('x', content);
        content.fill(0);
        expect(await textOf(store, 'x')).toBe('mine');
      });

      it('replaces without a condition, and the last writer wins', async () => {
        await store.put('x', bytes('one'));
        await store.put('x', bytes('two'));
        expect(await textOf(store, 'x')).toBe('two');
      });

      it('creates only where nothing stands', async () => {
        await store.put('x', bytes('one'), { ifNoneMatch: '*' });
        expect(await codeOf(store.put('x', bytes('two'), { ifNoneMatch: '*' }))).toBe('ALREADY_EXISTS');
        expect(await codeOf(store.put('x', chunksOf(bytes('two'), 1), { ifNoneMatch: '*' }))).toBe('ALREADY_EXISTS');
        expect(await textOf(store, 'x')).toBe('one');
      });

      it('replaces only the state that is named', async () => {
        await store.put('x', bytes('one'), { ifNoneMatch: '*' });
        const first = await etagOf(store, 'x');
        await store.put('x', bytes('two'), { ifMatch: first });
        expect(await codeOf(store.put('x', bytes('three'), { ifMatch: first }))).toBe('CONFLICT');
        expect(await textOf(store, 'x')).toBe('two');
        await store.put('x', chunksOf(bytes('four'), 2), { ifMatch: await etagOf(store, 'x') });
        expect(await textOf(store, 'x')).toBe('four');
      });

      it('never creates by replacing', async () => {
        expect(await codeOf(store.put('x', bytes('one'), { ifMatch: '0'.repeat(32) }))).toBe('CONFLICT');
        expect(await codeOf(store.put('d/x', bytes('one'), { ifMatch: 'anything/../at-all' }))).toBe('CONFLICT');
        expect(await namesOf(store)).toEqual([]);
      });

      it('takes one condition, not two', async () => {
        const both = { ifNoneMatch: '*', ifMatch: 'x' } as const;
        expect(await codeOf(store.put('x', bytes('one'), both))).toBe('INVALID_ARGUMENT');
      });

      it('passes on an error of the body as it is, and leaves nothing', async () => {
        const failure = Object.assign(new Error('the source broke'), { code: 'ENOSPC' });
        async function* broken(): AsyncGenerator<Uint8Array> {
          yield await Promise.resolve(pattern(600_000));
          throw failure;
        }
        await expect(store.put('x', broken())).rejects.toBe(failure);
        await expect(store.put('x', broken(), { ifNoneMatch: '*' })).rejects.toBe(failure);
        expect(await namesOf(store)).toEqual([]);
      });

      it('leaves the former content when the body of a replacement throws', async () => {
        await store.put('x', bytes('one'));
        const failure = new Error('the source broke');
        async function* broken(): AsyncGenerator<Uint8Array> {
          yield await Promise.resolve(bytes('tw'));
          throw failure;
        }
        await expect(store.put('x', broken(), { ifMatch: await etagOf(store, 'x') })).rejects.toBe(failure);
        await expect(store.put('x', broken())).rejects.toBe(failure);
        expect(await textOf(store, 'x')).toBe('one');
      });

      it('refuses chunks that are not bytes', async () => {
        const texts = ['text'] as unknown as AsyncIterable<Uint8Array>;
        expect(await codeOf(store.put('x', texts))).toBe('INVALID_ARGUMENT');
        expect(await namesOf(store)).toEqual([]);
      });

      it('stops at an abort before, between and after the chunks, closing the body', async () => {
        const aborted = AbortSignal.abort();
        expect(await codeOf(store.put('x', bytes('one'), { signal: aborted }))).toBe('ABORTED');
        for (const abortAfter of [1, 2]) {
          const controller = new AbortController();
          let closed = false;
          async function* body(): AsyncGenerator<Uint8Array> {
            try {
              for (let chunk = 1; chunk <= 2; chunk += 1) {
                if (chunk === abortAfter) controller.abort();
                yield await Promise.resolve(bytes('chunk'));
              }
            } finally {
              closed = true;
            }
          }
          expect(await codeOf(store.put('x', body(), { signal: controller.signal }))).toBe('ABORTED');
          expect(closed).toBe(true);
        }
        const late = new AbortController();
        async function* abortsAtItsEnd(): AsyncGenerator<Uint8Array> {
          yield await Promise.resolve(bytes('chunk'));
          late.abort();
        }
        expect(await codeOf(store.put('x', abortsAtItsEnd(), { signal: late.signal }))).toBe('ABORTED');
        expect(await namesOf(store)).toEqual([]);
      });
    });

    describe('prepare, where a store has it', () => {
      const prepare = async (...args: Parameters<NonNullable<ObjectStore['prepare']>>): Promise<PreparedPut> =>
        // Without it a writer puts at the moment at which it would publish.
        store.prepare === undefined
          ? { publish: () => store.put(...args), discard: () => Promise.resolve() }
          : store.prepare(...args);

      it('shows nothing before it is published, and then all', async () => {
        const prepared = await prepare('a/x', pattern(70_001), { ifNoneMatch: '*' });
        expect(await store.head('a/x')).toBeUndefined();
        expect(await namesOf(store)).toEqual([]);
        expect(await prepared.publish()).toEqual({ size: 70_001 });
        expect(Buffer.from((await store.read('a/x', { maxBytes: MIB }))?.bytes ?? []).equals(pattern(70_001))).toBe(true);
        await prepared.discard();
        expect(await namesOf(store)).toEqual(['a/x']);
      });

      it('decides its condition when it is published', async () => {
        const created = await prepare('x', bytes('late'), { ifNoneMatch: '*' });
        await store.put('x', bytes('one'), { ifNoneMatch: '*' });
        expect(await codeOf(created.publish())).toBe('ALREADY_EXISTS');
        const swapped = await prepare('x', bytes('late'), { ifMatch: await etagOf(store, 'x') });
        await store.put('x', bytes('two'), { ifMatch: await etagOf(store, 'x') });
        expect(await codeOf(swapped.publish())).toBe('CONFLICT');
        expect(await textOf(store, 'x')).toBe('two');
        const right = await prepare('x', bytes('three'), { ifMatch: await etagOf(store, 'x') });
        await right.publish();
        expect(await textOf(store, 'x')).toBe('three');
      });

      it('leaves nothing when it is discarded or aborted', async () => {
        const controller = new AbortController();
        await (await prepare('x', bytes('one'))).discard();
        const aborted = await prepare('x', bytes('one'), { signal: controller.signal });
        controller.abort();
        expect(await codeOf(aborted.publish())).toBe('ABORTED');
        expect(await codeOf(prepare('x', bytes('one'), { signal: controller.signal }).then((late) => late.publish()))).toBe('ABORTED');
        expect(await namesOf(store)).toEqual([]);
      });
    });

    describe('read', () => {
      it('gives undefined for what is absent', async () => {
        expect(await store.read('x', { maxBytes: 10 })).toBeUndefined();
        expect(await store.read('no/such/x', { maxBytes: 10 })).toBeUndefined();
      });

      it('accepts an object of exactly the limit and refuses one byte more', async () => {
        await store.put('x', pattern(1_000));
        expect((await store.read('x', { maxBytes: 1_000 }))?.bytes.byteLength).toBe(1_000);
        expect(await codeOf(store.read('x', { maxBytes: 999 }))).toBe('LIMIT_EXCEEDED');
      });

      it.each([-1, 0.5, NaN, Infinity])('refuses %d as a limit', async (maxBytes) => {
        expect(await codeOf(store.read('x', { maxBytes }))).toBe('INVALID_ARGUMENT');
      });

      it('changes the etag with the content, and only then', async () => {
        await store.put('x', bytes('one'));
        const first = await etagOf(store, 'x');
        expect(await etagOf(store, 'x')).toBe(first);
        await store.put('x', bytes('two'));
        expect(await etagOf(store, 'x')).not.toBe(first);
      });

      it('gives bytes that are the caller’s own', async () => {
        await store.put('x', bytes('mine'));
        (await store.read('x', { maxBytes: 10 }))?.bytes.fill(0);
        expect(await textOf(store, 'x')).toBe('mine');
      });

      it('honours an abort', async () => {
        await store.put('x', bytes('one'));
        expect(await codeOf(store.read('x', { maxBytes: 10, signal: AbortSignal.abort() }))).toBe('ABORTED');
      });
    });

    describe('open', () => {
      const content = pattern(3 * MIB + 11);
      const ranges = [
        [0, 0],
        [0, 1],
        [MIB - 1, MIB + 1],
        [MIB, 2 * MIB],
        [1, 3 * MIB + 11],
        [3 * MIB + 11, 3 * MIB + 11],
        [3 * MIB, 3 * MIB + 11],
      ] as const;

      it('gives undefined for what is absent', async () => {
        expect(await store.open('x')).toBeUndefined();
        expect(await store.open('no/such/x')).toBeUndefined();
      });

      it.each(ranges)('gives bytes %i up to %i, and the size of the whole', async (start, end) => {
        await store.put('x', content);
        const opened = await store.open('x', { range: { start, end } });
        expect(opened?.size).toBe(content.byteLength);
        expect((await collect(opened?.body ?? chunksOf(content, MIB))).equals(content.subarray(start, end))).toBe(true);
      });

      it.each([
        [0, 3 * MIB + 12],
        [3 * MIB + 12, 3 * MIB + 12],
        [2, 1],
        [-1, 1],
        [0.5, 1],
        [0, NaN],
      ])('refuses bytes %d up to %d', async (start, end) => {
        await store.put('x', content);
        expect(await codeOf(store.open('x', { range: { start, end } }))).toBe('RANGE_INVALID');
      });

      it('reads on after a delete and after a replacement', async () => {
        await store.put('x', content);
        const first = await store.open('x');
        await store.put('x', bytes('other'));
        const second = await store.open('x');
        await store.delete('x');
        expect((await collect(first?.body ?? chunksOf(bytes(''), 1))).equals(content)).toBe(true);
        expect((await collect(second?.body ?? chunksOf(bytes(''), 1))).toString()).toBe('other');
      });

      it('gives chunks that are no Buffers, whose slice() would alias', async () => {
        await store.put('x', content);
        for await (const chunk of (await store.open('x', { range: { start: 5, end: MIB + 5 } }))?.body ?? []) {
          expect(Object.getPrototypeOf(chunk)).toBe(Uint8Array.prototype);
        }
      });

      it('names the same object the same, and its replacement otherwise', async () => {
        const identity = async (range?: ByteRange): Promise<string> => {
          const opened = await store.open('x', range === undefined ? {} : { range });
          await opened?.cancel();
          if (opened?.identity === undefined) throw new Error('the store names no identity');
          return opened.identity;
        };
        await store.put('x', content);
        const first = await identity();
        expect(await identity({ start: 0, end: 1 })).toBe(first);
        expect(await identity({ start: MIB, end: MIB })).toBe(first);
        await store.put('x', content);
        expect(await identity()).not.toBe(first);
      });

      it('gives chunks that are the reader’s to keep and to change', async () => {
        await store.put('x', content);
        for await (const chunk of (await store.open('x'))?.body ?? []) chunk.fill(0);
        const again = await store.open('x');
        expect((await collect(again?.body ?? chunksOf(bytes(''), 1))).equals(content)).toBe(true);
      });

      it('gives the same bytes into memory of the reader’s, which it uses again', async () => {
        await store.put('x', content);
        const spare: Uint8Array[] = [];
        const memory = (length: number): Uint8Array | undefined => (length < MIB ? undefined : (spare.pop() ?? new Uint8Array(length)));
        const parts: Buffer[] = [];
        for await (const chunk of (await store.open('x', { memory, range: { start: 7, end: content.byteLength } }))?.body ?? []) {
          parts.push(Buffer.from(chunk));
          chunk.fill(0xee);
          if (chunk.byteLength === MIB) spare.push(chunk);
        }
        expect(Buffer.concat(parts).equals(content.subarray(7))).toBe(true);
      });

      it('can be cancelled before, during and after, more than once', async () => {
        await store.put('x', content);
        const before = await store.open('x');
        await before?.cancel();
        await before?.cancel();
        expect(await codeOf(collect(before?.body ?? chunksOf(bytes('y'), 1)))).toBe('ABORTED');
        const during = await store.open('x');
        const iterator = during?.body[Symbol.asyncIterator]();
        await iterator?.next();
        await during?.cancel();
        expect(await codeOf(Promise.resolve(iterator?.next()))).toBe('ABORTED');
        const after = await store.open('x');
        await collect(after?.body ?? chunksOf(bytes('y'), 1));
        await after?.cancel();
      });

      it('gives its body once', async () => {
        await store.put('x', content);
        const opened = await store.open('x');
        await collect(opened?.body ?? chunksOf(bytes('y'), 1));
        expect(await codeOf(collect(opened?.body ?? chunksOf(bytes('y'), 1)))).toBe('INVALID_ARGUMENT');
      });

      it('honours an abort before and between chunks', async () => {
        await store.put('x', content);
        expect(await codeOf(store.open('x', { signal: AbortSignal.abort() }))).toBe('ABORTED');
        const controller = new AbortController();
        const opened = await store.open('x', { signal: controller.signal });
        const iterator = opened?.body[Symbol.asyncIterator]();
        await iterator?.next();
        controller.abort();
        expect(await codeOf(Promise.resolve(iterator?.next()))).toBe('ABORTED');
      });
    });

    describe('head', () => {
      it('gives name, size and a plausible time, or undefined', async () => {
        expect(await store.head('x')).toBeUndefined();
        await store.put('x', bytes('four'));
        const info = await store.head('x');
        expect(info).toEqual({ name: 'x', size: 4, lastModified: info?.lastModified });
        expect(Number.isInteger(info?.lastModified)).toBe(true);
        expect(info?.lastModified).toBeGreaterThan(1_600_000_000_000);
      });

      it('honours an abort', async () => {
        expect(await codeOf(store.head('x', { signal: AbortSignal.abort() }))).toBe('ABORTED');
      });
    });

    describe('delete', () => {
      it('says whether something was there', async () => {
        await store.put('d/x', bytes('one'));
        expect(await store.delete('d/x')).toBe(true);
        expect(await store.delete('d/x')).toBe(false);
        expect(await store.delete('no/such/x')).toBe(false);
        expect(await store.read('d/x', { maxBytes: 10 })).toBeUndefined();
      });

      it('removes only the state that is named', async () => {
        await store.put('x', bytes('one'));
        const first = await etagOf(store, 'x');
        await store.put('x', bytes('two'), { ifMatch: first });
        expect(await codeOf(store.delete('x', { ifMatch: first }))).toBe('CONFLICT');
        expect(await textOf(store, 'x')).toBe('two');
        expect(await store.delete('x', { ifMatch: await etagOf(store, 'x') })).toBe(true);
        expect(await store.head('x')).toBeUndefined();
        expect(await store.open('x')).toBeUndefined();
        expect(await namesOf(store)).toEqual([]);
      });

      it('finds a conflict where nothing stands', async () => {
        expect(await codeOf(store.delete('x', { ifMatch: '0'.repeat(32) }))).toBe('CONFLICT');
        expect(await codeOf(store.delete('no/such/x', { ifMatch: '0'.repeat(32) }))).toBe('CONFLICT');
      });

      it.each([true, false])('lets no slow writer bring the object back (conditional: %s)', async (conditional) => {
        await store.put('x', bytes('one'), { ifNoneMatch: '*' });
        const etag = await etagOf(store, 'x');
        await store.delete('x', conditional ? { ifMatch: etag } : {});
        expect(await codeOf(store.put('x', bytes('two'), { ifMatch: etag }))).toBe('CONFLICT');
        expect(await codeOf(store.delete('x', { ifMatch: etag }))).toBe('CONFLICT');
        expect(await store.delete('x')).toBe(false);
        expect(await store.head('x')).toBeUndefined();
      });

      it('makes room for a new object of the name', async () => {
        for (const content of ['one', 'two', 'three']) {
          await store.put('x', bytes(content), { ifNoneMatch: '*' });
          expect(await textOf(store, 'x')).toBe(content);
          await store.delete('x', { ifMatch: await etagOf(store, 'x') });
        }
        await store.put('x', bytes('four'));
        expect(await textOf(store, 'x')).toBe('four');
      });

      it('honours an abort', async () => {
        await store.put('x', bytes('one'));
        expect(await codeOf(store.delete('x', { signal: AbortSignal.abort() }))).toBe('ABORTED');
        expect(await textOf(store, 'x')).toBe('one');
      });
    });

    describe('list', () => {
      it('lists nothing where nothing is', async () => {
        expect(await namesOf(store)).toEqual([]);
        expect(await namesOf(store, 'no/such/')).toEqual([]);
      });

      it('lists in the order of code units, across the slash', async () => {
        const names = ['a-b', 'a.b', 'a/b', 'a/b-c/d', 'a/b.c/d', 'a0', 'a_', 'aa', 'b/%41', 'b/-', 'b/0', '0', '%2f', '_', '-x', '.x'];
        for (const name of names) await store.put(name, bytes(name));
        const listed: ObjectInfo[] = [];
        for await (const info of store.list()) listed.push(info);
        expect(listed.map((info) => info.name)).toEqual([...names].sort());
        for (const info of listed) expect(info).toEqual(await store.head(info.name));
      });

      it.each([
        ['', ['a', 'ab/c', 'ab/cd/e', 'ab/ce', 'b']],
        ['a', ['a', 'ab/c', 'ab/cd/e', 'ab/ce']],
        ['ab', ['ab/c', 'ab/cd/e', 'ab/ce']],
        ['ab/', ['ab/c', 'ab/cd/e', 'ab/ce']],
        ['ab/c', ['ab/c', 'ab/cd/e', 'ab/ce']],
        ['ab/cd', ['ab/cd/e']],
        ['ab/cd/', ['ab/cd/e']],
        ['ab/cd/e', ['ab/cd/e']],
        ['ab/cd/ef', []],
        ['c', []],
        ['.', []],
        ['..', []],
      ])('lists what begins with "%s"', async (prefix, expected) => {
        for (const name of ['b', 'ab/ce', 'ab/cd/e', 'ab/c', 'a']) await store.put(name, bytes(name));
        expect(await namesOf(store, prefix)).toEqual(expected);
      });

      it.each(['/', '/a', 'a//', '../', 'a/../', './', 'A', 'a b', 'a\0', 'a\\', 'x'.repeat(3_073)])(
        'refuses %j, with which no name begins',
        async (prefix) => {
          expect(await codeOf(namesOf(store, prefix))).toBe('INVALID_ARGUMENT');
        },
      );

      it('lists many', async () => {
        const names = Array.from({ length: 300 }, (_, index) => `p/${index % 7}/${index}`);
        await Promise.all(names.map((name) => store.put(name, bytes(name))));
        expect(await namesOf(store, 'p/')).toEqual([...names].sort());
      });

      it('goes on when objects vanish under it', async () => {
        for (const name of ['a', 'b', 'c/d', 'e']) await store.put(name, bytes(name));
        const seen: string[] = [];
        for await (const info of store.list()) {
          seen.push(info.name);
          if (info.name === 'a') for (const name of ['b', 'c/d']) await store.delete(name);
        }
        expect(seen).toContain('a');
        expect(seen).toContain('e');
        expect(seen).not.toContain('c/d');
      });

      it('honours an abort before and in between', async () => {
        for (const name of ['a', 'b']) await store.put(name, bytes(name));
        const controller = new AbortController();
        const listing = (async () => {
          for await (const info of store.list({ signal: controller.signal })) {
            expect(info.name).toBe('a');
            controller.abort();
          }
        })();
        expect(await codeOf(listing)).toBe('ABORTED');
      });
    });

    describe('names', () => {
      const bad = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../x', 'a/../b', './a', 'A', 'a b', 'a\0b', 'ä', 'a~', 'a\\b', 'a\nb', 'x'.repeat(3_073)];
      it.each(bad)('refuses %j', async (name) => {
        expect(await codeOf(store.put(name, bytes('x')))).toBe('INVALID_ARGUMENT');
        expect(await codeOf(store.read(name, { maxBytes: 1 }))).toBe('INVALID_ARGUMENT');
        expect(await codeOf(store.open(name))).toBe('INVALID_ARGUMENT');
        expect(await codeOf(store.head(name))).toBe('INVALID_ARGUMENT');
        expect(await codeOf(store.delete(name))).toBe('INVALID_ARGUMENT');
        expect(await namesOf(store)).toEqual([]);
      });

      it('refuses what is not even a string', async () => {
        expect(await codeOf(store.put(7 as unknown as string, bytes('x')))).toBe('INVALID_ARGUMENT');
        expect(await codeOf((async () => { await namesOf(store, 7 as unknown as string); })())).toBe('INVALID_ARGUMENT');
      });

      it('takes every character of the alphabet, and dots that are not alone', async () => {
        for (const name of ['abcdefghijklmnopqrstuvwxyz0123456789._-%', '...', '..a/.b', 'a'.repeat(200)]) {
          await store.put(name, bytes(name));
          expect(await textOf(store, name)).toBe(name);
        }
      });

      it('takes 3,072 characters', async () => {
        const name = `${'abcdefghijklmno/'.repeat(191)}abcdefghijklmnop`;
        expect(name).toHaveLength(3_072);
        await store.put(name, bytes('deep'));
        expect(await textOf(store, name)).toBe('deep');
        expect(await namesOf(store)).toEqual([name]);
      });
    });

    describe('at the same time', () => {
      it('50 creates of one name have one winner, whose content stands', async () => {
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, index) => codeOf(store.put('x', bytes(`writer ${index}`), { ifNoneMatch: '*' }))),
        );
        expect(results.filter((code) => code === 'OK')).toHaveLength(1);
        expect(results.filter((code) => code === 'ALREADY_EXISTS')).toHaveLength(49);
        expect(await textOf(store, 'x')).toBe(`writer ${results.indexOf('OK')}`);
      });

      it('50 replacements of one state have one winner, whose content stands', async () => {
        await store.put('x', bytes('zero'));
        const ifMatch = await etagOf(store, 'x');
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, index) => codeOf(store.put('x', bytes(`writer ${index}`), { ifMatch }))),
        );
        expect(results.filter((code) => code === 'OK')).toHaveLength(1);
        expect(results.filter((code) => code === 'CONFLICT')).toHaveLength(49);
        expect(await textOf(store, 'x')).toBe(`writer ${results.indexOf('OK')}`);
      });

      it('replacements by one and the same content have one winner', async () => {
        await store.put('x', bytes('zero'));
        const ifMatch = await etagOf(store, 'x');
        const results = await Promise.all(Array.from({ length: 8 }, () => codeOf(store.put('x', bytes('one'), { ifMatch }))));
        expect(results.filter((code) => code === 'OK')).toHaveLength(1);
        expect(await textOf(store, 'x')).toBe('one');
      });

      it('a replacement and a delete of one state have one winner', async () => {
        for (let round = 0; round < 10; round += 1) {
          await store.put('x', bytes(`zero ${round}`));
          const ifMatch = await etagOf(store, 'x');
          const [put, removed] = await Promise.all([
            codeOf(store.put('x', bytes(`one ${round}`), { ifMatch })),
            codeOf(store.delete('x', { ifMatch })),
          ]);
          expect([put, removed].sort()).toEqual(['CONFLICT', 'OK']);
          expect(await textOf(store, 'x')).toBe(put === 'OK' ? `one ${round}` : undefined);
          await store.delete('x');
        }
      });

      it('50 counters lose no increment', async () => {
        await store.put('n', bytes('0'));
        let acknowledged = 0;
        await Promise.all(
          Array.from({ length: 50 }, async () => {
            const content = await store.read('n', { maxBytes: 100 });
            if (content === undefined) throw new Error('the counter should be there');
            const next = bytes(String(Number(new TextDecoder().decode(content.bytes)) + 1));
            if ((await codeOf(store.put('n', next, { ifMatch: content.etag }))) === 'OK') acknowledged += 1;
          }),
        );
        expect(acknowledged).toBeGreaterThan(0);
        expect(await textOf(store, 'n')).toBe(String(acknowledged));
      });

      it('a reader sees one content whole, never a part or a mixture', async () => {
        const contents = [pattern(300_000), pattern(300_000).fill(7)];
        await store.put('x', pattern(300_000));
        const writer = (async () => {
          for (let round = 0; round < 10; round += 1) await store.put('x', contents[round % 2] ?? bytes(''));
        })();
        for (let round = 0; round < 30; round += 1) {
          const read = await store.read('x', { maxBytes: MIB });
          expect(contents.some((content) => Buffer.from(read?.bytes ?? []).equals(content))).toBe(true);
        }
        await writer;
      });
    });
  });
}
