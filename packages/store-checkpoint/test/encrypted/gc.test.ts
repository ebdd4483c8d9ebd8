import { KeyfoldError } from '@keyfold/core';
import { ManualClock, MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import type { GcReport } from '../../src/encrypted/gc-options.ts';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, flipBit, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn, plant, snapshot } from '../support/objects.ts';
import { type Opened, type Overrides, openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BIG = 300_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Stores whose objects are as old as the clock says, which begins now. */
const BACKENDS = [
  { backend: 'memory', make: (clock: ManualClock) => new MemoryObjectStore({ clock }) },
  { backend: 'files', make: (clock: ManualClock) => new FileSystemObjectStore(temporaryDirectory(), { clock }) },
];

async function open({ make }: (typeof BACKENDS)[number], overrides: Overrides = {}): Promise<Opened> {
  const clock = new ManualClock(Date.now());
  return { ...(await openStore({ objects: make(clock), clock, ...overrides })), clock };
}

/** A checkpoint whose record is gone, as a save leaves that was killed before its commit. */
async function orphan({ store, objects }: Opened, id: string): Promise<string> {
  const { objectId } = await store.save(id, patterned(BIG, id));
  await objects.delete(`${id}.kfk`);
  return `${id}.${objectId}.kfc`;
}

const NOTHING: GcReport = {
  examined: 0, referenced: 0, young: 0, marked: 0, unmarked: 0, waiting: 0, removed: 0, removedBytes: 0, unclear: 0, marksRemoved: 0, swept: {},
};

describe.each(BACKENDS)('gc, over $backend', (backend) => {
  const swept = expect.any(Object) as GcReport['swept'];

  test('removes a data object without a record: marked in one run, gone in a later one', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    const receipt = await store.save('sound', patterned(BIG));
    await store.save('inline', patterned(10));
    const lost = await orphan(opened, 'lost');
    const mark = lost.replace(/kfc$/, 'kfg');
    expect(await store.gc()).toEqual({ ...NOTHING, examined: 2, young: 2, swept });
    clock.advance(2 * DAY);
    expect(await store.gc()).toEqual({ ...NOTHING, examined: 2, referenced: 1, marked: 1, swept });
    expect(await namesIn(objects)).toContain(mark);
    // The mark, written now, is two days older than the clock says where files are real.
    if (backend.backend === 'memory') {
      expect(await store.gc()).toEqual({ ...NOTHING, examined: 2, referenced: 1, waiting: 1, swept });
      clock.advance(DAY - 1);
      expect(await store.gc()).toMatchObject({ waiting: 1, removed: 0 });
      clock.advance(1);
    }
    expect(await store.gc()).toEqual({ ...NOTHING, examined: 2, referenced: 1, removed: 1, removedBytes: BIG + 112, swept });
    expect(await namesIn(objects)).toEqual(['inline.kfk', `sound.${receipt.objectId}.kfc`, 'sound.kfk']);
    expect(digest(await store.load('sound'))).toBe(digest(patterned(BIG)));
    expect(await store.gc()).toEqual({ ...NOTHING, examined: 1, referenced: 1, swept });
  });

  test('removes what a replacement and a delete left that were interrupted, and never what a record refers to', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    const first = await store.save('replaced', patterned(BIG, 1));
    const old = await bytesOf(objects, `replaced.${first.objectId}.kfc`);
    await store.save('replaced', patterned(BIG, 2), { overwrite: true });
    await objects.put(`replaced.${first.objectId}.kfc`, old);
    const inline = await store.save('inline', patterned(BIG));
    const before = await bytesOf(objects, `inline.${inline.objectId}.kfc`);
    await store.save('inline', patterned(10), { overwrite: true });
    await objects.put(`inline.${inline.objectId}.kfc`, before);
    for (let run = 0; run < 3; run++) {
      clock.advance(2 * DAY);
      await store.gc();
    }
    expect((await namesIn(objects)).filter((name) => name.endsWith('.kfc'))).toHaveLength(1);
    expect(digest(await store.load('replaced'))).toBe(digest(patterned(BIG, 2)));
    expect(await store.load('inline')).toEqual(patterned(10));
  });

  test('keeps everything of an id whose record is damaged, or whose data are missing', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    await store.save('damaged', patterned(BIG));
    await plant(objects, 'damaged.kfk', flipBit(await bytesOf(objects, 'damaged.kfk'), 0));
    const first = await store.save('dangling', patterned(BIG, 1));
    const old = await bytesOf(objects, `dangling.${first.objectId}.kfc`);
    const second = await store.save('dangling', patterned(BIG, 2), { overwrite: true });
    await objects.put(`dangling.${first.objectId}.kfc`, old);
    await objects.delete(`dangling.${second.objectId}.kfc`);
    for (let run = 0; run < 3; run++) {
      clock.advance(2 * DAY);
      expect(await store.gc()).toMatchObject({ examined: 2, unclear: 2, marked: 0, removed: 0 });
    }
  });

  test('keeps what lies beside data that are marked and in use: their save may still take them back', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    const first = await store.save('a', patterned(BIG, 1));
    const old = await bytesOf(objects, `a.${first.objectId}.kfc`);
    const second = await store.save('a', patterned(BIG, 2), { overwrite: true });
    await objects.put(`a.${first.objectId}.kfc`, old);
    await objects.put(`a.${second.objectId}.kfg`, new Uint8Array(0));
    for (let run = 0; run < 3; run++) {
      clock.advance(2 * DAY);
      expect(await store.gc()).toMatchObject({ examined: 2, referenced: 1, unclear: 1, marked: 0, removed: 0, marksRemoved: 0 });
    }
    await store.save('a', patterned(10), { overwrite: true });
    for (let run = 0; run < 3; run++) {
      clock.advance(2 * DAY);
      await store.gc();
    }
    expect(await namesIn(objects)).toEqual(['a.kfk']);
  });

  test('writes and removes nothing in a dry run', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    await orphan(opened, 'lost');
    clock.advance(2 * DAY);
    const before = await snapshot(objects);
    expect(await store.gc({ dryRun: true })).toMatchObject({ marked: 1, swept: {} });
    expect(await snapshot(objects)).toEqual(before);
    await store.gc();
    clock.advance(2 * DAY);
    const marked = await snapshot(objects);
    expect(await store.gc({ dryRun: true })).toMatchObject({ removed: 1, removedBytes: BIG + 112 });
    expect(await snapshot(objects)).toEqual(marked);
  });

  test('takes away a mark whose data are gone, once it is old', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    const lost = await orphan(opened, 'lost');
    clock.advance(2 * DAY);
    await store.gc();
    await objects.delete(lost);
    clock.advance(2 * DAY);
    expect(await store.gc({ dryRun: true })).toMatchObject({ examined: 0, marksRemoved: 1 });
    expect(await store.gc()).toMatchObject({ examined: 0, marksRemoved: 1 });
    expect(await namesIn(objects)).toEqual([]);
  });

  test('leaves alone what is none of its own', async () => {
    const opened = await open(backend);
    const { store, objects, clock } = opened;
    for (const name of ['notes.txt', 'a.kfp', 'a.kfc', 'a.0123.kfc', `%41.${'0'.repeat(31)}g.kfc`, `${'a'.repeat(64)}.${'0'.repeat(32)}.kfd`]) {
      await objects.put(name, patterned(3));
    }
    const before = await snapshot(objects);
    clock.advance(10 * DAY);
    expect(await store.gc()).toMatchObject({ examined: 0 });
    expect(await snapshot(objects)).toEqual(before);
  });
});

