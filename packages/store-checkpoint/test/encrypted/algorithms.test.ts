import type { SuiteName } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { bytesOf, onlyName, plant } from '../support/objects.ts';
import { type Opened, openStore } from '../support/open-store.ts';

const CBC = 'aes-256-cbc-hmac-sha256';

/** A store over the same objects and keys, configured otherwise. */
async function reopened({ objects, kms }: Opened, encryption: { readonly algorithm?: SuiteName; readonly acceptedAlgorithms?: readonly SuiteName[] }): Promise<Opened> {
  return openStore({ objects, kms, encryption });
}

describe('the algorithm of a store', () => {
  test.each([
    ['aes-256-gcm', 3],
    ['cobblestone-256', 1],
    [CBC, 2],
  ] as const)('%s stands as suite %i in record and data', async (algorithm, suite) => {
    const opened = await openStore({ encryption: { algorithm }, inlineLimitBytes: 0 });
    await opened.store.save('a', patterned(100));
    expect((await bytesOf(opened.objects, 'a.kfk'))[5]).toBe(suite);
    expect((await bytesOf(opened.objects, await onlyName(opened.objects, '.kfc')))[5]).toBe(suite);
    expect(await opened.store.load('a')).toEqual(patterned(100));
  });

  test('may change: what it saved before still opens, CBC by those who say so', async () => {
    const gcm = await openStore();
    await gcm.store.save('gcm', patterned(10));
    const cbc = await reopened(gcm, { algorithm: CBC });
    await cbc.store.save('cbc', patterned(20));
    expect(await cbc.store.load('gcm')).toEqual(patterned(10));
    const back = await reopened(gcm, {});
    await expectCode(back.store.load('cbc'), 'INTEGRITY_FAILURE');
    await expectCode(back.store.load('cbc', { range: { start: 0, end: 1 } }), 'INTEGRITY_FAILURE');
    await expectCode(back.store.readMetadata('cbc'), 'INTEGRITY_FAILURE');
    await expectCode(back.store.rewrap('cbc'), 'INTEGRITY_FAILURE');
    const both = await reopened(gcm, { acceptedAlgorithms: ['aes-256-gcm', CBC] });
    expect(await both.store.load('cbc')).toEqual(patterned(20));
    await both.store.save('new', patterned(5));
    expect((await bytesOf(gcm.objects, 'new.kfk'))[5]).toBe(3);
  });

  test('is all that opens where nothing else is accepted, and no key is asked for the rest', async () => {
    const gcm = await openStore();
    await gcm.store.save('gcm', patterned(10));
    const only = await reopened(gcm, { algorithm: CBC, acceptedAlgorithms: [CBC] });
    const before = new Map(gcm.kms.calls);
    await expectCode(only.store.load('gcm'), 'INTEGRITY_FAILURE');
    expect(new Map(gcm.kms.calls)).toEqual(before);
  });

  test('cannot be lowered by whoever writes the storage', async () => {
    const opened = await openStore({ encryption: { acceptedAlgorithms: ['aes-256-gcm', 'cobblestone-256', CBC] }, inlineLimitBytes: 0 });
    await opened.store.save('a', patterned(100));
    const name = await onlyName(opened.objects, '.kfc');
    const [record, data] = [await bytesOf(opened.objects, 'a.kfk'), await bytesOf(opened.objects, name)];
    for (const suite of [0, 1, 2, 4, 255]) {
      for (const [newRecord, newData] of [[true, true], [true, false], [false, true]]) {
        await plant(opened.objects, 'a.kfk', newRecord === true ? record.slice().fill(suite, 5, 6) : record);
        await plant(opened.objects, name, newData === true ? data.slice().fill(suite, 5, 6) : data);
        await expectCode(opened.store.load('a'), 'INTEGRITY_FAILURE');
      }
    }
  });

  test('CBC: keys are rotated as those of any other', async () => {
    const opened = await openStore({ encryption: { algorithm: CBC }, inlineLimitBytes: 0 });
    await opened.store.save('a', patterned(100));
    const data = await bytesOf(opened.objects, await onlyName(opened.objects, '.kfc'));
    await opened.kms.rotateKey();
    expect((await opened.store.rewrap('a')).outcome).toBe('rewrapped');
    expect(await bytesOf(opened.objects, await onlyName(opened.objects, '.kfc'))).toEqual(data);
    expect(await opened.store.load('a')).toEqual(patterned(100));
  });
});
