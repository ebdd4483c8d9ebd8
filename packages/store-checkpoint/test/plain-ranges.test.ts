import type { ObjectStore } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../src/object-stores/memory-object-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { BACKENDS } from './support/backends.ts';
import { digest, patterned } from './support/bytes.ts';
import { CountingObjectStore } from './support/counting-object-store.ts';
import { expectCode } from './support/expect-code.ts';
import type { Operation } from './support/hooked-object-store.ts';
import { plant } from './support/objects.ts';

const SIZE = 5_000_000;

function open(inner: ObjectStore = new MemoryObjectStore()): { readonly store: PlainCheckpointStore; readonly objects: CountingObjectStore } {
  const objects = new CountingObjectStore(inner);
  return { store: new PlainCheckpointStore({ objects }), objects };
}

/** Runs `act` before the n-th operation of a kind. */
function before(objects: CountingObjectStore, kind: Operation, n: number, act: () => Promise<unknown>): void {
  let seen = 0;
  objects.before = async (operation) => {
    if (operation !== kind || ++seen !== n) return;
    objects.before = undefined;
    await act();
  };
}

describe.each(BACKENDS)('a range of a plain checkpoint, over $backend', ({ make }) => {
  test('reads its beginning, which holds the metadata, and the range', async () => {
    const { store, objects } = open(make());
    await store.save('a', patterned(SIZE), { metadata: { note: 'x'.repeat(60_000) } });
    for (const range of [{ start: 0, end: 1_024 }, { start: 3_000_000, end: 3_001_024 }, { start: SIZE, end: SIZE }]) {
      objects.bytesRead = 0;
      expect(digest(await store.load('a', { range }))).toBe(digest(patterned(SIZE).subarray(range.start, range.end)));
      expect(objects.bytesRead).toBeLessThanOrEqual(65_417 + 1_024);
      expect(objects.held).toBe(0);
    }
  });

  test.each([
    ['open', 1],
    ['open', 2],
  ] as const)('is all of one save when the checkpoint is replaced before %s number %i', async (operation, n) => {
    // The last one makes an object of the same size whose data begin elsewhere: `{"n":1}` and `{"n":"longer"}`.
    for (const [size, metadata] of [[SIZE, { n: 2 }], [SIZE, { longer: 'metadata' }], [1_000, { n: 2 }], [SIZE + 7, {}], [SIZE - 7, { n: 'longer' }]] as const) {
      const { store, objects } = open(make());
      await store.save('a', patterned(SIZE, 'old'), { metadata: { n: 1 } });
      before(objects, operation, n, () => store.save('a', patterned(size, 'new'), { overwrite: true, metadata }));
      expect(digest(await store.load('a', { range: { start: 500, end: 900 } }))).toBe(digest(patterned(size, 'new').subarray(500, 900)));
      expect(objects.held).toBe(0);
    }
  });

  test.each([1, 2])('is NOT_FOUND when the checkpoint is deleted before open number %i', async (n) => {
    const { store, objects } = open(make());
    await store.save('a', patterned(SIZE));
    before(objects, 'open', n, () => store.delete('a'));
    await expectCode(store.load('a', { range: { start: 0, end: 1 } }), 'NOT_FOUND');
    expect(objects.held).toBe(0);
  });
});

describe('a range of a plain checkpoint', () => {
  test('gives up with CONFLICT when it is replaced at every read', async () => {
    const { store, objects } = open();
    await store.save('a', patterned(SIZE));
    let saves = 0;
    objects.before = async (operation) => {
      if (operation === 'open') await store.save('a', patterned(1_000 + ++saves), { overwrite: true });
    };
    await expectCode(store.load('a', { range: { start: 0, end: 1 } }), 'CONFLICT', /Try again/);
  });

  test.each([new Uint8Array(0), patterned(1_000).fill(0x41), patterned(70_000).fill(0x41)])('of an object without metadata is refused', async (bytes) => {
    const { store, objects } = open();
    await plant(objects, 'a.kfp', bytes);
    await expectCode(store.load('a', { range: { start: 0, end: 0 } }), 'INTEGRITY_FAILURE');
    expect(objects.held).toBe(0);
  });

  test('passes on what the storage throws', async () => {
    const { store, objects } = open();
    await store.save('a', patterned(10));
    const broken = new Error('the disk is gone');
    before(objects, 'open', 2, () => Promise.reject(broken));
    await expect(store.load('a', { range: { start: 0, end: 1 } })).rejects.toBe(broken);
  });
});
