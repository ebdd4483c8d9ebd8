import { KeyfoldError } from '@keyfold/core';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { gathered, patterned } from '../support/bytes.ts';
import { expectCode, rejection } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { allNamesIn, bytesOf, onlyName, plant, snapshot } from '../support/objects.ts';
import { openStore } from '../support/open-store.ts';

const BIG = 300_000;
const DAY = 86_400_000;

describe('a root with hidden names of one tenant and visible ones of another', () => {
  test('keeps its hidden marks whatever the other tenant\'s gc does: a save could not see them otherwise', async () => {
    const clock = new ManualClock();
    const objects = new MemoryObjectStore({ clock });
    const hidden = await openStore({ objects, clock, hideNames: true });
    const visible = await openStore({ objects, clock, kms: hidden.kms, tenant: 'other' });
    await hidden.store.save('lost', patterned(BIG));
    await objects.delete(await onlyName(objects, '.kfh'));
    clock.advance(2 * DAY);
    expect(await hidden.store.gc()).toMatchObject({ marked: 1 });
    const before = await snapshot(objects);
    clock.advance(2 * DAY);
    expect(await visible.store.gc()).toMatchObject({ examined: 0, marksRemoved: 0, removed: 0 });
    expect(await snapshot(objects)).toEqual(before);
    expect(await hidden.store.gc()).toMatchObject({ removed: 1 });
  });

  test('loses nothing that was acknowledged when both collect while a save stands still', async () => {
    const clock = new ManualClock();
    const inner = new MemoryObjectStore({ clock });
    const slow = new HookedObjectStore(inner);
    const hidden = await openStore({ objects: slow, clock, hideNames: true });
    const collector = new HookedObjectStore(inner);
    const other = await openStore({ objects: collector, clock, kms: hidden.kms, hideNames: true });
    const visible = await openStore({ objects: inner, clock, kms: hidden.kms, tenant: 'other' });
    let saved: unknown;
    // The collector has decided to remove; then the visible store collects; then the save that stood still goes on.
    collector.before = async (operation, name) => {
      if (operation !== 'delete' || !name.endsWith('.kfd')) return;
      collector.before = undefined;
      await visible.store.gc();
      resume();
      saved = await saving;
    };
    let resume = (): void => undefined;
    const standing = new Promise<void>((resolve) => {
      resume = resolve;
    });
    let reached = (): void => undefined;
    const beforeRecord = new Promise<void>((resolve) => {
      reached = resolve;
    });
    slow.before = async (operation, name) => {
      if (operation !== 'put' || !name.endsWith('.kfh')) return;
      slow.before = undefined;
      reached();
      await standing;
    };
    const saving = hidden.store.save('a', patterned(BIG)).catch((error: unknown) => error);
    await beforeRecord;
    clock.advance(2 * DAY);
    expect(await other.store.gc()).toMatchObject({ marked: 1 });
    clock.advance(2 * DAY);
    expect(await other.store.gc()).toMatchObject({ removed: 1 });
    expect(saved).toMatchObject({ code: 'CONFLICT' });
    await expectCode(hidden.store.load('a'), 'NOT_FOUND');
  });
});

describe('opening with visible names', () => {
  test('fails when the storage does not say whether the tenant has hidden ones: it could look empty', async () => {
    const inner = new MemoryObjectStore();
    const { kms, store } = await openStore({ objects: inner, hideNames: true });
    await store.save('a', patterned(10));
    const objects = new HookedObjectStore(inner);
    objects.before = (operation) => {
      if (operation === 'head') throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not answer.');
    };
    await expectCode(openStore({ objects, kms }), 'STORAGE_FAILURE');
  });
});

describe('a hidden record without the sealed id in front', () => {
  test('is no record: it does not open, and can be deleted', async () => {
    const { store, objects } = await openStore({ hideNames: true });
    await store.save('a', patterned(10));
    const name = await onlyName(objects, '.kfh');
    const bytes = await bytesOf(objects, name);
    const record = bytes.subarray(10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8));
    expect([...record.subarray(0, 4)]).toEqual([0x8f, 0x4b, 0x46, 0x4b]);
    await plant(objects, name, record);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await expectCode(store.readMetadata('a'), 'INTEGRITY_FAILURE');
    expect(await rejection(gathered(store.list()))).toMatchObject({ code: 'INTEGRITY_FAILURE' });
    expect(await store.delete('a')).toBe(true);
    expect(await allNamesIn(objects)).toHaveLength(1);
  });
});
