import type { SuiteName } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import type { Overrides } from '../support/open-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, flipBit, joined, patterned } from '../support/bytes.ts';
import { CountingObjectStore } from '../support/counting-object-store.ts';
import { expectCode } from '../support/expect-code.ts';
import { bytesOf, onlyName, plant } from '../support/objects.ts';
import { type Opened, kmsCalls, openStore } from '../support/open-store.ts';

const SUITES: readonly (readonly [SuiteName, number])[] = [
  ['aes-256-gcm', 1_048_576],
  ['cobblestone-256', 16_400],
  ['aes-256-cbc-hmac-sha256', 16_448],
];
const SIZE = 5_000_000;

async function open(overrides: Overrides = {}): Promise<Opened & { readonly objects: CountingObjectStore }> {
  const objects = new CountingObjectStore(new MemoryObjectStore());
  return { ...(await openStore({ ...overrides, objects })), objects };
}

/** Runs `act` before the n-th time that data are opened. */
function beforeOpen(objects: CountingObjectStore, n: number, act: () => Promise<unknown>): void {
  let opened = 0;
  objects.before = async (operation, name) => {
    if (operation !== 'open' || !name.endsWith('.kfc') || ++opened !== n) return;
    objects.before = undefined;
    await act();
  };
}

describe.each(SUITES)('a range of a checkpoint of %s', (algorithm, frame) => {
  test('reads the lead, the last frame and the frames of the range', async () => {
    const { store, objects } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    for (const [start, end, frames] of [[0, 1_024, 1], [3_000_000, 3_001_024, 2], [0, 0, 0], [SIZE - 1, SIZE, 0], [0, SIZE, 400]] as const) {
      objects.bytesRead = 0;
      objects.ranges.length = 0;
      expect(digest(await store.load('a', { range: { start, end } }))).toBe(digest(patterned(SIZE).subarray(start, end)));
      expect(objects.ranges.length).toBe(frames === 0 ? 2 : 3);
      expect(objects.ranges.every((range) => range !== undefined)).toBe(true);
      expect(objects.bytesRead).toBeLessThanOrEqual(96 + (frames + 1) * frame);
      expect(objects.held).toBe(0);
    }
  });

  test('asks the KMS once, and never again while the key is cached', async () => {
    const { store, kms } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    const range = { start: 1_000_000, end: 1_000_010 };
    expect(await kmsCalls(kms, () => store.load('a', { range }))).toEqual({ decrypt: 1 });
    expect(await kmsCalls(kms, () => store.load('a', { range }))).toEqual({});
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({});
  });

  test.each([1, 2, 3])('is read anew when the checkpoint is replaced before read %i', async (read) => {
    for (const size of [10, SIZE]) {
      const { store, objects } = await open({ encryption: { algorithm } });
      await store.save('a', patterned(SIZE, 'old'));
      beforeOpen(objects, read, () => store.save('a', patterned(size, 'new'), { overwrite: true }));
      const range = { start: 5, end: 10 };
      expect(await store.load('a', { range })).toEqual(patterned(size, 'new').slice(5, 10));
      expect(objects.held).toBe(0);
    }
  });

  test.each([1, 2, 3])('is NOT_FOUND when the checkpoint is deleted before read %i', async (read) => {
    const { store, objects } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    beforeOpen(objects, read, () => store.delete('a'));
    await expectCode(store.load('a', { range: { start: 5, end: 10 } }), 'NOT_FOUND');
    expect(objects.held).toBe(0);
  });

  test.each([1, 2, 3])('is refused when only the data go before read %i', async (read) => {
    const { store, objects } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    const name = await onlyName(objects, '.kfc');
    beforeOpen(objects, read, () => objects.delete(name));
    await expectCode(store.load('a', { range: { start: 5, end: 10 } }), 'INTEGRITY_FAILURE');
  });

  test.each([2, 3])('is refused when the data are changed before read %i, even into the same bytes', async (read) => {
    const { store, objects, audit } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    const name = await onlyName(objects, '.kfc');
    const data = await bytesOf(objects, name);
    for (const other of [data, flipBit(data, 2_000), data.subarray(0, -1), data.subarray(0, 50)]) {
      await plant(objects, name, data);
      beforeOpen(objects, read, () => plant(objects, name, other));
      await expectCode(store.load('a', { range: { start: 5, end: 10 } }), 'INTEGRITY_FAILURE');
      expect(objects.held).toBe(0);
    }
    expect(audit.events.filter(({ outcome, action }) => outcome === 'success' && action === 'checkpoint.decrypt')).toEqual([]);
  });

  test('of truncated data is refused as damage and not as a range that is none', async () => {
    const { store, objects } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(SIZE));
    const name = await onlyName(objects, '.kfc');
    const data = await bytesOf(objects, name);
    for (const length of [0, 40, 95, 96, 97, 200, 96 + frame, frame, 2 * frame, 2 * frame + 1, data.byteLength - 32, data.byteLength - 1]) {
      await plant(objects, name, data.subarray(0, length));
      for (const range of [{ start: 0, end: 0 }, { start: 0, end: 9 }, { start: SIZE - 9, end: SIZE }, { start: 0, end: SIZE + 1 }]) {
        await expectCode(joined(store.loadStream('a', { range })), 'INTEGRITY_FAILURE');
      }
    }
    expect(objects.held).toBe(0);
  });

  test('of inline data that were cut or changed is refused, and what is whole opens', async () => {
    const { store, objects } = await open({ encryption: { algorithm } });
    await store.save('a', patterned(100));
    const record = await bytesOf(objects, 'a.kfk');
    const range = { start: 90, end: 100 };
    expect(await store.load('a', { range })).toEqual(patterned(100).slice(90, 100));
    await expectCode(store.load('a', { range: { start: 90, end: 101 } }), 'RANGE_INVALID');
    for (const cut of [1, 16, 64, 116, 150]) {
      await plant(objects, 'a.kfk', record.subarray(0, record.byteLength - cut));
      await expectCode(store.load('a', { range }), 'INTEGRITY_FAILURE');
    }
    for (const bit of [8, 300, 1_000]) {
      await plant(objects, 'a.kfk', flipBit(record, record.byteLength * 8 - bit));
      await expectCode(store.load('a', { range }), 'INTEGRITY_FAILURE');
    }
    expect(objects.ranges).toEqual([]);
  });
});

