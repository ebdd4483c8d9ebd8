import { KeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, gathered, inChunks, joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore, type Operation } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn, plant } from '../support/objects.ts';
import { type Opened, kmsCalls, openStore } from '../support/open-store.ts';

const BIG = 300_000;

async function open(): Promise<Opened & { readonly objects: HookedObjectStore }> {
  const objects = new HookedObjectStore(new MemoryObjectStore());
  return { ...(await openStore({ objects, keyCache: { maxEntries: 0 } })), objects };
}

/** Runs `act` once, before or after the first operation that fits, undisturbed by itself. */
function once(objects: HookedObjectStore, when: 'before' | 'after', operation: Operation, suffix: string, act: () => Promise<unknown>): void {
  objects[when] = async (done, name) => {
    if (done !== operation || !name.endsWith(suffix)) return;
    objects[when] = undefined;
    await act();
  };
}

describe('two writers of one id', () => {
  test.each([10, BIG])('who replace it with %i bytes: one does, the other gets CONFLICT, and only the winner\'s objects stay', async (size) => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'put', '.kfk', () => store.save('a', patterned(BIG, 'winner'), { overwrite: true }));
    await expectCode(store.save('a', patterned(size, 'loser'), { overwrite: true }), 'CONFLICT');
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG, 'winner')));
    expect(await namesIn(objects)).toHaveLength(2);
  });

  test.each([10, BIG])('who create it with %i bytes: one does, the other gets ALREADY_EXISTS, and only the winner\'s objects stay', async (size) => {
    const { store, objects } = await open();
    once(objects, 'before', 'put', '.kfk', () => store.save('a', patterned(BIG, 'winner')));
    await expectCode(store.save('a', patterned(size, 'loser')), 'ALREADY_EXISTS', /overwrite: true/);
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG, 'winner')));
    expect(await namesIn(objects)).toHaveLength(2);
  });

  test.each([10, BIG])('who save it with overwrite and %i bytes where nothing was: one does, the other gets CONFLICT and may try again', async (size) => {
    const { store, objects } = await open();
    once(objects, 'before', 'put', '.kfk', () => store.save('a', patterned(BIG, 'winner'), { overwrite: true }));
    const late = (): Promise<unknown> => store.save('a', patterned(size, 'loser'), { overwrite: true });
    await expectCode(late, 'CONFLICT', /Save again/);
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG, 'winner')));
    expect(await namesIn(objects)).toHaveLength(2);
    await late();
    expect(digest(await store.load('a'))).toBe(digest(patterned(size, 'loser')));
  });

  test('of which one deletes what the other replaces: CONFLICT, and nothing is left', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'put', '.kfk', () => store.delete('a'));
    await expectCode(store.save('a', patterned(BIG, 'late'), { overwrite: true }), 'CONFLICT');
    expect(await namesIn(objects)).toEqual([]);
  });

  test('of which one replaces what the other deletes: what is there then is deleted', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'delete', '.kfk', () => store.save('a', patterned(BIG, 2), { overwrite: true }));
    expect(await store.delete('a')).toBe(true);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('who delete it: one of them did', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'delete', '.kfk', () => store.delete('a'));
    expect(await store.delete('a')).toBe(false);
  });
});

describe('somebody who never rests', () => {
  test('makes a delete give up with CONFLICT', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(10));
    objects.before = async (operation) => {
      if (operation === 'delete') await store.save('a', patterned(10), { overwrite: true });
    };
    await expectCode(store.delete('a'), 'CONFLICT', /Try again/);
    expect(await store.load('a')).toEqual(patterned(10));
  });

  test('makes a load give up with CONFLICT', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    objects.before = async (operation) => {
      if (operation === 'open') await store.save('a', patterned(BIG), { overwrite: true });
    };
    await expectCode(store.load('a'), 'CONFLICT', /Try again/);
    expect(objects.log.filter((entry) => entry.startsWith('open'))).toHaveLength(5);
  });
});

