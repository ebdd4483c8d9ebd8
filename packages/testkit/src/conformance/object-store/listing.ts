import assert from 'node:assert/strict';
import { collect, eachOf, refusal } from '../expect.ts';
import { bytes, listed, namesOf, textOf, type ObjectStoreGroup } from './objects.ts';

/** More than a page of any service that gives a thousand at a time. */
const MANY = 1_100;
const ORDER = ['a-b', 'a.b', 'a/b', 'a/b-c/d', 'a/b.c/d', 'a0', 'a_', 'aa', 'b/%41', 'b/-', 'b/0', '0', '%2f', '_', '-x', '.x'];
const UNDER = ['b', 'ab/ce', 'ab/cd/e', 'ab/c', 'a'];
const PREFIXES = ['', 'a', 'ab', 'ab/', 'ab/c', 'ab/cd', 'ab/cd/', 'ab/cd/e', 'ab/cd/ef', 'c', '.', '..'];
const NO_PREFIXES = ['/', '/a', 'a//', '../', 'a/../', './', 'A', 'a b', 'a\0', 'a\\', 'x'.repeat(3_073)];
const NO_NAMES = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../x', 'a/../b', './a', 'A', 'a b', 'a\0b', 'ä', 'a~', 'a\\b', 'a\nb', 'x'.repeat(3_073)];
const UNUSUAL = ['abcdefghijklmnopqrstuvwxyz0123456789._-%', '...', '..a/.b', '%2e%2e/%2f', 'con', 'a.tmp', 'a'.repeat(200)];
const LONGEST = `${'abcdefghijklmno/'.repeat(191)}abcdefghijklmnop`;

/** Lists and names. */
export const listingCases: ObjectStoreGroup = () => [
  {
    id: 'list.order',
    title: 'lists in the order of code units, across the slash, as head() has it',
    run: async ({ store }) => {
      assert.deepEqual(await namesOf(store), [], 'an empty store lists nothing');
      for (const name of ORDER) await store.put(name, bytes(name));
      const all = await listed(store);
      assert.deepEqual(all.map(({ name }) => name), [...ORDER].sort(), 'the order of names');
      for (const info of all) assert.deepEqual({ ...info }, { ...(await store.head(info.name)) }, 'what a list says and what head() says');
    },
  },
  {
    id: 'list.prefix',
    title: 'lists what begins with a prefix, wherever the slashes are',
    run: async ({ store }) => {
      for (const name of UNDER) await store.put(name, bytes(name));
      for (const prefix of PREFIXES) {
        const expected = UNDER.filter((name) => name.startsWith(prefix)).sort();
        assert.deepEqual(await namesOf(store, prefix), expected, `what begins with "${prefix}"`);
      }
    },
  },
  {
    id: 'list.no-prefix',
    title: 'refuses prefixes with which no name begins',
    run: async ({ store }) => {
      for (const prefix of NO_PREFIXES) await refusal('INVALID_ARGUMENT', async () => namesOf(store, prefix), `the prefix ${shown(prefix)}`);
      await refusal('INVALID_ARGUMENT', async () => namesOf(store, 7 as unknown as string), 'a number as prefix');
    },
  },
  {
    id: 'list.many',
    title: `lists ${MANY} objects, each once and in order`,
    run: async ({ store }) => {
      const names = Array.from({ length: MANY }, (_, index) => `p/${index % 3}/${index}`);
      await eachOf(names, (name) => store.put(name, bytes(name)), 16);
      await store.put('q', bytes('q'));
      assert.deepEqual(await namesOf(store, 'p/'), [...names].sort(), 'what begins with "p/"');
      assert.equal((await namesOf(store)).length, MANY + 1, 'everything');
    },
  },
  {
    id: 'list.vanishing',
    title: 'goes on when objects vanish under it',
    run: async ({ store }) => {
      for (const name of ['a', 'b', 'c/d', 'e']) await store.put(name, bytes(name));
      const seen: string[] = [];
      for await (const { name } of store.list()) {
        seen.push(name);
        if (name === 'a') for (const gone of ['b', 'c/d']) await store.delete(gone);
      }
      // A page may have been read before, so what vanished may still be told.
      assert.deepEqual(seen.filter((name) => name === 'a' || name === 'e'), ['a', 'e'], 'what stayed is listed');
    },
  },
  {
    id: 'list.aborted',
    title: 'ends at an abort, before and between',
    run: async ({ store }) => {
      for (const name of ['a', 'b']) await store.put(name, bytes(name));
      await refusal('ABORTED', async () => collect(store.list({ signal: AbortSignal.abort() })), 'a list after an abort');
      const controller = new AbortController();
      const listing = async (): Promise<void> => {
        for await (const { name } of store.list({ signal: controller.signal })) {
          assert.equal(name, 'a', 'the list went on after an abort');
          controller.abort();
        }
      };
      await refusal('ABORTED', listing, 'a list during an abort');
    },
  },
  {
    id: 'name.refused',
    title: 'refuses what is no name, in every call',
    run: async ({ store }) => {
      for (const name of [...NO_NAMES, 7 as unknown as string]) {
        const what = typeof name === 'string' ? `the name ${shown(name)}` : 'a number as name';
        await refusal('INVALID_ARGUMENT', async () => store.put(name, bytes('x')), what);
        await refusal('INVALID_ARGUMENT', async () => store.read(name, { maxBytes: 1 }), what);
        await refusal('INVALID_ARGUMENT', async () => store.open(name), what);
        await refusal('INVALID_ARGUMENT', async () => store.head(name), what);
        await refusal('INVALID_ARGUMENT', async () => store.delete(name), what);
      }
      assert.deepEqual(await namesOf(store), [], 'something was stored under what is no name');
    },
  },
  {
    id: 'name.unusual',
    title: 'takes every character of the alphabet, and dots and percents as they are',
    run: async ({ store }) => {
      for (const name of UNUSUAL) await store.put(name, bytes(name));
      for (const name of UNUSUAL) assert.equal(await textOf(store, name), name, `the object "${name}"`);
      assert.deepEqual(await namesOf(store), [...UNUSUAL].sort(), 'the names');
    },
  },
  {
    id: 'name.longest',
    title: 'takes names of 3,072 characters',
    run: async ({ store }) => {
      await store.put(LONGEST, bytes('deep'));
      assert.equal(await textOf(store, LONGEST), 'deep', 'the object');
      assert.deepEqual(await namesOf(store), [LONGEST], 'the name');
    },
  },
];

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