describe('a range', () => {
  test('that is left early holds no object', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(SIZE));
    for await (const chunk of store.loadStream('a', { range: { start: 5, end: 4_000_000 } })) {
      expect(chunk.byteLength).toBe(1_048_464 - 5);
      break;
    }
    expect(objects.held).toBe(0);
  });

  test('is on record before any of it is out, and its refusal too', async () => {
    const { store, audit } = await open();
    await store.save('a', patterned(SIZE));
    await store.load('a', { range: { start: 0, end: 1 } });
    await expectCode(store.load('a', { range: { start: 0, end: SIZE + 1 } }), 'RANGE_INVALID');
    await expectCode(store.load('a', { range: { start: 1, end: 0 } }), 'RANGE_INVALID');
    const events = audit.events.filter(({ action }) => action === 'checkpoint.decrypt').map(({ outcome, code }) => [outcome, code]);
    expect(events).toEqual([['success', undefined], ['failure', 'RANGE_INVALID'], ['failure', 'RANGE_INVALID']]);
  });

  test('that is none needs neither storage nor KMS', async () => {
    const { store, objects, kms } = await open();
    await expectCode(store.load('a', { range: { start: 1, end: 0 } }), 'RANGE_INVALID');
    expect(objects.log).toEqual([]);
    expect(kms.calls.size).toBe(0);
  });

  test('gives up with CONFLICT when the checkpoint is replaced at every read', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(SIZE));
    objects.before = async (operation) => {
      if (operation === 'open') await store.save('a', patterned(SIZE), { overwrite: true });
    };
    await expectCode(store.load('a', { range: { start: 0, end: 1 } }), 'CONFLICT', /Try again/);
  });
});
