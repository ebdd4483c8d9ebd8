import { describe, expect, test } from 'vitest';
import { joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { bytesOf, plant } from '../support/objects.ts';
import { kmsCalls, openStore } from '../support/open-store.ts';

describe('a minimum generation', () => {
  test('refuses a record from before the rewrap that it was learnt from, and nothing later', async () => {
    const { store, objects, kms } = await openStore();
    await store.save('a', patterned(10));
    const old = await bytesOf(objects, 'a.kfk');
    await kms.rotateKey();
    const { generation } = await store.rewrap('a');
    expect(generation).toBe(3);
    for (const minimumGeneration of [1, 2, 3]) expect(await store.load('a', { minimumGeneration })).toEqual(patterned(10));
    await plant(objects, 'a.kfk', old);
    expect(await store.load('a')).toEqual(patterned(10));
    await expectCode(store.load('a', { minimumGeneration: 2 }), 'INTEGRITY_FAILURE');
    const options = { minimumGeneration: generation };
    for (const call of [store.load('a', options), joined(store.loadStream('a', options)), store.readMetadata('a', options)]) {
      await expectCode(call, 'INTEGRITY_FAILURE', /backup/);
    }
    expect(await store.readMetadata('a', { minimumGeneration: 1 })).toEqual({});
  });

  test.each([0, -1, 1.5, Number.NaN, '1', null])('is a whole number from 1, and not %o', async (minimumGeneration) => {
    const { store } = await openStore();
    await store.save('a', patterned(10));
    await expectCode(store.load('a', { minimumGeneration: minimumGeneration as never }), 'INVALID_ARGUMENT', /minimumGeneration/);
  });
});

describe('planted records', () => {
  test('cost the KMS one call each, however often they are read; other options of the cache say otherwise', async () => {
    const mine = await openStore();
    await mine.store.save('a', patterned(10));
    const planted = await bytesOf(mine.objects, 'a.kfk');
    const reading = async (keyCache: NonNullable<Parameters<typeof openStore>[0]>['keyCache']): Promise<Record<string, number>> => {
      const { store, objects, kms, clock } = await openStore({ kms: mine.kms, ...(keyCache === undefined ? {} : { keyCache }) });
      await plant(objects, 'b.kfk', planted);
      return kmsCalls(kms, async () => {
        for (let n = 0; n < 5; n++) {
          await expectCode(store.load('b'), 'INTEGRITY_FAILURE');
          clock.advance(1_000);
        }
      });
    };
    expect(await reading(undefined)).toEqual({ decrypt: 1 });
    expect(await reading({ maxEntries: 0 })).toEqual({ decrypt: 1 });
    expect(await reading({ refusalMaxAgeMs: 2_000 })).toEqual({ decrypt: 3 });
    expect(await reading({ maxRefusals: 0 })).toEqual({ decrypt: 5 });
  });
});