describe('data that is absent', () => {
  test('because the checkpoint was replaced meanwhile: the new one is read', async () => {
    for (const size of [10, BIG]) {
      const { store, objects } = await open();
      await store.save('a', patterned(BIG));
      once(objects, 'before', 'open', '.kfc', () => store.save('a', patterned(size, 'new'), { overwrite: true }));
      expect(digest(await store.load('a'))).toBe(digest(patterned(size, 'new')));
    }
  });

  test('because the checkpoint was deleted meanwhile: NOT_FOUND', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'open', '.kfc', () => store.delete('a'));
    await expectCode(store.load('a'), 'NOT_FOUND');
  });

  test('because somebody removed it: INTEGRITY_FAILURE', async () => {
    const { store, objects } = await open();
    const { objectId } = await store.save('a', patterned(BIG));
    await objects.delete(`a.${objectId}.kfc`);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE', /backup/);
    await expectCode(joined(store.loadStream('a')), 'INTEGRITY_FAILURE');
  });

  test('when its record has just been written: CONFLICT, and the record is gone', async () => {
    const { store, objects } = await open();
    once(objects, 'after', 'put', '.kfc', async () => {
      const [name = ''] = await namesIn(objects);
      await objects.delete(name);
    });
    await expectCode(store.save('a', patterned(BIG)), 'CONFLICT', /Save it again/);
    expect(await gathered(store.list())).toEqual([]);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('also when its record has been rewrapped meanwhile', async () => {
    for (const predecessor of [false, true]) {
      const { store, objects, kms } = await open();
      if (predecessor) await store.save('a', patterned(10));
      once(objects, 'before', 'head', '.kfc', async () => {
        await kms.rotateKey();
        await store.rewrap('a');
        for (const name of await namesIn(objects)) if (name.endsWith('.kfc')) await objects.delete(name);
      });
      await expectCode(store.save('a', patterned(BIG), { overwrite: true }), 'CONFLICT', /removed while it was being saved/);
      expect(await gathered(store.list())).toEqual(predecessor ? ['a'] : []);
      if (predecessor) expect(await store.load('a')).toEqual(patterned(10));
    }
  });
});

describe('a save that is committed, and replaced or deleted by another before it has looked at its data again,', () => {
  test.each([10, BIG])('was made, and the %i bytes that replaced it stay', async (size) => {
    for (const predecessor of [false, true]) {
      const { store, objects } = await open();
      if (predecessor) await store.save('a', patterned(BIG, 'first'));
      once(objects, 'after', 'put', '.kfk', () => store.save('a', patterned(size, 'other'), { overwrite: true }));
      await store.save('a', patterned(BIG), { overwrite: true });
      expect(digest(await store.load('a'))).toBe(digest(patterned(size, 'other')));
      expect(await namesIn(objects)).toHaveLength(size === BIG ? 2 : 1);
    }
  });

  test('was made, and what was deleted stays deleted', async () => {
    for (const predecessor of [false, true]) {
      const { store, objects } = await open();
      if (predecessor) await store.save('a', patterned(BIG, 'first'));
      once(objects, 'after', 'put', '.kfk', () => store.delete('a'));
      await store.save('a', patterned(BIG), { overwrite: true });
      expect(await namesIn(objects)).toEqual([]);
    }
  });

  test('was made, also when what stands there now is no record', async () => {
    const { store, objects } = await open();
    once(objects, 'after', 'put', '.kfk', async () => {
      for (const name of await namesIn(objects)) await objects.delete(name);
      await objects.put('a.kfk', patterned(100));
    });
    await store.save('a', patterned(BIG));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
  });
});

describe('a storage that says that it failed, and has the record', () => {
  test.each(['STORAGE_FAILURE', 'STORAGE_FULL', 'STORAGE_DENIED', 'ABORTED'] as const)('keeps its data: %s', async (code) => {
    for (const overwrite of [false, true]) {
      const { store, objects } = await open();
      if (overwrite) await store.save('a', patterned(10));
      once(objects, 'after', 'put', '.kfk', () => Promise.reject(new KeyfoldError(code, 'Said late, when the record was there.')));
      await expectCode(store.save('a', patterned(BIG, 'kept'), { overwrite }), code);
      expect(digest(await store.load('a'))).toBe(digest(patterned(BIG, 'kept')));
    }
  });

  test.each(['ALREADY_EXISTS', 'CONFLICT'] as const)('because it tried twice has saved it: %s', async (code) => {
    for (const size of [10, BIG]) {
      for (const overwrite of [false, true]) {
        const { store, objects } = await open();
        if (overwrite) await store.save('a', patterned(BIG));
        once(objects, 'after', 'put', '.kfk', () => Promise.reject(new KeyfoldError(code, 'Said of the second try, when the record was there.')));
        const receipt = await store.save('a', patterned(size, 'kept'), { overwrite });
        expect(digest(await store.load('a', { expect: receipt }))).toBe(digest(patterned(size, 'kept')));
        expect(await namesIn(objects)).toHaveLength(size === BIG ? 2 : 1);
      }
    }
  });

  test('because it tried twice has saved it, also when it was rewrapped since', async () => {
    const { store, objects, kms } = await open();
    await store.save('a', patterned(10));
    once(objects, 'after', 'put', '.kfk', async () => {
      await kms.rotateKey();
      await store.rewrap('a');
      throw new KeyfoldError('CONFLICT', 'Said of the second try, when the record was there.');
    });
    const receipt = await store.save('a', patterned(BIG, 'kept'), { overwrite: true });
    expect(digest(await store.load('a', { expect: receipt }))).toBe(digest(patterned(BIG, 'kept')));
  });

  test('because it tried twice, and has lost the data since, has not saved it', async () => {
    const { store, objects } = await open();
    const first = await store.save('a', patterned(BIG, 'first'));
    once(objects, 'after', 'put', '.kfk', async () => {
      for (const name of await namesIn(objects)) if (name.endsWith('.kfc') && !name.includes(first.objectId)) await objects.delete(name);
      throw new KeyfoldError('CONFLICT', 'Said of the second try, when the record was there.');
    });
    await expectCode(store.save('a', patterned(BIG), { overwrite: true }), 'CONFLICT', /removed while it was being saved/);
    expect(digest(await store.load('a', { expect: first }))).toBe(digest(patterned(BIG, 'first')));
  });

  test('because it tried to delete it twice has its data removed, and the key forgotten', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, kms } = await openStore({ objects });
    await store.save('a', patterned(BIG));
    await store.load('a');
    const record = await bytesOf(objects, 'a.kfk');
    once(objects, 'after', 'delete', '.kfk', () => Promise.reject(new KeyfoldError('CONFLICT', 'Said of the second try, when the record was gone.')));
    await store.delete('a');
    expect(await namesIn(objects)).toEqual([]);
    await plant(objects, 'a.kfk', record);
    expect(await kmsCalls(kms, () => store.readMetadata('a'))).toEqual({ decrypt: 1 });
  });

  test('or cannot tell any more: the data stays too', async () => {
    const { store, objects } = await open();
    once(objects, 'after', 'put', '.kfk', () => {
      objects.before = (operation) => {
        if (operation === 'read') throw new KeyfoldError('STORAGE_FAILURE', 'The storage does not answer any more.');
      };
      return Promise.reject(new KeyfoldError('STORAGE_FULL', 'Said late, when the record was there.'));
    });
    await expectCode(store.save('a', patterned(BIG)), 'STORAGE_FULL');
    objects.before = undefined;
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG)));
  });
});

