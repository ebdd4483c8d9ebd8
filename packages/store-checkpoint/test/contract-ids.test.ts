import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { contract } from './checkpoint-store.contract.ts';
import { digest, gathered, joined, patterned } from './support/bytes.ts';
import { checkCode, expectCode } from './support/expect-code.ts';
import { namesIn } from './support/objects.ts';

const BAD_IDS = ['', '.', '..', '../a', 'a/../b', '/a', 'a/', 'a//b', 'a\0', '\ud800', 'x'.repeat(1_025), 'a.kfk/b', 'A'.repeat(1_024)];

contract('ids', (open) => {
  test.each(BAD_IDS)('%j is refused by every call', async (id) => {
    const { store, objects } = await open();
    const calls = [
      () => store.save(id, patterned(1)),
      () => store.load(id),
      () => joined(store.loadStream(id)),
      () => store.readMetadata(id),
      () => store.delete(id),
    ];
    for (const call of calls) await expectCode(call, 'INVALID_ARGUMENT', /id/);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('that differ only in case or normalisation are different checkpoints', async () => {
    const { store } = await open();
    const ids = ['job', 'Job', 'JOB', 'é', 'e\u0301', '%4aob', 'a b', '日本/語', 'a.kfk', 'a', 'a.', '-', '_', 'a/b', 'a-b', 'a.b'];
    for (const id of ids) await store.save(id, patterned(20, id));
    expect((await gathered(store.list())).sort()).toEqual([...ids].sort());
    for (const id of ids) expect(await store.load(id)).toEqual(patterned(20, id));
  });

  test('list with a prefix gives those that begin with it, and no others', async () => {
    const { store } = await open();
    const ids = ['job-7/chk-1', 'job-7/chk-10', 'job-7/chk-2', 'job-70/chk-1', 'Job-7/chk-1', 'job-7', 'other', 'a', 'a.kf', '.x/.y', '..z'];
    for (const id of ids) await store.save(id, patterned(5, id));
    for (const prefix of ['', 'job-7', 'job-7/', 'job-7/chk-1', 'J', 'nobody', 'a', 'a.', 'a.k', 'a.kfk', '.', '..', '.x/.', 'job-7/chk-10/']) {
      const found = await gathered(store.list({ prefix }));
      expect(found.sort(), prefix).toEqual(ids.filter((id) => id.startsWith(prefix)).sort());
    }
    for (const prefix of ['../', '/', 'a//', '\ud800', 7 as never]) {
      await expectCode(() => gathered(store.list({ prefix })), 'INVALID_ARGUMENT', /prefix/);
    }
  });

  test('are listed by the hundred, each once, and foreign objects are not', async () => {
    const { store, objects } = await open();
    const ids = Array.from({ length: 60 }, (_, index) => `job-${index % 7}/part-${index % 3}/chk-${index}`);
    for (const id of ids) await store.save(id, patterned(10));
    for (const name of ['readme', 'a.txt', 'job-1/%41%zz.kfk', 'job-1/%61.kfk', 'job-1/%61.kfp', 'x.kfc']) await objects.put(name, patterned(3));
    expect((await gathered(store.list())).sort()).toEqual([...ids].sort());
    expect((await gathered(store.list({ prefix: 'job-3/' }))).sort()).toEqual(ids.filter((id) => id.startsWith('job-3/')).sort());
  });
});

contract('many at once', (open) => {
  test('32 saves and 32 loads do not disturb each other', async () => {
    const { store } = await open();
    const sizes = Array.from({ length: 32 }, (_, index) => index * 37_813);
    await Promise.all(sizes.map((size, index) => store.save(`chk-${index}`, patterned(size, index))));
    const loaded = await Promise.all(sizes.map((_, index) => store.load(`chk-${index}`)));
    expect(loaded.map(digest)).toEqual(sizes.map((size, index) => digest(patterned(size, index))));
    expect(await gathered(store.list())).toHaveLength(32);
  });

  test('of 32 that create one id, one does where races are decided, and what is there is what one of them wrote', async () => {
    const { store, objects, decidesRaces } = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 32 }, (_, index) => store.save('one', patterned(index % 2 === 0 ? 100 : 400_000, index))),
    );
    const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
    if (decidesRaces) expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') checkCode(outcome.reason, 'ALREADY_EXISTS');
    }
    const written = winners.map((winner) => digest(patterned(winner % 2 === 0 ? 100 : 400_000, winner)));
    expect(written).toContain(digest(await store.load('one')));
    await store.delete('one');
    expect(await namesIn(objects)).toEqual([]);
  });

  test('loads beside deletes and replacements give a whole checkpoint or NOT_FOUND', async () => {
    const { store } = await open();
    const versions = new Set<string>();
    const write = async (): Promise<void> => {
      for (let round = 0; round < 15; round++) {
        const bytes = patterned(round % 3 === 0 ? 100 : 300_000 + round, round);
        versions.add(digest(bytes));
        await store.save('hot', bytes, { overwrite: true });
        if (round % 5 === 4) await store.delete('hot');
      }
    };
    let writing = true;
    const read = async (): Promise<void> => {
      while (writing) {
        // A load of what is absent may need no I/O, and would leave the writer none.
        await setImmediate();
        try {
          expect(versions).toContain(digest(await store.load('hot')));
        } catch (error) {
          checkCode(error, 'NOT_FOUND');
        }
      }
    };
    const readers = [read(), read(), read(), read()];
    await write().finally(() => {
      writing = false;
    });
    await Promise.all(readers);
  });
});