const [MEMORY, FILES] = BACKENDS as [(typeof BACKENDS)[number], (typeof BACKENDS)[number]];

describe('gc', () => {
  test('has the file system store sweep what killed writers left, no younger than the grace', async () => {
    const asked: unknown[] = [];
    const objects = Object.assign(new HookedObjectStore(new MemoryObjectStore()), {
      sweep: (options: unknown) => {
        asked.push(options);
        return Promise.resolve({ temporaries: 2, note: 'not a number' });
      },
    });
    const { store } = await openStore({ objects });
    expect(await store.gc({ graceMs: 2 * HOUR })).toMatchObject({ swept: { temporaries: 2 } });
    expect(asked).toEqual([{ olderThanMs: 2 * HOUR, signal: undefined }]);
    await store.gc({ dryRun: true });
    expect(asked).toHaveLength(1);
    const files = await open(FILES);
    expect(await files.store.gc()).toMatchObject({ swept: { temporaries: 0 } });
  });

  test('needs no key', async () => {
    const opened = await open(MEMORY);
    await orphan(opened, 'lost');
    await opened.store.save('sound', patterned(BIG));
    const other = await openStore({ objects: opened.objects, kms: new MemoryKms('other-key'), clock: opened.clock });
    opened.clock.advance(DAY);
    expect(await other.store.gc()).toMatchObject({ marked: 1, referenced: 1 });
    expect([...other.kms.calls.keys()]).toEqual([]);
  });

  test('audits every object that it removes, and the run', async () => {
    const opened = await open(MEMORY);
    const lost = await orphan(opened, 'lost');
    opened.clock.advance(DAY);
    await opened.store.gc();
    opened.clock.advance(DAY);
    const { audit } = opened;
    audit.events.length = 0;
    await opened.store.gc();
    const common = { action: 'checkpoint.gc', outcome: 'success', tenant: 'acme', time: opened.clock.now() };
    expect(audit.events).toEqual([{ ...common, scope: lost }, { ...common, scope: '*' }]);
    await expectCode(opened.store.gc({ graceMs: 1 }), 'INVALID_ARGUMENT');
    expect(audit.events.at(-1)).toMatchObject({ action: 'checkpoint.gc', outcome: 'failure', code: 'INVALID_ARGUMENT', scope: '*' });
  });

  test('says in the audit which object could not be removed, and ends', async () => {
    const clock = new ManualClock();
    const objects = new HookedObjectStore(new MemoryObjectStore({ clock }));
    const opened = await openStore({ objects, clock });
    const lost = await orphan(opened, 'lost');
    clock.advance(DAY);
    await opened.store.gc();
    clock.advance(DAY);
    objects.before = (operation) => {
      if (operation === 'delete') throw new KeyfoldError('STORAGE_DENIED', 'The storage of a test takes no deletes.');
    };
    await expectCode(opened.store.gc(), 'STORAGE_DENIED');
    const failure = { action: 'checkpoint.gc', outcome: 'failure', code: 'STORAGE_DENIED' };
    expect(opened.audit.events.slice(-2)).toMatchObject([{ ...failure, scope: lost }, { ...failure, scope: '*' }]);
  });

  test.each(['head', 'read'] as const)('goes on past one object that the disk does not give, and says so at the end (%s)', async (failing) => {
    const clock = new ManualClock();
    const objects = new HookedObjectStore(new MemoryObjectStore({ clock }));
    const opened = await openStore({ objects, clock });
    for (const id of ['a', 'b', 'c']) await orphan(opened, id);
    objects.before = (operation, name) => {
      if (operation === failing && name.startsWith('b.')) throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not give this.');
    };
    const reports: GcReport[] = [];
    for (let run = 0; run < 2; run++) {
      clock.advance(DAY);
      await expectCode(opened.store.gc({ onProgress: (report) => reports.push({ ...report }) }), 'STORAGE_FAILURE', /does not give this/);
    }
    expect(reports.at(-1)).toMatchObject({ examined: 3, removed: 2 });
    expect((await namesIn(objects)).map((name) => name.slice(0, 2))).toEqual(['b.']);
  });

  test.each([{ dryrun: true }, { grace: DAY }, null])('refuses %o rather than remove something', async (options) => {
    const opened = await open(MEMORY);
    await expectCode(opened.store.gc(options as never), 'INVALID_ARGUMENT', /gc\(\)/);
  });

  test('goes on without marking where the storage is full, and removes what is marked', async () => {
    const clock = new ManualClock();
    const objects = new HookedObjectStore(new MemoryObjectStore({ clock }));
    const opened = await openStore({ objects, clock });
    await orphan(opened, 'a');
    clock.advance(DAY);
    await opened.store.gc();
    const second = await orphan(opened, 'b');
    clock.advance(DAY);
    objects.before = (operation) => {
      if (operation === 'put') throw new KeyfoldError('STORAGE_FULL', 'The storage of a test is full.');
    };
    expect(await opened.store.gc()).toMatchObject({ removed: 1, unmarked: 1, marked: 0 });
    expect(await namesIn(objects)).toEqual([second]);
    objects.before = (operation) => {
      if (operation === 'put') throw new KeyfoldError('STORAGE_DENIED', 'The storage of a test takes nothing.');
    };
    await expectCode(opened.store.gc(), 'STORAGE_DENIED');
  });

  test('finds a mark that another run put at the same time', async () => {
    const clock = new ManualClock();
    const objects = new HookedObjectStore(new MemoryObjectStore({ clock }));
    const opened = await openStore({ objects, clock });
    await orphan(opened, 'lost');
    clock.advance(DAY);
    objects.before = async (operation) => {
      if (operation !== 'put') return;
      objects.before = undefined;
      await opened.store.gc();
    };
    expect(await opened.store.gc()).toMatchObject({ marked: 0, waiting: 1 });
  });

  test('counts as it goes, and stops when the signal fires', async () => {
    const opened = await open(MEMORY);
    for (let n = 0; n < 5; n++) await opened.store.save(`c/${n}`, patterned(BIG));
    const seen: number[] = [];
    await opened.store.gc({ onProgress: ({ examined }) => seen.push(examined) });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    const abort = new AbortController();
    const stopped = opened.store.gc({
      signal: abort.signal,
      onProgress: () => {
        abort.abort();
      },
    });
    await expectCode(stopped, 'ABORTED');
    await opened.store.close();
    await expectCode(opened.store.gc(), 'CLOSED');
  });

  test('takes a grace of an hour, and none that is shorter', async () => {
    const opened = await open(MEMORY);
    await orphan(opened, 'lost');
    opened.clock.advance(HOUR);
    expect(await opened.store.gc({ graceMs: HOUR })).toMatchObject({ marked: 1 });
    for (const graceMs of [HOUR - 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, '3600000' as never]) {
      await expectCode(opened.store.gc({ graceMs }), 'INVALID_ARGUMENT', /an hour/);
    }
    await expectCode(opened.store.gc({ dryRun: 'yes' as never }), 'INVALID_ARGUMENT', /dryRun/);
  });

  test('does not take an object for old because the clock was set back', async () => {
    const opened = await open(MEMORY);
    await orphan(opened, 'lost');
    opened.clock.advance(-10 * DAY);
    expect(await opened.store.gc()).toMatchObject({ young: 1, marked: 0 });
  });
});
