import { expect, it } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { bytes, etagOf, objectStoreConformance } from './conformance.ts';

objectStoreConformance('MemoryObjectStore', () =>
  Promise.resolve({ store: new MemoryObjectStore(), cleanup: () => Promise.resolve() }),
);

it('takes the time of a write from its clock', async () => {
  const store = new MemoryObjectStore({ clock: { now: () => 1_234 } });
  await store.put('x', bytes('one'));
  expect(await store.head('x')).toEqual({ name: 'x', size: 3, lastModified: 1_234 });
});

it('tells two writes of the same content apart', async () => {
  const store = new MemoryObjectStore();
  await store.put('x', bytes('one'));
  const first = await etagOf(store, 'x');
  await store.put('x', bytes('one'));
  expect(await etagOf(store, 'x')).not.toBe(first);
});
