import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, gathered, joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn } from '../support/objects.ts';
import { kmsCalls, openStore } from '../support/open-store.ts';

const BIG = 300_000;
const MAGIC_RECORD = [0x8f, 0x4b, 0x46, 0x4b, 1];
const MAGIC_DATA = [0x8f, 0x4b, 0x46, 0x43, 1];

function contains(haystack: Uint8Array, needle: Uint8Array): boolean {
  return Buffer.from(haystack).includes(Buffer.from(needle));
}

describe('what is stored', () => {
  test('of a small checkpoint is one object, its record with the data behind it', async () => {
    const { store, objects } = await openStore();
    await store.save('Job/1', patterned(1_000), { metadata: { secret: 'metadata in clear' } });
    expect(await namesIn(objects)).toEqual(['%4aob/1.kfk']);
    const stored = await bytesOf(objects, '%4aob/1.kfk');
    expect([...stored.subarray(0, 5)]).toEqual(MAGIC_RECORD);
    expect(contains(stored, Uint8Array.from(MAGIC_DATA))).toBe(true);
    expect(contains(stored, Buffer.from('metadata in clear'))).toBe(false);
    expect(contains(stored, patterned(1_000).subarray(100, 132))).toBe(false);
  });

  test('of a large one is a record and a data object of its own name', async () => {
    const { store, objects } = await openStore();
    const receipt = await store.save('job-1', patterned(BIG));
    const data = `job-1.${receipt.objectId}.kfc`;
    expect(receipt).toEqual({
      objectId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      commitment: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      generation: 1,
    });
    expect(await namesIn(objects)).toEqual([data, 'job-1.kfk']);
    expect([...(await bytesOf(objects, data)).subarray(0, 5)]).toEqual(MAGIC_DATA);
    expect([...(await bytesOf(objects, 'job-1.kfk')).subarray(0, 5)]).toEqual(MAGIC_RECORD);
  });

  // A sealed object has 112 bytes more than the data, up to the first frame's end.
  test.each([
    [262_144, 262_144 - 112, true],
    [262_144, 262_144 - 111, false],
    [200, 88, true],
    [200, 89, false],
    [112, 0, true],
    [111, 0, false],
    [0, 0, false],
    [0, 1, false],
  ])('with an inline limit of %i and %i bytes is inline: %s', async (inlineLimitBytes, size, inline) => {
    const { store, objects } = await openStore({ inlineLimitBytes });
    await store.save('a', patterned(size));
    expect((await namesIn(objects)).length).toBe(inline ? 1 : 2);
    expect(digest(await store.load('a'))).toBe(digest(patterned(size)));
  });

  test('differs from save to save of the same bytes', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(500));
    const first = await bytesOf(objects, 'a.kfk');
    await store.save('a', patterned(500), { overwrite: true });
    const second = await bytesOf(objects, 'a.kfk');
    expect(contains(second, first.subarray(-400))).toBe(false);
  });

  test('is read by a store of another inline limit and suite', async () => {
    const first = await openStore({ encryption: { algorithm: 'cobblestone-256' } });
    await first.store.save('small', patterned(70_000));
    await first.store.save('large', patterned(700_000));
    const second = await openStore({ objects: first.objects, kms: first.kms, inlineLimitBytes: 0 });
    for (const [id, size] of [['small', 70_000], ['large', 700_000]] as const) {
      expect(digest(await second.store.load(id))).toBe(digest(patterned(size)));
    }
  });
});

describe('the order of writes', () => {
  test('of a save: data, then the record, then a look whether it is marked or gone', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    const { objectId } = await store.save('a', patterned(BIG));
    expect(objects.log).toEqual(['read a.kfk', `put a.${objectId}.kfc`, 'put a.kfk', `head a.${objectId}.kfg`, `head a.${objectId}.kfc`]);
  });

  test('of a small save: one write', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    await store.save('a', patterned(10));
    expect(objects.log).toEqual(['read a.kfk', 'put a.kfk']);
  });

  test('of a replacement: the replaced data goes last', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    const first = await store.save('a', patterned(BIG));
    objects.log.length = 0;
    const second = await store.save('a', patterned(BIG, 2), { overwrite: true });
    const [old, young] = [`a.${first.objectId}.kfc`, `a.${second.objectId}.kfc`];
    expect(objects.log).toEqual(['read a.kfk', `put ${young}`, 'put a.kfk', `head a.${second.objectId}.kfg`, `head ${young}`, `delete ${old}`]);
    expect(await namesIn(objects)).toEqual([young, 'a.kfk'].sort());
  });

  test('of a delete: the record first, without which nobody opens the data', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    const { objectId } = await store.save('a', patterned(BIG));
    objects.log.length = 0;
    await store.delete('a');
    expect(objects.log).toEqual(['read a.kfk', 'delete a.kfk', `delete a.${objectId}.kfc`]);
  });

  test('is the same when the replaced data cannot be removed: it stays, unreadable, and the save counts', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store } = await openStore({ objects });
    await store.save('a', patterned(BIG));
    objects.before = (operation) => {
      if (operation === 'delete') throw new TypeError('the storage is having a bad day');
    };
    await store.save('a', patterned(20), { overwrite: true });
    expect(await store.load('a')).toEqual(patterned(20));
    expect(await gathered(store.list())).toEqual(['a']);
    expect(await namesIn(objects)).toHaveLength(2);
  });
});

describe('calls to the KMS', () => {
  test.each([100, BIG])('of a checkpoint of %i bytes: one for a save, one for the first load, none for a cached one', async (size) => {
    const { store, kms, objects } = await openStore();
    expect(await kmsCalls(kms, () => store.save('a', patterned(size), { metadata: { n: 1 } }))).toEqual({ generateDataKey: 1 });
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({ decrypt: 1 });
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({});
    expect(await kmsCalls(kms, () => joined(store.loadStream('a')))).toEqual({});
    expect(await kmsCalls(kms, () => store.readMetadata('a'))).toEqual({});
    expect(await kmsCalls(kms, () => gathered(store.list()))).toEqual({});
    expect(await kmsCalls(kms, () => store.delete('a'))).toEqual({});
    await store.save('b', patterned(size));
    const other = await openStore({ kms, objects, keyCache: { maxEntries: 0 } });
    expect(await kmsCalls(kms, () => other.store.readMetadata('b'))).toEqual({ decrypt: 1 });
    expect(await kmsCalls(kms, () => other.store.load('b'))).toEqual({ decrypt: 1 });
  });

  test('of 20 loads at once: one', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(BIG));
    expect(await kmsCalls(kms, () => Promise.all(Array.from({ length: 20 }, () => store.load('a'))))).toEqual({ decrypt: 1 });
  });

  test('begin again when the cached key is too old', async () => {
    const { store, kms, clock } = await openStore({ keyCache: { maxAgeMs: 1_000 } });
    await store.save('a', patterned(10));
    await store.load('a');
    clock.advance(999);
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({});
    clock.advance(1);
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({ decrypt: 1 });
  });

  test('are not made for an id that is there already, nor for metadata that cannot be sealed', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(10));
    expect(await kmsCalls(kms, () => expectCode(store.save('a', patterned(10)), 'ALREADY_EXISTS'))).toEqual({});
    expect(await kmsCalls(kms, () => expectCode(store.save('b', patterned(10), { metadata: [1] as never }), 'INVALID_ARGUMENT'))).toEqual({});
  });
});
