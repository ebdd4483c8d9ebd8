import assert from 'node:assert/strict';
import type { ObjectStore } from '@keyfold/core/provider';
import { present } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import { bytes, chunksOf, etagOf, outcome, pattern, textOf, type ObjectStoreGroup } from './objects.ts';
import { MIB, type ObjectStoreConformanceOptions, type ObjectStoreSubject } from './options.ts';

const WRITERS = 50;
const ROUNDS = 10;

/** Who comes first when many come at once. */
export const racingCases: ObjectStoreGroup = (options) => [
  {
    id: 'race.reader',
    title: 'shows every reader one content whole, never a part or a mixture',
    run: async (subject) => {
      const { store } = subject;
      const reader = await another(options, subject);
      const contents = [pattern(300_000), pattern(300_000).fill(7)];
      await store.put('x', pattern(300_000));
      const writing = (async () => {
        for (let round = 0; round < ROUNDS; round += 1) await store.put('x', chunksOf(present(contents[round % 2], 'a content'), 50_000));
      })();
      for (let round = 0; round < 3 * ROUNDS; round += 1) {
        const read = present(await reader.read('x', { maxBytes: MIB }), 'an object vanished while it was replaced');
        assert.ok(contents.some((content) => Buffer.compare(read.bytes, content) === 0), 'a reader saw a part or a mixture');
      }
      await writing;
    },
  },
  {
    id: 'race.names',
    title: `stores ${WRITERS} objects at once and mixes none up`,
    run: async ({ store }) => {
      await Promise.all(Array.from({ length: WRITERS }, (_, index) => store.put(`d/${index}`, bytes(`writer ${index}`))));
      for (let index = 0; index < WRITERS; index += 1) assert.equal(await textOf(store, `d/${index}`), `writer ${index}`, 'what a writer put');
    },
  },
  ...(options.capabilities.conditionalWrites ? decidedByTheStore(options) : []),
];

function decidedByTheStore<Subject extends ObjectStoreSubject>(options: ObjectStoreConformanceOptions<Subject>): PlannedCase<Subject>[] {
  return [
    {
      id: 'race.create',
      title: `lets one of ${WRITERS} creates of a name win, and its content stand`,
      run: async (subject) => {
        const stores = [subject.store, await another(options, subject)];
        await requireOneWinner(stores, { ifNoneMatch: '*' }, 'ALREADY_EXISTS');
      },
    },
    {
      id: 'race.replace',
      title: `lets one of ${WRITERS} replacements of a state win, and its content stand`,
      run: async (subject) => {
        const { store } = subject;
        await store.put('x', bytes('zero'));
        await requireOneWinner([store, await another(options, subject)], { ifMatch: await etagOf(store, 'x') }, 'CONFLICT');
      },
    },
    {
      id: 'race.same-content',
      title: 'lets one of many replacements by the same content win',
      run: async ({ store }) => {
        await store.put('x', bytes('zero'));
        const ifMatch = await etagOf(store, 'x');
        const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcome(store.put('x', bytes('one'), { ifMatch }))));
        assert.equal(outcomes.filter((each) => each === 'OK').length, 1, 'the winners');
        assert.equal(await textOf(store, 'x'), 'one', 'the content');
      },
    },
    {
      id: 'race.delete',
      title: 'lets a replacement or a delete of a state win, not both',
      run: async (subject) => {
        const { store } = subject;
        const second = await another(options, subject);
        for (let round = 0; round < ROUNDS; round += 1) {
          await store.put('x', bytes(`zero ${round}`), { ifNoneMatch: '*' });
          const ifMatch = await etagOf(store, 'x');
          const replacing = outcome(store.put('x', bytes(`one ${round}`), { ifMatch }));
          const [put, removed] = await Promise.all([replacing, outcome(second.delete('x', { ifMatch }))]);
          assert.deepEqual([put, removed].sort(), ['CONFLICT', 'OK'], 'one wins and the other one is told');
          assert.equal(await textOf(store, 'x'), put === 'OK' ? `one ${round}` : undefined, 'what the winner left');
          if (put === 'OK') await store.delete('x', { ifMatch: await etagOf(store, 'x') });
        }
      },
    },
    {
      id: 'race.counters',
      title: `loses no increment of ${WRITERS} counters`,
      run: async (subject) => {
        const { store } = subject;
        const stores = [store, await another(options, subject)];
        await store.put('n', bytes('0'));
        const outcomes = await Promise.all(Array.from({ length: WRITERS }, (_, index) => increment(present(stores[index % 2], 'a store'))));
        const acknowledged = outcomes.filter((each) => each === 'OK').length;
        assert.ok(acknowledged > 0, 'nobody could count');
        assert.equal(await textOf(store, 'n'), String(acknowledged), 'what was acknowledged was counted');
      },
    },
  ];
}

async function requireOneWinner(stores: readonly ObjectStore[], condition: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string }, refusedWith: string): Promise<void> {
  const outcomes = await Promise.all(
    Array.from({ length: WRITERS }, (_, index) => {
      const store = present(stores[index % stores.length], 'a store');
      // Half of them come in chunks.
      const content = bytes(`writer ${index}`);
      return outcome(store.put('x', index % 4 < 2 ? content : chunksOf(content, 3), condition));
    }),
  );
  assert.equal(outcomes.filter((each) => each === 'OK').length, 1, 'the winners');
  assert.equal(outcomes.filter((each) => each === refusedWith).length, WRITERS - 1, `the others are told ${refusedWith}`);
  assert.equal(await textOf(present(stores[0], 'a store'), 'x'), `writer ${outcomes.indexOf('OK')}`, 'what stands is what the winner put');
}

async function increment(store: ObjectStore): Promise<string> {
  const content = present(await store.read('n', { maxBytes: 100 }), 'the counter should be there');
  const next = bytes(String(Number(new TextDecoder().decode(content.bytes)) + 1));
  return outcome(store.put('n', next, { ifMatch: content.etag }));
}

/** A second handle on the storage where there is one. */
async function another<Subject extends ObjectStoreSubject>({ reopen }: ObjectStoreConformanceOptions<Subject>, subject: Subject): Promise<ObjectStore> {
  return (await reopen?.(subject)) ?? subject.store;
}
