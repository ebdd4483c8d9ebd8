import assert from 'node:assert/strict';
import type { ByteRange, ObjectStore, OpenObject } from '@keyfold/core/provider';
import { present, refusal, sameBytes } from '../expect.ts';
import { bytes, joined, opened, pattern, textOf, type ObjectStoreGroup } from './objects.ts';
import { MIB } from './options.ts';

const SIZE = 3 * MIB + 11;
/** 1973 in milliseconds; seconds since 1970 lie before it. */
const EARLIEST_MS = 100_000_000_000;
const RANGES = [
  [0, 0],
  [0, 1],
  [0, SIZE],
  [MIB - 1, MIB + 1],
  [MIB, 2 * MIB],
  [1, SIZE],
  [3 * MIB, SIZE],
  [SIZE - 1, SIZE],
  [SIZE, SIZE],
] as const;
const NO_RANGES = [
  [0, SIZE + 1],
  [SIZE + 1, SIZE + 1],
  [2, 1],
  [-1, 1],
  [0.5, 1],
  [0, Number.NaN],
] as const;

/** read, open and head: what is there, exactly, as often as one likes. */
export const readingCases: ObjectStoreGroup = ({ identity }) => [
  {
    id: 'read.absent',
    title: 'gives undefined for what is absent',
    run: async ({ store }) => {
      for (const name of ['x', 'no/such/x']) {
        assert.equal(await store.read(name, { maxBytes: 10 }), undefined, 'read() of what is absent');
        assert.equal(await store.open(name), undefined, 'open() of what is absent');
        assert.equal(await store.head(name), undefined, 'head() of what is absent');
      }
    },
  },
  {
    id: 'read.limit',
    title: 'reads an object of exactly the limit, and refuses one byte more',
    run: async ({ store }) => {
      await store.put('x', pattern(1_000));
      assert.equal((await store.read('x', { maxBytes: 1_000 }))?.bytes.byteLength, 1_000, 'an object of exactly the limit');
      await refusal('LIMIT_EXCEEDED', store.read('x', { maxBytes: 999 }), 'an object above the limit');
      await refusal('LIMIT_EXCEEDED', store.read('x', { maxBytes: 0 }), 'an object above no bytes');
      for (const maxBytes of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await refusal('INVALID_ARGUMENT', store.read('x', { maxBytes }), `a limit of ${maxBytes}`);
      }
    },
  },
  {
    id: 'read.own',
    title: 'gives bytes and chunks that are the reader’s to change',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      (await store.read('x', { maxBytes: SIZE }))?.bytes.fill(0);
      const { body } = await open(store);
      for await (const chunk of body) chunk.fill(0);
      sameBytes(await opened(store, 'x'), content, 'the object after a reader changed what it was given');
    },
  },
  {
    id: 'read.keep',
    title: 'gives chunks that keep their content while others are read',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      sameBytes(await joined((await open(store)).body), content, 'chunks that were kept to the end');
    },
  },
  {
    id: 'read.no-buffers',
    title: 'gives chunks that are no Buffers, whose slice() would alias',
    run: async ({ store }) => {
      await store.put('x', pattern(SIZE));
      for await (const chunk of (await open(store, { start: 5, end: MIB + 5 })).body) {
        assert.equal(Object.getPrototypeOf(chunk), Uint8Array.prototype, 'a chunk is something else than a plain Uint8Array');
      }
    },
  },
  {
    id: 'read.range',
    title: 'opens any range, and says the size of the whole',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      for (const [start, end] of RANGES) {
        const object = await open(store, { start, end });
        assert.equal(object.size, SIZE, 'size is the size of the whole');
        sameBytes(await joined(object.body), content.subarray(start, end), `bytes ${start} up to ${end}`);
      }
    },
  },
  {
    id: 'read.no-range',
    title: 'refuses ranges that are none',
    run: async ({ store }) => {
      await store.put('x', pattern(SIZE));
      for (const [start, end] of NO_RANGES) {
        await refusal('RANGE_INVALID', store.open('x', { range: { start, end } }), `a range of ${start} up to ${end}`);
      }
    },
  },
  {
    id: 'read.replaced',
    title: 'reads on after a replacement and after a delete',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      const [first, kept] = [await open(store), await open(store)];
      await store.put('x', bytes('other'));
      const second = await open(store);
      sameBytes(await joined(first.body), content, 'what was opened before it was replaced');
      await store.delete('x');
      sameBytes(await joined(kept.body), content, 'what was opened before it was replaced and deleted');
      sameBytes(await joined(second.body), bytes('other'), 'what was opened before it was deleted');
    },
  },
  {
    id: 'read.at-once',
    title: 'serves many readers at once, each its own range',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const range = { start: index * 1_000, end: SIZE - index * 70_000 };
          sameBytes(await joined((await open(store, range)).body), content.subarray(range.start, range.end), `reader ${index}`);
        }),
      );
    },
  },
  {
    id: 'read.cancel',
    title: 'can be cancelled before, during and after reading, more than once',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      const before = await open(store);
      await before.cancel();
      await before.cancel();
      await refusal('ABORTED', joined(before.body), 'reading what was cancelled');
      const during = await open(store);
      const iterator = during.body[Symbol.asyncIterator]();
      await iterator.next();
      await during.cancel();
      await refusal('ABORTED', async () => iterator.next(), 'reading on after a cancel');
      const after = await open(store);
      await joined(after.body);
      await after.cancel();
      sameBytes(await opened(store, 'x'), content, 'the object after others were cancelled');
    },
  },
  {
    id: 'read.once',
    title: 'gives a body once',
    run: async ({ store }) => {
      await store.put('x', pattern(SIZE));
      const { body } = await open(store);
      await joined(body);
      await refusal('INVALID_ARGUMENT', async () => joined(body), 'a second reading of one body');
    },
  },
  {
    id: 'read.aborted',
    title: 'ends at an abort, before and between the chunks',
    run: async ({ store }) => {
      const content = pattern(SIZE);
      await store.put('x', content);
      const signal = AbortSignal.abort();
      await refusal('ABORTED', store.read('x', { maxBytes: SIZE, signal }), 'read() after an abort');
      await refusal('ABORTED', store.open('x', { signal }), 'open() after an abort');
      await refusal('ABORTED', store.head('x', { signal }), 'head() after an abort');
      await refusal('ABORTED', store.delete('x', { signal }), 'delete() after an abort');
      const controller = new AbortController();
      const object = present(await store.open('x', { signal: controller.signal }), 'the object should be there');
      const iterator = object.body[Symbol.asyncIterator]();
      await iterator.next();
      controller.abort();
      await refusal('ABORTED', async () => iterator.next(), 'reading on after an abort');
      sameBytes(await opened(store, 'x'), content, 'the object after an abort');
    },
  },
  {
    id: 'read.head',
    title: 'tells name, size and time of an object',
    run: async ({ store }) => {
      await store.put('d/x', bytes('four'));
      const info = present(await store.head('d/x'), 'the object should be there');
      assert.deepEqual({ ...info, lastModified: 0 }, { name: 'd/x', size: 4, lastModified: 0 }, 'head()');
      assert.ok(Number.isSafeInteger(info.lastModified) && info.lastModified > EARLIEST_MS, 'lastModified is in milliseconds since 1970');
      assert.equal(await textOf(store, 'd/x'), 'four', 'the object');
    },
  },
  ...(identity === undefined
    ? []
    : [
        {
          id: 'read.identity',
          title: 'names the same object the same, and its replacement otherwise',
          run: async ({ store }: { readonly store: ObjectStore }) => {
      const content = pattern(SIZE);
            await store.put('x', content);
            const first = await identityOf(store);
            assert.equal(await identityOf(store, { start: 0, end: 1 }), first, 'a range has another identity');
            assert.equal(await identityOf(store, { start: MIB, end: MIB }), first, 'an empty range has another identity');
            await store.put('x', content);
            assert.notEqual(await identityOf(store), first, 'a replacement has the same identity');
          },
        },
      ]),
];

async function open(store: ObjectStore, range?: ByteRange): Promise<OpenObject> {
  return present(await store.open('x', range === undefined ? {} : { range }), 'the object should be there');
}

async function identityOf(store: ObjectStore, range?: ByteRange): Promise<string> {
  const object = await open(store, range);
  await object.cancel();
  return present(object.identity, 'the store names no identity, though it was declared');
}
