import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, flipBit, joined, patterned } from '../support/bytes.ts';
import { checkCode, expectCode } from '../support/expect-code.ts';
import { bytesOf, namesIn, onlyName, plant, snapshot } from '../support/objects.ts';
import { type Opened, openStore } from '../support/open-store.ts';

/** What altered storage may be answered with; a wrap by another key's name is refused before any key is asked. */
const REFUSALS = ['INTEGRITY_FAILURE', 'KEY_NOT_ALLOWED', 'KEY_NOT_FOUND'];
const SHAPES = [
  { shape: 'inline', size: 200, inlineLimitBytes: 262_144 },
  { shape: 'in two objects', size: 200, inlineLimitBytes: 0 },
  { shape: 'of several frames', size: 2_300_000, inlineLimitBytes: 0 },
];

/** A store without a key cache, so that every load verifies everything. */
async function open(inlineLimitBytes: number): Promise<Opened> {
  return openStore({ inlineLimitBytes, keyCache: { maxEntries: 0 } });
}

/** That the load rejects; what was read before the refusal must be a true beginning. */
async function expectRefused({ store }: Opened, id: string, truth: Uint8Array, codes: readonly string[] = REFUSALS): Promise<void> {
  let released = 0;
  let refusal: unknown;
  try {
    for await (const chunk of store.loadStream(id)) {
      expect(digest(chunk)).toBe(digest(truth.subarray(released, released + chunk.byteLength)));
      released += chunk.byteLength;
    }
  } catch (error) {
    refusal = error;
  }
  const { code } = checkCode(refusal, (refusal as { code: 'INTEGRITY_FAILURE' }).code);
  expect(codes).toContain(code);
}

describe.each(SHAPES)('a checkpoint $shape', ({ size, inlineLimitBytes }) => {
  test('with any one bit changed, anywhere in any of its objects, does not open', async () => {
    const opened = await open(inlineLimitBytes);
    const truth = patterned(size);
    await opened.store.save('a', truth, { metadata: { n: 1 } });
    const intact = await snapshot(opened.objects);
    for (const [name, bytes] of intact) {
      const step = Math.max(1, Math.floor(bytes.byteLength / 300));
      for (let at = 0; at < bytes.byteLength; at += at < 500 || at > bytes.byteLength - 50 ? 1 : step) {
        await plant(opened.objects, name, flipBit(bytes, at * 8 + (at % 8)));
        await expectRefused(opened, 'a', truth);
      }
      await plant(opened.objects, name, bytes);
    }
    expect(digest(await opened.store.load('a'))).toBe(digest(truth));
  });

  test('cut anywhere, or extended, does not open', async () => {
    const opened = await open(inlineLimitBytes);
    const truth = patterned(size);
    await opened.store.save('a', truth);
    const intact = await snapshot(opened.objects);
    for (const [name, bytes] of intact) {
      const step = bytes.byteLength < 2_000 ? 1 : 104_729;
      const lengths = new Set<number>([1_048_575, 1_048_576, 1_048_577, 2_097_152].filter((length) => length < bytes.byteLength));
      for (let length = 0; length < bytes.byteLength; length += step) lengths.add(length);
      for (const length of lengths) {
        await plant(opened.objects, name, bytes.slice(0, length));
        await expectRefused(opened, 'a', truth);
      }
      for (const more of [1, 16]) {
        await plant(opened.objects, name, new Uint8Array(Buffer.concat([bytes, new Uint8Array(more)])));
        await expectRefused(opened, 'a', truth);
      }
      await plant(opened.objects, name, bytes);
    }
  });

  test('does not open under another id, nor for another tenant with the same key', async () => {
    const opened = await open(inlineLimitBytes);
    const { store, objects, kms } = opened;
    await store.save('a', patterned(size));
    for (const [name, bytes] of await snapshot(objects)) await objects.put(name.replace(/^a\./, 'b.'), bytes);
    await expectCode(store.load('b'), 'INTEGRITY_FAILURE', /another tenant or id/);
    await expectCode(store.readMetadata('b'), 'INTEGRITY_FAILURE');
    await expectCode(store.rewrap('b'), 'INTEGRITY_FAILURE');
    const other = await openStore({ objects, kms, tenant: 'globex', inlineLimitBytes });
    await expectCode(other.store.load('a'), 'INTEGRITY_FAILURE', /tenant/);
    await expectCode(other.store.readMetadata('a'), 'INTEGRITY_FAILURE');
    expect(digest(await store.load('a'))).toBe(digest(patterned(size)));
  });
});

