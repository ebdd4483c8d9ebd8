import { describe, expect, test } from 'vitest';
import { digest, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { namesIn, plant, restore, snapshot } from '../support/objects.ts';
import { openStore } from '../support/open-store.ts';

describe.each([['inline', 1_000], ['in two objects', 300_000]])('a receipt of a checkpoint %s', (_, size) => {
  test('is met by what was saved, and by later rewraps of it', async () => {
    const { store, kms } = await openStore();
    const expected = await store.save('a', patterned(size));
    for (const generation of [1, 3, 5]) {
      expect(digest(await store.load('a', { expect: expected }))).toBe(digest(patterned(size)));
      await kms.rotateKey();
      expect((await store.rewrap('a')).generation).toBe(generation + 2);
    }
    expect(digest(await store.load('a', { expect: expected }))).toBe(digest(patterned(size)));
  });

  test('is not met by an older checkpoint that the storage puts back, which opens without it', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(size, 'old'));
    const old = await snapshot(objects);
    const expected = await store.save('a', patterned(size, 'new'), { overwrite: true });
    await restore(objects, old);
    await expectCode(store.load('a', { expect: expected }), 'INTEGRITY_FAILURE');
    await expectCode(store.readMetadata('a', { expect: expected }), 'INTEGRITY_FAILURE');
    expect(digest(await store.load('a'))).toBe(digest(patterned(size, 'old')));
  });

  test('is not met by a record from before a rewrap, when its generation is asked for', async () => {
    const { store, objects, kms } = await openStore();
    const saved = await store.save('a', patterned(size));
    const old = await snapshot(objects);
    await kms.rotateKey();
    const { generation } = await store.rewrap('a');
    const expected = { ...saved, generation };
    expect(digest(await store.load('a', { expect: expected }))).toBe(digest(patterned(size)));
    await restore(objects, old);
    await expectCode(store.load('a', { expect: expected }), 'INTEGRITY_FAILURE');
  });

  test('is not met by another save under the same id after a delete, nor by another checkpoint', async () => {
    const { store } = await openStore();
    const first = await store.save('a', patterned(size));
    await store.delete('a');
    const second = await store.save('a', patterned(size));
    const other = await store.save('b', patterned(size));
    await expectCode(store.load('a', { expect: first }), 'INTEGRITY_FAILURE');
    await expectCode(store.load('a', { expect: other }), 'INTEGRITY_FAILURE');
    await expectCode(store.load('a', { expect: { ...second, commitment: other.commitment } }), 'INTEGRITY_FAILURE');
    await expectCode(store.load('a', { expect: { ...second, objectId: other.objectId } }), 'INTEGRITY_FAILURE');
    await store.load('a', { expect: second });
  });
});

test.each([
  ['objectId', undefined], ['objectId', 'A'.repeat(32)], ['objectId', '0'.repeat(31)], ['objectId', ['0'.repeat(32)]], ['objectId', `${'0'.repeat(32)}\n`],
  ['commitment', undefined], ['commitment', '0'.repeat(63)], ['commitment', `${'0'.repeat(63)}G`],
  ['generation', undefined], ['generation', '1'], ['generation', 1.5], ['generation', Number.NaN],
])('a receipt whose %s is %j is refused as no receipt', async (member, value) => {
  const { store } = await openStore();
  const receipt = await store.save('a', patterned(10));
  await expectCode(store.load('a', { expect: { ...receipt, [member]: value } }), 'INVALID_ARGUMENT', /as save\(\) returned/);
});

test('each replacement has the next generation', async () => {
  const { store, kms } = await openStore();
  for (const generation of [1, 2, 3]) {
    const size = generation % 2 === 0 ? 300_000 : 10;
    expect((await store.save('a', patterned(size), { overwrite: true })).generation).toBe(generation);
  }
  await kms.rotateKey();
  await store.rewrap('a');
  expect((await store.save('a', patterned(10), { overwrite: true })).generation).toBe(6);
});

test('a damaged record can be replaced, and deleted', async () => {
  const { store, objects } = await openStore();
  await store.save('a', patterned(300_000));
  await plant(objects, 'a.kfk', patterned(50));
  await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
  await expectCode(store.save('a', patterned(10)), 'ALREADY_EXISTS');
  expect((await store.save('a', patterned(10), { overwrite: true })).generation).toBe(1);
  expect(await store.load('a')).toEqual(patterned(10));
  await plant(objects, 'a.kfk', new Uint8Array(0));
  expect(await store.delete('a')).toBe(true);
  expect((await namesIn(objects)).filter((name) => name.endsWith('.kfk'))).toEqual([]);
});
