import { KeyfoldError } from '@keyfold/core';
import { MemoryKeyRecordStore, MemoryKms, RecordingAuditSink } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import type { EncryptedCheckpointStore } from '../../src/encrypted/encrypted-checkpoint-store.ts';
import { type FromCheckpointStoreOptions, fromCheckpointStore } from '../../src/user-store/from-checkpoint-store.ts';
import { UserObjectStore } from '../../src/user-store/user-object-store.ts';
import { digest, flipBit, gathered, inChunks, joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { MapStore } from '../support/map-store.ts';
import { kmsCalls } from '../support/open-store.ts';

const BIG = 2_500_000;

interface Scene {
  readonly mine: MapStore;
  readonly kms: MemoryKms;
  readonly store: EncryptedCheckpointStore;
  readonly reopen: (options?: Partial<FromCheckpointStoreOptions>) => Promise<EncryptedCheckpointStore>;
}

async function scene(withRecords = false): Promise<Scene> {
  const mine = new MapStore();
  const kms = new MemoryKms();
  const records = withRecords ? { records: new MemoryKeyRecordStore() } : {};
  const reopen: Scene['reopen'] = (options = {}) => fromCheckpointStore(mine, { kms, tenant: 'acme', ...records, ...options });
  return { mine, kms, store: await reopen(), reopen };
}

describe.each([
  ['without records of their own', false],
  ['with a KeyRecordStore', true],
])('checkpoints in a store of the caller\'s, %s', (_, withRecords) => {
  test('come back as they went in, of any size, with their metadata', async () => {
    const { store, reopen } = await scene(withRecords);
    for (const size of [0, 1, 300_000, BIG]) await store.save(`Job/${size}`, inChunks(patterned(size), 70_000), { metadata: { size } });
    const again = await reopen();
    expect((await gathered(again.list({ prefix: 'Job/' }))).sort()).toEqual(['Job/0', 'Job/1', 'Job/2500000', 'Job/300000']);
    expect(await gathered(again.list({ prefix: 'Other' }))).toEqual([]);
    for (const size of [0, 1, 300_000, BIG]) {
      expect(digest(await again.load(`Job/${size}`))).toBe(digest(patterned(size)));
      expect(digest(await joined(again.loadStream(`Job/${size}`)))).toBe(digest(patterned(size)));
      expect(await again.readMetadata(`Job/${size}`)).toEqual({ size });
    }
    expect(await again.load('Job/300000', { range: { start: 299_990, end: 300_000 } })).toEqual(patterned(300_000).subarray(299_990));
  });

  test('are never there in plaintext', async () => {
    const { store, mine } = await scene(withRecords);
    await store.save('a', new TextEncoder().encode('a very secret state'), { metadata: { hint: 'secret too' } });
    expect(mine.blobs.size).toBe(1);
    for (const bytes of mine.blobs.values()) expect(Buffer.from(bytes).toString('latin1')).not.toContain('secret');
  });

  test('are refused where the id is taken, replaced when asked for, and gone when deleted', async () => {
    const { store, mine } = await scene(withRecords);
    const first = await store.save('a', patterned(10));
    await expectCode(store.save('a', patterned(20)), 'ALREADY_EXISTS', /overwrite: true/);
    const second = await store.save('a', patterned(30), { overwrite: true });
    expect(second.generation).toBe(2);
    expect(await store.load('a', { expect: second })).toEqual(patterned(30));
    await expectCode(store.load('a', { expect: first }), 'INTEGRITY_FAILURE');
    expect(mine.blobs.size).toBe(1);
    expect(await store.delete('a')).toBe(true);
    expect(await store.delete('a')).toBe(false);
    expect(mine.blobs.size).toBe(0);
    await expectCode(store.load('a'), 'NOT_FOUND');
  });

  test('do not open after any change, nor under another id or tenant', async () => {
    const { store, mine, reopen } = await scene(withRecords);
    await store.save('a', patterned(100));
    const [name = '', blob = new Uint8Array(0)] = [...mine.blobs][0] ?? [];
    for (let bit = 0; bit < 8 * blob.byteLength; bit += 61) {
      mine.blobs.set(name, flipBit(blob, bit));
      // A flip in the name of a key takes it off the list of accepted ones.
      await expect(store.load('a')).rejects.toMatchObject({ code: expect.stringMatching(/^(INTEGRITY_FAILURE|KEY_NOT_ALLOWED|KEY_NOT_FOUND)$/) as string });
    }
    mine.blobs.set(name, blob);
    expect(await store.load('a')).toEqual(patterned(100));
    await expectCode((await reopen({ tenant: 'other' })).load('a'), 'INTEGRITY_FAILURE');
  });

  test('can be verified; garbage is not collected, for nothing has an age', async () => {
    const { store, mine } = await scene(withRecords);
    await store.save('good', patterned(10));
    await store.save('bad', patterned(BIG));
    mine.blobs.set('notes.txt', patterned(3));
    const [name = '', blob = new Uint8Array(0)] = [...mine.blobs].find(([key]) => key.startsWith('bad')) ?? [];
    mine.blobs.set(name, flipBit(blob, 8 * (blob.byteLength - 1)));
    const found = (await gathered(store.verify())).map(({ status, id, object }) => `${status} ${id ?? object ?? ''}`).sort();
    expect(found).toEqual(['damaged bad', 'foreign notes.txt', 'ok good']);
    await expectCode(store.gc(), 'NOT_SUPPORTED', /how old/);
  });

  test('report what the caller\'s store throws as a failure of the storage, and what it says itself as it is', async () => {
    const { store, mine } = await scene(withRecords);
    await store.save('a', patterned(10));
    for (const call of ['save', 'load', 'delete', 'list'] as const) {
      const act = { save: () => store.save('b', patterned(1)), load: () => store.load('a'), delete: () => store.delete('a'), list: () => gathered(store.verify()) }[call];
      mine.fault = (done) => {
        if (done === call) throw new Error('secret detail');
      };
      const error = await expectCode(act, 'STORAGE_FAILURE', new RegExp(`could not ${call}`));
      expect(JSON.stringify([error.message, error.cause])).not.toContain('secret detail');
      mine.fault = undefined;
      // With its record gone the checkpoint is deleted, whatever became of the data.
      if (call === 'delete' && withRecords) await store.save('a', patterned(10));
      mine.fault = (done) => {
        if (done === call) throw new KeyfoldError('STORAGE_FULL', 'The store of a test is full.');
      };
      await expectCode(act, 'STORAGE_FULL');
      mine.fault = undefined;
      if (call === 'delete' && withRecords) await store.save('a', patterned(10));
    }
  });

  test('obey the signal', async () => {
    const { store } = await scene(withRecords);
    const signal = AbortSignal.abort();
    for (const call of [store.save('a', patterned(1), { signal }), store.load('a', { signal }), store.delete('a', { signal }), gathered(store.verify({ signal }))]) {
      await expectCode(call, 'ABORTED');
    }
  });

  test('are audited like any other', async () => {
    const audit = new RecordingAuditSink();
    const { reopen } = await scene(withRecords);
    const store = await reopen({ audit });
    await store.save('a', patterned(10));
    await store.load('a');
    expect(audit.events.map(({ action }) => action)).toEqual(['checkpoint.encrypt', 'checkpoint.decrypt']);
  });
});

describe('without a KeyRecordStore', () => {
  test('a checkpoint is one blob, under its name', async () => {
    const { store, mine } = await scene();
    await store.save('Job/1', patterned(BIG));
    expect([...mine.blobs.keys()]).toEqual(['%4aob/1.kfk']);
  });

  test('a rewrap is NOT_SUPPORTED: two writers could not be told apart', async () => {
    const { store, kms } = await scene();
    await store.save('a', patterned(10));
    await kms.rotateKey();
    await expectCode(store.rewrap('a'), 'NOT_SUPPORTED', /KeyRecordStore/);
    expect(await store.load('a')).toEqual(patterned(10));
  });

  test('a replacement whose predecessor was changed meanwhile gets CONFLICT, as far as looking goes', async () => {
    const { store, mine, reopen } = await scene();
    await store.save('a', patterned(10));
    const rival = await reopen();
    let saves = 0;
    mine.fault = async (call) => {
      if (call !== 'load' || ++saves !== 2) return;
      mine.fault = undefined;
      await rival.save('a', patterned(20), { overwrite: true });
    };
    await expectCode(store.save('a', patterned(30), { overwrite: true }), 'CONFLICT');
    expect(await store.load('a')).toEqual(patterned(20));
  });

  test('a deletion of what was replaced meanwhile deletes what is there then', async () => {
    const { store, mine, reopen } = await scene();
    await store.save('a', patterned(10));
    const rival = await reopen();
    let loads = 0;
    mine.fault = async (call) => {
      if (call !== 'load' || ++loads !== 2) return;
      mine.fault = undefined;
      await rival.save('a', patterned(20), { overwrite: true });
    };
    expect(await store.delete('a')).toBe(true);
    expect(mine.blobs.size).toBe(0);
  });
});

describe('with a KeyRecordStore', () => {
  test('rewraps touch no blob', async () => {
    const { store, mine, kms, reopen } = await scene(true);
    await store.save('a', patterned(BIG));
    const digests = (): Map<string, string> => new Map([...mine.blobs].map(([name, blob]) => [name, digest(blob)]));
    const before = digests();
    await kms.rotateKey();
    expect(await store.rewrap('a')).toMatchObject({ outcome: 'rewrapped', generation: 3 });
    expect(digests()).toEqual(before);
    const again = await reopen();
    expect(await kmsCalls(kms, () => again.load('a'))).toEqual({ decrypt: 1 });
  });

  test('of two who create an id one gets ALREADY_EXISTS, and of the loser nothing stays', async () => {
    const { store, mine, reopen } = await scene(true);
    const rival = await reopen();
    const outcomes = await Promise.allSettled([store.save('a', patterned(10)), rival.save('a', patterned(20))]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(mine.blobs.size).toBe(1);
  });

  test('finds what a store without records of its own has left there: no checkpoint here', async () => {
    const { store, mine, reopen } = await scene();
    await store.save('before', patterned(10));
    const apart = await reopen({ records: new MemoryKeyRecordStore() });
    await apart.save('after', patterned(10));
    expect(mine.blobs.size).toBe(2);
    expect(await gathered(apart.verify())).toMatchObject([{ status: 'ok', id: 'after' }, { status: 'foreign', object: 'before.kfk' }]);
  });

  test('finds data without a record, and passes over keys that are no ids', async () => {
    const mine = new MapStore();
    const records = new MemoryKeyRecordStore();
    const kms = new MemoryKms();
    const store = await fromCheckpointStore(mine, { kms, tenant: 'acme', records });
    await store.save('lost', patterned(10));
    const stored = await records.get('lost');
    await records.delete('lost', stored?.version ?? '');
    await records.create('/no/id', patterned(10));
    expect(await gathered(store.list())).toEqual([]);
    expect(await gathered(store.verify())).toMatchObject([{ status: 'orphan', id: 'lost' }]);
  });
});

describe('fromCheckpointStore() refuses', () => {
  test.each([undefined, null, {}, { save: () => 0, load: () => 0, delete: () => 0 }])('what is no store: %o', async (store) => {
    await expectCode(fromCheckpointStore(store as never, { kms: new MemoryKms(), tenant: 'a' }), 'CONFIG_INVALID', /save, load, delete and list/);
  });

  test.each([{ hideNames: true }, { inlineLimitBytes: 10 }, { colour: 'red' }, { objects: new MapStore() }, { records: {} }, { records: null }])('options that are not for it: %o', async (options) => {
    await expectCode(fromCheckpointStore(new MapStore(), { kms: new MemoryKms(), tenant: 'a', ...(options as object) }), 'CONFIG_INVALID');
  });

  test.each([undefined, null, 'acme'])('options that are none, by a rejection: %o', async (options) => {
    await expectCode(fromCheckpointStore(new MapStore(), options as never), 'CONFIG_INVALID', /takes options/);
  });

  test('a listing that is none, gives what are no names, or breaks off', async () => {
    const listings: readonly (() => unknown)[] = [
      () => undefined,
      () => 7,
      () => ['a.kfk', 7],
      async function* () {
        yield await Promise.resolve('a.kfk');
        throw new Error('secret detail');
      },
    ];
    for (const list of listings) {
      const mine = Object.assign(new MapStore(), { list });
      const store = await fromCheckpointStore(mine, { kms: new MemoryKms(), tenant: 'a' });
      const error = await expectCode(gathered(store.list()), 'STORAGE_FAILURE', /could not list|no name/);
      expect(JSON.stringify([error.message, error.cause])).not.toContain('secret detail');
    }
  });

  test('nothing more of a listing that is left early, and ends it', async () => {
    let ended = false;
    const list = async function* (): AsyncGenerator<string, void, undefined> {
      try {
        for (;;) yield await Promise.resolve('a.kfk');
      } finally {
        ended = true;
      }
    };
    const store = await fromCheckpointStore(Object.assign(new MapStore(), { list }), { kms: new MemoryKms(), tenant: 'a' });
    for await (const id of store.list()) {
      expect(id).toBe('a');
      break;
    }
    expect(ended).toBe(true);
  });

  test('a store that loads what are no bytes', async () => {
    const mine = new MapStore();
    const store = await fromCheckpointStore(mine, { kms: new MemoryKms(), tenant: 'a' });
    mine.blobs.set('a.kfk', 'text' as never);
    await expectCode(store.load('a'), 'STORAGE_FAILURE', /no Uint8Array/);
  });
});

describe('a store of the caller\'s as an object store', () => {
  test('looks before it acts, and knows sizes only of what it loads', async () => {
    const objects = new UserObjectStore(new MapStore());
    expect(objects.capabilities.conditionalWrites).toBe(false);
    await objects.put('a', patterned(10), { ifNoneMatch: '*' });
    await expectCode(objects.put('a', patterned(10), { ifNoneMatch: '*' }), 'ALREADY_EXISTS');
    const { etag = '' } = (await objects.read('a', { maxBytes: 10 })) ?? {};
    await expectCode(objects.read('a', { maxBytes: 9 }), 'LIMIT_EXCEEDED');
    await objects.put('a', patterned(20), { ifMatch: etag });
    await expectCode(objects.put('a', patterned(30), { ifMatch: etag }), 'CONFLICT');
    await expectCode(objects.put('b', patterned(30), { ifMatch: etag }), 'CONFLICT');
    await expectCode(objects.delete('a', { ifMatch: etag }), 'CONFLICT');
    expect(await objects.head('a')).toEqual({ name: 'a', size: 20, lastModified: 0 });
    expect(await objects.head('b')).toBeUndefined();
    expect(await objects.open('b')).toBeUndefined();
    const part = await objects.open('a', { range: { start: 5, end: 10 } });
    expect(part && (await joined(part.body))).toEqual(patterned(20).subarray(5, 10));
    await (await objects.open('a'))?.cancel();
    await expectCode(objects.open('a', { range: { start: 5, end: 30 } }), 'RANGE_INVALID');
    expect(await gathered(objects.list())).toEqual([{ name: 'a', size: 0, lastModified: 0 }]);
    expect(await objects.delete('b')).toBe(false);
    expect(await objects.delete('a')).toBe(true);
  });
});