test('a record does not open with the data of an older save in the place of its own', async () => {
  const { store, objects } = await open(0);
  await store.save('a', patterned(200, 'old'));
  const old = await bytesOf(objects, await onlyName(objects, '.kfc'));
  await store.save('a', patterned(200, 'new'), { overwrite: true });
  await plant(objects, await onlyName(objects, '.kfc'), old);
  await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
});

describe('an object that is no checkpoint', () => {
  test.each([
    ['empty', new Uint8Array(0)],
    ['text', Buffer.from('hello, I am a text file\n')],
    ['a plain store\'s', Buffer.concat([Buffer.from('{}\n'), patterned(100)])],
    ['a field\'s magic', Buffer.concat([Buffer.from([0x8f, 0x4b, 0x46, 0x46, 1, 1]), patterned(200)])],
    ['a record\'s magic alone', Buffer.from([0x8f, 0x4b, 0x46, 0x4b, 1])],
    ['as large as a record with inline data may be', new Uint8Array(524_288)],
  ])('%s: INTEGRITY_FAILURE', async (_, bytes) => {
    const { store, objects, kms } = await openStore();
    await objects.put('a.kfk', new Uint8Array(bytes));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await expectCode(store.readMetadata('a'), 'INTEGRITY_FAILURE');
    await expectCode(store.rewrap('a'), 'INTEGRITY_FAILURE');
    expect(kms.calls.size).toBe(0);
  });

  test('a data object in the place of a record, and a record as data', async () => {
    const { store, objects } = await openStore({ inlineLimitBytes: 0 });
    await store.save('a', patterned(100));
    const [data, record] = [await onlyName(objects, '.kfc'), 'a.kfk'];
    const [dataBytes, recordBytes] = [await bytesOf(objects, data), await bytesOf(objects, record)];
    await plant(objects, data, recordBytes);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await plant(objects, data, dataBytes);
    await plant(objects, record, dataBytes);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
  });

  test('larger than any record: LIMIT_EXCEEDED by every call but delete(), which removes it', async () => {
    const { store, objects } = await openStore();
    await objects.put('a.kfk', new Uint8Array(524_289));
    const calls = [
      () => store.load('a'),
      () => joined(store.loadStream('a')),
      () => store.readMetadata('a'),
      () => store.rewrap('a'),
      () => store.save('a', patterned(1), { overwrite: true }),
    ];
    for (const call of calls) await expectCode(call, 'LIMIT_EXCEEDED', /a\.kfk.*not the record.*restore/);
    expect(await namesIn(objects)).toEqual(['a.kfk']);
    await store.delete('a');
    expect(await namesIn(objects)).toEqual([]);
    await expectCode(store.load('a'), 'NOT_FOUND');
  });
});

test('moved inline data opens all the same: where the bytes stand is not what vouches for them', async () => {
  const objects = new MemoryObjectStore();
  const kms = new MemoryKms();
  const inline = await openStore({ objects, kms });
  const { objectId } = await inline.store.save('a', patterned(1_000));
  const whole = await bytesOf(objects, 'a.kfk');
  const at = Buffer.from(whole).indexOf(Buffer.from([0x8f, 0x4b, 0x46, 0x43]));
  await plant(objects, 'a.kfk', whole.slice(0, at));
  await expectCode(inline.store.load('a'), 'INTEGRITY_FAILURE');
  await objects.put(`a.${objectId}.kfc`, whole.slice(at));
  expect(await inline.store.load('a')).toEqual(patterned(1_000));
});