describe('a storage that fails before the record is there', () => {
  test.each(['STORAGE_FULL', 'STORAGE_DENIED'] as const)('has nothing left of the save: %s', async (code) => {
    const { store, objects } = await open();
    once(objects, 'before', 'put', '.kfk', () => Promise.reject(new KeyfoldError(code, 'The record was not written.')));
    await expectCode(store.save('a', patterned(BIG)), code);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('may hold data that nobody can open: it failed in a way that leaves the outcome open', async () => {
    const { store, objects } = await open();
    once(objects, 'before', 'put', '.kfk', () => Promise.reject(new KeyfoldError('STORAGE_FAILURE', 'Whether it was written is not known.')));
    await expectCode(store.save('a', patterned(BIG)), 'STORAGE_FAILURE');
    expect(await gathered(store.list())).toEqual([]);
    await expectCode(store.load('a'), 'NOT_FOUND');
  });

  test('has nothing left when it fails late with the data, and the source is ended', async () => {
    const { store, objects } = await open();
    once(objects, 'after', 'put', '.kfc', () => Promise.reject(new KeyfoldError('STORAGE_FAILURE', 'Said late, when the data was there.')));
    await expectCode(store.save('a', inChunks(patterned(BIG), 50_000)), 'STORAGE_FAILURE');
    expect(await namesIn(objects)).toEqual([]);
  });

  test('without reading the data ends the source', async () => {
    for (const inlineLimitBytes of [200, 262_144]) {
      const objects = new HookedObjectStore(new MemoryObjectStore());
      const { store } = await openStore({ objects, inlineLimitBytes });
      objects.before = (operation) => {
        if (operation === 'put') throw new KeyfoldError('STORAGE_DENIED', 'This storage takes nothing at all.');
      };
      let ended = false;
      const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        try {
          yield* inChunks(patterned(BIG), 1_000);
        } finally {
          ended = true;
        }
      };
      await expectCode(store.save('a', source()), 'STORAGE_DENIED');
      expect(ended).toBe(true);
    }
  });

  test('has nothing left when the signal fires between data and record', async () => {
    const { store, objects } = await open();
    const abort = new AbortController();
    once(objects, 'after', 'put', '.kfc', () => {
      abort.abort();
      return Promise.resolve();
    });
    await expectCode(store.save('a', patterned(BIG), { signal: abort.signal }), 'ABORTED');
    expect(await namesIn(objects)).toEqual([]);
  });

  test('lets a delete say that the data remains; the checkpoint is gone', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'delete', '.kfc', () => Promise.reject(new KeyfoldError('STORAGE_FAILURE', 'The data could not be removed today.')));
    await expectCode(store.delete('a'), 'STORAGE_FAILURE');
    expect(await store.delete('a')).toBe(false);
    await expectCode(store.load('a'), 'NOT_FOUND');
  });

  test('lets a delete fail when the record cannot be removed, and all is as before', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(BIG));
    once(objects, 'before', 'delete', '.kfk', () => Promise.reject(new KeyfoldError('STORAGE_DENIED', 'The record could not be removed.')));
    await expectCode(store.delete('a'), 'STORAGE_DENIED');
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG)));
  });
});
