import { describe, expect, test } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn, plant } from '../support/objects.ts';
import { kmsCalls, openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BIG = 300_000;

describe('a replacement whose data is removed before it is confirmed', () => {
  test.each([
    ['memory', () => new MemoryObjectStore()],
    ['files', () => new FileSystemObjectStore(temporaryDirectory())],
  ])('puts back what was there before: %s', async (_, make) => {
    const objects = new HookedObjectStore(make());
    const { store } = await openStore({ objects });
    const receipt = await store.save('a', patterned(BIG, 'first'));
    objects.after = async (operation, name) => {
      if (operation === 'put' && name.endsWith('.kfc')) {
        objects.after = undefined;
        await objects.delete(name);
      }
    };
    await expectCode(store.save('a', patterned(BIG, 'second'), { overwrite: true }), 'CONFLICT', /Save it again/);
    expect(digest(await store.load('a', { expect: receipt }))).toBe(digest(patterned(BIG, 'first')));
    expect(await namesIn(objects)).toHaveLength(2);
    await store.save('a', patterned(BIG, 'third'), { overwrite: true });
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG, 'third')));
  });
});

describe('a record that is rewrapped while its save takes it back', () => {
  test.each([1, 4])('is taken back all the same: rewrapped %i times', async (times) => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, kms } = await openStore({ objects });
    const receipt = await store.save('a', patterned(BIG, 'first'));
    let left = times;
    objects.after = async (operation, name) => {
      if (operation === 'put' && name.endsWith('.kfc')) await objects.delete(name);
      if (operation !== 'read' || name !== 'a.kfk' || !objects.log.some((entry) => entry.startsWith('head')) || left === 0) return;
      left--;
      const hook = objects.after;
      objects.after = undefined;
      await kms.rotateKey();
      await store.rewrap('a');
      objects.after = hook;
    };
    objects.log.length = 0;
    await expectCode(store.save('a', patterned(BIG, 'second'), { overwrite: true }), 'CONFLICT', /Save it again/);
    expect(left).toBe(0);
    expect(digest(await store.load('a', { expect: receipt }))).toBe(digest(patterned(BIG, 'first')));
  });
});

describe('a deleted checkpoint', () => {
  test('whose record is put back opens only when the KMS unwraps its key again', async () => {
    const { store, objects, kms } = await openStore();
    await store.save('a', patterned(10));
    await store.load('a');
    const record = await bytesOf(objects, 'a.kfk');
    await store.delete('a');
    await plant(objects, 'a.kfk', record);
    expect(await kmsCalls(kms, () => store.load('a'))).toEqual({ decrypt: 1 });
  });
});

describe('a planted record with the highest generation', () => {
  test('does not stand in the way of a replacement', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(10));
    const record = await bytesOf(objects, 'a.kfk');
    new DataView(record.buffer, record.byteOffset).setBigUint64(40, BigInt(Number.MAX_SAFE_INTEGER));
    await plant(objects, 'a.kfk', record);
    expect(await store.save('a', patterned(20), { overwrite: true })).toMatchObject({ generation: 1 });
    expect(await store.load('a')).toEqual(patterned(20));
  });
});
