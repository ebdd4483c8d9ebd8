import assert from 'node:assert/strict';
import { present, refusal } from '../expect.ts';
import { bytes, chunksOf, etagOf, namesOf, requireEmpty, textOf, type ObjectStoreGroup } from './objects.ts';

/** Conditions, etags and deletion, one after the other; what happens at once is in racing.ts. */
export const conditionCases: ObjectStoreGroup = ({ capabilities }) => [
  {
    id: 'condition.declared',
    title: 'declares what it was said to be able to do',
    run: ({ store }) => {
      assert.deepEqual({ ...store.capabilities }, { ...capabilities }, 'the store declares other capabilities');
      return Promise.resolve();
    },
  },
  {
    id: 'condition.create',
    title: 'creates only where nothing stands',
    run: async ({ store }) => {
      await store.put('x', bytes('one'), { ifNoneMatch: '*' });
      await refusal('ALREADY_EXISTS', store.put('x', bytes('two'), { ifNoneMatch: '*' }), 'a second create');
      await refusal('ALREADY_EXISTS', store.put('x', chunksOf(bytes('two'), 1), { ifNoneMatch: '*' }), 'a second create in chunks');
      assert.equal(await textOf(store, 'x'), 'one', 'a create replaced something');
    },
  },
  {
    id: 'condition.create-empty',
    title: 'creates where an empty object stands no more than elsewhere',
    run: async ({ store }) => {
      await store.put('x', new Uint8Array(0), { ifNoneMatch: '*' });
      await refusal('ALREADY_EXISTS', store.put('x', bytes('two'), { ifNoneMatch: '*' }), 'a create over an empty object');
    },
  },
  {
    id: 'condition.replace',
    title: 'replaces only the state that is named',
    run: async ({ store }) => {
      await store.put('x', bytes('one'));
      const first = await etagOf(store, 'x');
      await store.put('x', bytes('two'), { ifMatch: first });
      await refusal('CONFLICT', store.put('x', bytes('three'), { ifMatch: first }), 'a replacement of a former state');
      await refusal('CONFLICT', store.put('x', chunksOf(bytes('three'), 1), { ifMatch: first }), 'the same in chunks');
      assert.equal(await textOf(store, 'x'), 'two', 'a former state was replaced');
      await store.put('x', chunksOf(bytes('four'), 2), { ifMatch: await etagOf(store, 'x') });
      assert.equal(await textOf(store, 'x'), 'four', 'the present state was not replaced');
    },
  },
  {
    id: 'condition.never-creates',
    title: 'never creates by replacing',
    run: async ({ store }) => {
      await store.put('y', bytes('one'));
      const etag = await etagOf(store, 'y');
      await store.delete('y');
      for (const ifMatch of [etag, '0'.repeat(32), 'anything/../at all', '']) {
        await refusal('CONFLICT', store.put('x', bytes('one'), { ifMatch }), 'a replacement of nothing');
        await refusal('CONFLICT', store.put('d/x', bytes('one'), { ifMatch }), 'a replacement of nothing in a folder');
      }
      await requireEmpty(store, 'replacements of nothing');
    },
  },
  {
    id: 'condition.one',
    title: 'takes one condition, not two',
    run: async ({ store }) => {
      await refusal('INVALID_ARGUMENT', store.put('x', bytes('one'), { ifNoneMatch: '*', ifMatch: 'x' }), 'a put with two conditions');
      await requireEmpty(store, 'a put with two conditions');
    },
  },
  {
    id: 'etag.changes',
    title: 'changes the etag with every replacement, and only then',
    run: async ({ store }) => {
      const etags: string[] = [];
      for (const text of ['one', 'two', 'three']) {
        await store.put('x', bytes(text));
        etags.push(await etagOf(store, 'x'));
        await store.put('y', bytes('another'));
        assert.equal(await etagOf(store, 'x'), etags.at(-1), 'the etag changed and the object did not');
      }
      assert.equal(new Set(etags).size, etags.length, 'a replacement kept the etag');
    },
  },
  {
    id: 'delete.says',
    title: 'says whether there was something to delete, and deletes it',
    run: async ({ store }) => {
      await store.put('d/x', bytes('one'));
      await store.put('d/y', bytes('two'));
      assert.equal(await store.delete('d/x'), true, 'delete() of what is there');
      assert.equal(await store.delete('d/x'), false, 'delete() of what is gone');
      assert.equal(await store.delete('no/such/x'), false, 'delete() of what never was');
      assert.equal(await store.read('d/x', { maxBytes: 10 }), undefined, 'what was deleted can be read');
      assert.equal(await store.open('d/x'), undefined, 'what was deleted can be opened');
      assert.equal(await store.head('d/x'), undefined, 'what was deleted has a head');
      assert.deepEqual(await namesOf(store), ['d/y'], 'what was deleted is listed, or too much is gone');
    },
  },
  {
    id: 'delete.state',
    title: 'deletes only the state that is named',
    run: async ({ store }) => {
      await store.put('x', bytes('one'));
      const first = await etagOf(store, 'x');
      await store.put('x', bytes('two'), { ifMatch: first });
      await refusal('CONFLICT', store.delete('x', { ifMatch: first }), 'a delete of a former state');
      assert.equal(await textOf(store, 'x'), 'two', 'a former state was deleted');
      assert.equal(await store.delete('x', { ifMatch: await etagOf(store, 'x') }), true, 'delete() of the present state');
      await requireEmpty(store, 'a delete');
    },
  },
  {
    id: 'delete.nothing',
    title: 'finds a conflict where a state is to be deleted and nothing stands',
    run: async ({ store }) => {
      for (const name of ['x', 'no/such/x']) await refusal('CONFLICT', store.delete(name, { ifMatch: '0'.repeat(32) }), 'a delete of a state of nothing');
    },
  },
  {
    id: 'delete.final',
    title: 'lets no slow writer bring back what was deleted',
    run: async ({ store }) => {
      for (const conditional of [true, false]) {
        const name = `x-${String(conditional)}`;
        await store.put(name, bytes('one'), { ifNoneMatch: '*' });
        const etag = await etagOf(store, name);
        await store.delete(name, conditional ? { ifMatch: etag } : {});
        await refusal('CONFLICT', store.put(name, bytes('two'), { ifMatch: etag }), 'a replacement of what was deleted');
        await refusal('CONFLICT', store.delete(name, { ifMatch: etag }), 'a second delete of a state');
        assert.equal(await store.delete(name), false, 'there was something to delete');
      }
      await requireEmpty(store, 'deletes');
    },
  },
  {
    id: 'delete.room',
    title: 'makes room for a new object of the name, whose state is another one',
    run: async ({ store }) => {
      const etags: string[] = [];
      for (const text of ['one', 'two', 'three', 'four']) {
        await store.put('x', bytes(text), { ifNoneMatch: '*' });
        assert.equal(await textOf(store, 'x'), text, 'the new object of the name');
        etags.push(await etagOf(store, 'x'));
        for (const old of etags.slice(0, -1)) {
          await refusal('CONFLICT', store.put('x', bytes('stale'), { ifMatch: old }), 'a replacement of an object that was there before');
        }
        await store.delete('x', { ifMatch: present(etags.at(-1), 'a state') });
      }
    },
  },
];
