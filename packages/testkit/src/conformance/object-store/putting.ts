import assert from 'node:assert/strict';
import { eachOf, rejection, refusal } from '../expect.ts';
import { bytes, chunksOf, etagOf, failingAfter, namesOf, pattern, requireContent, requireEmpty, textOf, type ObjectStoreGroup } from './objects.ts';
import { MIB } from './options.ts';

const SIZES = [0, 1, 32, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1] as const;
const STREAMS = [
  [0, 1],
  [1, 1],
  [100_000, 7],
  [3 * MIB + 5, 524_287],
  [3 * MIB + 5, MIB],
  [2 * MIB, 524_288],
  [9 * MIB + 1, 3 * MIB],
] as const;
const MIXED: readonly number[] = [0, 3, 524_288, 1, 0, 600_000, 2, 524_287, 524_289, 0];

/** What is put is there, exactly, whole, and nobody else's. */
export const puttingCases: ObjectStoreGroup = ({ residue }) => [
  {
    id: 'put.bytes',
    title: 'stores bytes exactly, from none to more than a MiB, and says how many',
    run: async ({ store }) => {
      for (const size of SIZES) {
        const content = pattern(size);
        assert.deepEqual(await store.put('a/x', content), { size }, 'a put says what it stored');
        await requireContent(store, 'a/x', content);
      }
    },
  },
  {
    id: 'put.chunks',
    title: 'stores chunks of any size in their order, and has done with each when it asks for the next',
    run: async ({ store }) => {
      for (const [size, chunk] of STREAMS) {
        const content = pattern(size);
        assert.deepEqual(await store.put('x', chunksOf(content, chunk)), { size }, 'a put says what it stored');
        await requireContent(store, 'x', content);
      }
    },
  },
  {
    id: 'put.mixed',
    title: 'stores chunks of mixed sizes, empty ones too',
    run: async ({ store }) => {
      const content = pattern(MIXED.reduce((sum, size) => sum + size, 0));
      await store.put('x', cut(content, MIXED));
      await requireContent(store, 'x', content);
    },
  },
  {
    id: 'put.release',
    title: 'gives chunks back once at most, and none that it still needs',
    run: async ({ store }) => {
      const sizes = [MIB, 70_000, 3, 3 * MIB + 1, 0, 65_535, MIB - 5, 524_288, 20];
      const content = pattern(sizes.reduce((sum, size) => sum + size, 0));
      const out = new Set<Uint8Array>();
      const strangers: Uint8Array[] = [];
      const release = (chunk: Uint8Array): void => {
        if (!out.delete(chunk)) strangers.push(chunk);
        // What is read from now on is somebody else's memory.
        chunk.fill(0xee);
      };
      await store.put('x', { [Symbol.asyncIterator]: () => cut(content, sizes, (chunk) => out.add(chunk)), release });
      assert.equal(strangers.length, 0, 'a chunk was given back that was not out: twice, or another one');
      await requireContent(store, 'x', content);
    },
  },
  {
    id: 'put.own',
    title: 'keeps what was put when the caller changes its array afterwards, and changes no array',
    run: async ({ store }) => {
      const content = bytes('mine');
      await store.put('x', content);
      assert.equal(new TextDecoder().decode(content), 'mine', 'a put changed what it was given');
      content.fill(0);
      assert.equal(await textOf(store, 'x'), 'mine', 'what was put changed with the array of the caller');
    },
  },
  {
    id: 'put.replace',
    title: 'replaces without a condition, with less and with more',
    run: async ({ store }) => {
      for (const size of [10, 3, 0, 700_000, 5]) {
        await store.put('x', pattern(size));
        await requireContent(store, 'x', pattern(size));
      }
      assert.deepEqual(await namesOf(store), ['x'], 'a name that was replaced stands once');
    },
  },
  {
    id: 'put.failing-body',
    title: 'passes on what a body throws as it is, and leaves nothing',
    run: async (subject) => {
      const { store } = subject;
      const failure = Object.assign(new Error('the source broke'), { code: 'ENOSPC' });
      const before = await residue?.(subject);
      for (const options of [{}, { ifNoneMatch: '*' } as const]) {
        const thrown = await rejection(store.put('x', failingAfter(pattern(600_000), failure), options), 'a put of a body that throws');
        assert.equal(thrown, failure, 'what a body throws was replaced by something else');
      }
      await requireEmpty(store, 'a body that threw');
      assert.equal(await residue?.(subject), before, 'a body that threw left something in the storage');
    },
  },
  {
    id: 'put.failing-replacement',
    title: 'leaves the former content when the body of its replacement throws',
    run: async ({ store }) => {
      await store.put('x', bytes('one'));
      const failure = new Error('the source broke');
      const ifMatch = await etagOf(store, 'x');
      for (const options of [{}, { ifMatch }]) await rejection(store.put('x', failingAfter(bytes('tw'), failure), options), 'a put of a body that throws');
      assert.equal(await textOf(store, 'x'), 'one', 'a replacement that failed changed the object');
      assert.equal(await etagOf(store, 'x'), ifMatch, 'a replacement that failed changed the etag');
    },
  },
  {
    id: 'put.no-bytes',
    title: 'refuses chunks that are no bytes, and leaves nothing',
    run: async ({ store }) => {
      await refusal('INVALID_ARGUMENT', store.put('x', ['text'] as unknown as AsyncIterable<Uint8Array>), 'a body of text');
      await requireEmpty(store, 'a body of text');
    },
  },
  {
    id: 'put.aborted',
    title: 'stops at an abort before, between and after the chunks, ends the body, and leaves nothing',
    run: async (subject) => {
      const { store } = subject;
      const before = await residue?.(subject);
      await refusal('ABORTED', store.put('x', bytes('one'), { signal: AbortSignal.abort() }), 'a put after an abort');
      await eachOf([1, 2, 3], async (abortBefore) => {
        const controller = new AbortController();
        const body = aborting(controller, abortBefore);
        await refusal('ABORTED', store.put('x', body.chunks, { signal: controller.signal }), `a put aborted before chunk ${abortBefore}`);
        assert.equal(body.ended(), true, 'the body was not ended');
      });
      await requireEmpty(store, 'puts that were aborted');
      assert.equal(await residue?.(subject), before, 'puts that were aborted left something in the storage');
    },
  },
  {
    id: 'put.unseen',
    title: 'shows nothing of an object before all of it is there',
    run: async ({ store }) => {
      const content = pattern(2 * MIB);
      const seen: unknown[] = [];
      async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
        for await (const chunk of chunksOf(content, 300_000)) {
          seen.push(await store.head('x'), await store.open('x'), await store.read('x', { maxBytes: content.byteLength }), ...(await namesOf(store)));
          yield chunk;
        }
      }
      await store.put('x', watched());
      assert.deepEqual(seen.filter((each) => each !== undefined), [], 'an object was seen before it was whole');
      await requireContent(store, 'x', content);
    },
  },
];

async function* cut(content: Uint8Array, sizes: readonly number[], given?: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array, void, undefined> {
  let start = 0;
  for (const size of sizes) {
    const chunk = content.slice(start, start + size);
    given?.(chunk);
    yield await Promise.resolve(chunk);
    start += size;
  }
}

/** Two chunks and their end, with an abort before one of the three. */
function aborting(controller: AbortController, abortBefore: number): { readonly chunks: AsyncIterable<Uint8Array>; readonly ended: () => boolean } {
  let over = false;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let chunk = 1; chunk <= 3; chunk += 1) {
        if (chunk === abortBefore) controller.abort();
        if (chunk < 3) yield await Promise.resolve(bytes('chunk'));
      }
    } finally {
      over = true;
    }
  }
  return { chunks: chunks(), ended: () => over };
}
