import { KeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import type { MigratePlaintextOptions, MigrationReport, MigrationStep } from '../../src/migration/migrate-options.ts';
import { migratePlaintext } from '../../src/migration/migrate-plaintext.ts';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { PlainCheckpointStore } from '../../src/plain/plain-checkpoint-store.ts';
import { BACKENDS } from '../support/backends.ts';
import { digest, flipBit, gathered, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, digests, namesIn, plant } from '../support/objects.ts';
import { type Opened, openStore } from '../support/open-store.ts';
import { smallDisk } from '../support/small-disk.ts';

const SIZES = { empty: 0, 'job/small': 100, 'job/large': 2_500_000 };
const NONE: MigrationReport = { migrated: 0, present: 0, pending: 0, different: 0, failed: 0, sourcesDeleted: 0 };

interface Scene extends Opened {
  readonly from: PlainCheckpointStore;
  readonly migrate: (options?: Partial<MigratePlaintextOptions>) => Promise<MigrationReport>;
  readonly steps: MigrationStep[];
}

async function scene(objects: Opened['objects'] = new MemoryObjectStore(), window = false): Promise<Scene> {
  const from = new PlainCheckpointStore({ objects });
  const opened = await openStore({ objects, ...(window ? { migration: { plaintext: from } } : {}) });
  for (const [id, size] of Object.entries(SIZES)) await from.save(id, patterned(size, id), { metadata: { id, nested: { z: 1, a: [1, null] } } });
  const steps: MigrationStep[] = [];
  const migrate: Scene['migrate'] = (options) => migratePlaintext({ from, to: opened.store, onProgress: (step) => steps.push(step), ...options });
  return { ...opened, from, migrate, steps };
}

async function expectAllSealed({ store }: Pick<Opened, 'store'>): Promise<void> {
  expect((await gathered(store.list())).sort()).toEqual(Object.keys(SIZES).sort());
  for (const [id, size] of Object.entries(SIZES)) {
    expect(digest(await store.load(id, { minimumGeneration: 1 }))).toBe(digest(patterned(size, id)));
    expect(await store.readMetadata(id)).toEqual({ id, nested: { z: 1, a: [1, null] } });
  }
}

describe.each(BACKENDS)('a migration, over $backend', ({ make }) => {
  test.each([false, true])('encrypts everything, and keeps the plaintext unless told to delete it (window open: %s)', async (window) => {
    const here = await scene(make(), window);
    expect(await here.migrate()).toEqual({ ...NONE, migrated: 3 });
    await expectAllSealed(here);
    expect(await gathered(here.from.list())).toHaveLength(3);
    expect(await here.migrate()).toEqual({ ...NONE, present: 3 });
    expect(await here.migrate({ deleteSource: true })).toEqual({ ...NONE, present: 3, sourcesDeleted: 3 });
    expect(await gathered(here.from.list())).toEqual([]);
    await expectAllSealed(here);
    expect(await here.migrate({ deleteSource: true })).toEqual(NONE);
  });

  test('deletes each plaintext once its copy was read back', async () => {
    const here = await scene(make());
    expect(await here.migrate({ deleteSource: true, prefix: 'job/' })).toEqual({ ...NONE, migrated: 2, sourcesDeleted: 2 });
    expect(await gathered(here.from.list())).toEqual(['empty']);
    expect(here.steps).toContainEqual({ id: 'job/large', outcome: 'migrated', sourceDeleted: true });
  });
});

describe('a migration', () => {
  test('that is only tried writes and deletes nothing', async () => {
    const here = await scene(new MemoryObjectStore(), true);
    await here.migrate({ prefix: 'empty' });
    const before = await digests(here.objects);
    here.audit.events.length = 0;
    expect(await here.migrate({ dryRun: true, deleteSource: true })).toEqual({ ...NONE, pending: 2, present: 1 });
    expect(await digests(here.objects)).toEqual(before);
    expect(here.audit.events.some(({ action }) => action === 'checkpoint.migrate')).toBe(false);
  });

  test('keeps both where an encrypted checkpoint of the id says something else', async () => {
    const here = await scene();
    await here.store.save('empty', patterned(1), { metadata: { id: 'empty', nested: { z: 1, a: [1, null] } } });
    await here.store.save('job/small', patterned(100, 'job/small'), { metadata: { other: true } });
    expect(await here.migrate({ deleteSource: true })).toEqual({ ...NONE, migrated: 1, different: 2, sourcesDeleted: 1 });
    expect((await gathered(here.from.list())).sort()).toEqual(['empty', 'job/small']);
    expect(await here.store.load('empty')).toEqual(patterned(1));
    expect(await here.migrate({ dryRun: true })).toMatchObject({ different: 2 });
    const failures = here.audit.events.filter(({ action, outcome }) => action === 'checkpoint.migrate' && outcome === 'failure');
    expect(failures.map(({ scope, code }) => [scope, code])).toEqual([['empty', 'INTEGRITY_FAILURE'], ['job/small', 'INTEGRITY_FAILURE']]);
  });

  test('never deletes plaintext whose copy does not open', async () => {
    const here = await scene();
    await here.migrate();
    const record = await bytesOf(here.objects, 'job/small.kfk');
    await plant(here.objects, 'job/small.kfk', flipBit(record, 8 * (record.byteLength - 1)));
    expect(await here.migrate({ deleteSource: true })).toEqual({ ...NONE, present: 2, failed: 1, sourcesDeleted: 2 });
    expect(here.steps.at(-1)).toEqual({ id: 'job/small', outcome: 'failed', sourceDeleted: false, code: 'INTEGRITY_FAILURE' });
    expect(await here.from.load('job/small')).toEqual(patterned(100, 'job/small'));
  });

  test('never deletes plaintext that was changed after it was read', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const here = await scene(objects);
    objects.after = async (operation, name) => {
      if (operation === 'put' && name === 'job/small.kfk') await here.from.save('job/small', patterned(100, 'newer'), { overwrite: true });
    };
    expect(await here.migrate({ deleteSource: true })).toMatchObject({ migrated: 2, different: 1, sourcesDeleted: 2 });
    expect(await here.from.load('job/small')).toEqual(patterned(100, 'newer'));
  });

  test('goes on past what cannot be read, and what is gone meanwhile', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const here = await scene(objects);
    await objects.put('damaged.kfp', patterned(70_000));
    objects.before = async (operation, name) => {
      if (operation === 'open' && name === 'empty.kfp') await here.from.delete('empty');
    };
    expect(await here.migrate()).toEqual({ ...NONE, migrated: 2, failed: 1 });
    expect(here.steps[0]).toEqual({ id: 'damaged', outcome: 'failed', sourceDeleted: false, code: 'INTEGRITY_FAILURE' });
  });

  test.each([100, 300_000])('does not bring back what is deleted while it is copied (%i bytes)', async (size) => {
    for (const when of ['before', 'after'] as const) {
      const objects = new HookedObjectStore(new MemoryObjectStore());
      const here = await scene(objects, true);
      await here.from.save('victim', patterned(size));
      objects[when] = async (operation, name) => {
        if (operation !== 'put' || name !== 'victim.kfk') return;
        objects[when] = undefined;
        expect(await here.store.delete('victim')).toBe(true);
      };
      expect(await here.migrate({ prefix: 'victim' })).toEqual(NONE);
      expect((await namesIn(objects)).filter((name) => name.startsWith('victim'))).toEqual([]);
      await expectCode(here.store.load('victim'), 'NOT_FOUND');
    }
  });

  test('leaves what is saved anew under an id that is deleted while it is copied', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const here = await scene(objects, true);
    objects.after = async (operation, name) => {
      if (operation !== 'put' || name !== 'job/small.kfk') return;
      objects.after = undefined;
      await here.from.delete('job/small');
      await here.store.save('job/small', patterned(5), { overwrite: true });
    };
    expect(await here.migrate({ prefix: 'job/small' })).toEqual(NONE);
    expect(await here.store.load('job/small')).toEqual(patterned(5));
  });

  test('does not pass over plaintext whose copy is deleted before it was read back', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const here = await scene(objects);
    objects.after = async (operation, name) => {
      if (operation !== 'put' || name !== 'job/small.kfk') return;
      objects.after = undefined;
      await here.store.delete('job/small');
    };
    expect(await here.migrate({ deleteSource: true })).toEqual({ ...NONE, migrated: 2, failed: 1, sourcesDeleted: 2 });
    expect(here.steps.at(-1)).toEqual({ id: 'job/small', outcome: 'failed', sourceDeleted: false, code: 'NOT_FOUND' });
    expect(await here.from.load('job/small')).toEqual(patterned(100, 'job/small'));
  });

  test.each(['STORAGE_FAILURE', 'STORAGE_DENIED'] as const)('goes on past a file that the disk does not give: %s', async (code) => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const here = await scene(objects);
    objects.before = (operation, name) => {
      if (operation === 'open' && name === 'job/large.kfp') throw new KeyfoldError(code, 'The disk of a test does not give this.');
    };
    expect(await here.migrate({ deleteSource: true })).toEqual({ ...NONE, migrated: 2, failed: 1, sourcesDeleted: 2 });
    expect(here.steps).toContainEqual({ id: 'job/large', outcome: 'failed', sourceDeleted: false, code });
  });

  test.each([{ deleteSources: true }, { dryrun: true }, { from: null }, undefined, null])('refuses %o', async (options) => {
    const { store: to, from } = await scene();
    const all = typeof options === 'object' && options !== null ? { from, to, ...options } : options;
    await expectCode(() => migratePlaintext(all as never), 'INVALID_ARGUMENT', /migratePlaintext/);
  });

  test('ends with what KMS, storage or audit refuse, and is ended by another run', async () => {
    const here = await scene();
    here.kms.fault = () => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'The key service of a test is down.');
    };
    await expectCode(here.migrate({ deleteSource: true }), 'KMS_UNAVAILABLE');
    expect(await gathered(here.from.list())).toHaveLength(3);
    here.kms.fault = undefined;
    expect(await here.migrate({ deleteSource: true })).toMatchObject({ migrated: 3, sourcesDeleted: 3 });
    await expectAllSealed(here);
  });

  test('audits each checkpoint', async () => {
    const here = await scene();
    here.audit.events.length = 0;
    await here.migrate({ prefix: 'empty' });
    expect(here.audit.events.map(({ action, scope, outcome }) => [action, scope, outcome].join(' '))).toEqual([
      'checkpoint.encrypt empty success',
      'checkpoint.read-metadata empty success',
      'checkpoint.decrypt empty success',
      'checkpoint.migrate empty success',
    ]);
  });

  test('stops when the signal fires, between two checkpoints and within one', async () => {
    const here = await scene();
    const abort = new AbortController();
    const stopped = here.migrate({
      signal: abort.signal,
      onProgress: () => {
        abort.abort();
      },
    });
    await expectCode(stopped, 'ABORTED');
    expect(await gathered(here.store.list())).toHaveLength(1);
  });

  test('leaves the buffers of a store of the caller\'s as they are', async () => {
    const buffer = patterned(1_000);
    const from = {
      list: async function* () {
        yield await Promise.resolve('a');
      },
      readMetadata: () => Promise.resolve({}),
      loadStream: async function* () {
        yield await Promise.resolve(buffer);
      },
    };
    const { store } = await openStore();
    expect(await migratePlaintext({ from: from as never, to: store })).toMatchObject({ migrated: 1 });
    expect(buffer).toEqual(patterned(1_000));
  });

  test('refuses what is no pair of stores', async () => {
    const { store, from } = await scene();
    for (const options of [{ from: store, to: store }, { from, to: from }, { from, to: store, dryRun: 1 }, { from, to: store, deleteSource: 'no' }]) {
      await expectCode(migratePlaintext(options as never), 'INVALID_ARGUMENT', /migratePlaintext|must be/);
    }
  });

  test('on a full disk ends with STORAGE_FULL, has lost nothing, and goes on when there is room', async (context) => {
    const objects = new FileSystemObjectStore(smallDisk(context));
    const from = new PlainCheckpointStore({ objects });
    const to = (await openStore({ objects })).store;
    for (const n of [1, 2, 3]) await from.save(`chk-${n}`, patterned(800_000, n));
    await from.save('ballast', patterned(500_000));
    await expectCode(migratePlaintext({ from, to, prefix: 'chk' }), 'STORAGE_FULL');
    expect(await gathered(from.list())).toHaveLength(4);
    await from.delete('ballast');
    expect(await migratePlaintext({ from, to, deleteSource: true })).toMatchObject({ failed: 0, different: 0, sourcesDeleted: 3 });
    for (const n of [1, 2, 3]) expect(digest(await to.load(`chk-${n}`))).toBe(digest(patterned(800_000, n)));
    expect((await namesIn(objects)).some((name) => name.endsWith('.kfp'))).toBe(false);
  });
});
