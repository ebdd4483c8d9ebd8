import { describe, expect, test } from 'vitest';
import { migratePlaintext } from '../../src/migration/migrate-plaintext.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { PlainCheckpointStore } from '../../src/plain/plain-checkpoint-store.ts';
import { BACKENDS } from '../support/backends.ts';
import { gathered, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { allNamesIn, namesIn, onlyName, plant } from '../support/objects.ts';
import { openStore } from '../support/open-store.ts';

const BIG = 300_000;
const HUGE = new Uint8Array(600_000);

describe.each(BACKENDS)('an object that is too large to be a record, over $backend', ({ make }) => {
  test.each([false, true])('is found by verify, and goes by delete(), after which the id is free (hidden names: %s)', async (hideNames) => {
    const opened = await openStore({ objects: make(), hideNames });
    const { store, objects } = opened;
    await store.save('a', patterned(BIG));
    const name = await onlyName(objects, hideNames ? '.kfh' : '.kfk');
    await plant(objects, name, HUGE);
    for (const call of [() => store.load('a'), () => store.save('a', patterned(1)), () => store.save('a', patterned(1), { overwrite: true })]) {
      await expectCode(call, 'LIMIT_EXCEEDED', /delete\(\) removes/);
    }
    const found = await gathered(store.verify());
    expect(found).toMatchObject([hideNames ? { status: 'damaged', object: name } : { status: 'damaged', id: 'a', code: 'LIMIT_EXCEEDED' }]);
    expect(found[0]?.message).toMatch(/delete\(\)/);
    opened.audit.events.length = 0;
    expect(await store.delete('a')).toBe(true);
    expect(opened.audit.events).toMatchObject([{ action: 'checkpoint.delete', scope: 'a', outcome: 'success' }]);
    expect(await store.delete('a')).toBe(false);
    expect(await gathered(store.list())).toEqual([]);
    await store.save('a', patterned(20));
    expect(await store.load('a')).toEqual(patterned(20));
  });
});

describe('an object that is too large to be a record', () => {
  test('and has become a checkpoint by the time it is deleted: that is deleted, data and all', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    await objects.put('a.kfk', HUGE);
    objects.before = async (operation) => {
      if (operation !== 'head') return;
      objects.before = undefined;
      await store.delete('a');
      await store.save('a', patterned(BIG));
    };
    expect(await store.delete('a')).toBe(true);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('and is gone by the time it is deleted: nothing was there', async () => {
    for (const operation of ['head', 'delete'] as const) {
      const objects = new HookedObjectStore(new MemoryObjectStore());
      const { store } = await openStore({ objects });
      await objects.put('a.kfk', HUGE);
      objects.before = async (done) => {
        if (done !== operation) return;
        objects.before = undefined;
        await objects.delete('a.kfk');
      };
      expect(await store.delete('a')).toBe(false);
    }
  });

  test('does not keep garbage elsewhere from being collected, nor plaintext from being listed', async () => {
    const objects = new MemoryObjectStore();
    const plaintext = new PlainCheckpointStore({ objects });
    const { store, clock } = await openStore({ objects, migration: { plaintext } });
    clock.advance(Date.now() - clock.now());
    for (const id of ['a', 'b']) {
      await store.save(id, patterned(BIG));
      await objects.delete(`${id}.kfk`);
    }
    await objects.put('a.kfk', HUGE);
    await plaintext.save('a', patterned(10));
    await plaintext.save('c', patterned(10));
    expect((await gathered(store.list())).sort()).toEqual(['a', 'c']);
    clock.advance(2 * 86_400_000);
    expect(await store.gc()).toMatchObject({ examined: 2, unclear: 1, marked: 1 });
    clock.advance(2 * 86_400_000);
    expect(await store.gc()).toMatchObject({ examined: 2, unclear: 1, removed: 1 });
    expect((await allNamesIn(objects)).filter((name) => name.endsWith('.kfc'))).toEqual([expect.stringMatching(/^a\./)]);
  });

  test('is nothing that a migration takes back', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const from = new PlainCheckpointStore({ objects });
    const { store } = await openStore({ objects });
    await from.save('a', patterned(BIG));
    objects.after = async (operation, name) => {
      if (operation !== 'put' || name !== 'a.kfk') return;
      objects.after = undefined;
      await from.delete('a');
      await plant(objects, 'a.kfk', HUGE);
    };
    await migratePlaintext({ from, to: store });
    expect(await objects.head('a.kfk')).toMatchObject({ size: HUGE.byteLength });
  });
});
