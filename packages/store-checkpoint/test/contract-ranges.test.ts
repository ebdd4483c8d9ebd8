import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contract } from './checkpoint-store.contract.ts';
import { digest, gathered, joined, patterned } from './support/bytes.ts';
import { expectCode } from './support/expect-code.ts';

/** Where 1 MiB frames, 16 KiB chunks and the inline limits of the suites end, in bytes of plaintext. */
const EDGES = [16_384, 32_768, 261_000, 262_032, 1_048_464, 2_097_024];
const SIZES = [0, 1, 16_384, 40_000, 262_032, 1_048_464, 2_097_025];
const META = { note: 'x'.repeat(3_000) };

contract('a range', (open) => {
  test.each(SIZES)('of a checkpoint of %i bytes is what slice() gives, around every edge', async (size) => {
    const { store } = await open();
    const data = patterned(size);
    await store.save('a', data, { metadata: META });
    const places = [0, size, Math.floor(size / 2), ...EDGES].flatMap((edge) => [edge - 1, edge, edge + 1]).filter((at) => at >= 0 && at <= size);
    for (const [index, start] of places.entries()) {
      const end = places[(index * 7 + 3) % places.length] ?? 0;
      const range = { start: Math.min(start, end), end: Math.max(start, end) };
      const wanted = digest(data.subarray(range.start, range.end));
      expect(digest(await store.load('a', { range }))).toBe(wanted);
      expect(digest(await joined(store.loadStream('a', { range })))).toBe(wanted);
    }
  });

  test('is what slice() gives, wherever it is', async () => {
    const { store } = await open();
    const data = patterned(400_000);
    await store.save('a', data);
    const offset = fc.nat({ max: data.byteLength });
    await fc.assert(
      fc.asyncProperty(offset, offset, async (a, b) => {
        const range = { start: Math.min(a, b), end: Math.max(a, b) };
        expect(digest(await store.load('a', { range }))).toBe(digest(data.subarray(range.start, range.end)));
      }),
      { numRuns: 25 },
    );
  });

  test('gives no empty chunk, and none at all when it is empty', async () => {
    const { store } = await open();
    await store.save('a', patterned(50_000));
    for (const at of [0, 16_384, 32_768, 50_000]) {
      expect(await gathered(store.loadStream('a', { range: { start: at, end: at } }))).toEqual([]);
    }
    for (const range of [{ start: 0, end: 50_000 }, { start: 16_384, end: 49_152 }]) {
      for await (const chunk of store.loadStream('a', { range })) expect(chunk.byteLength).toBeGreaterThan(0);
    }
  });

  test('that ends behind the data is refused with its length', async () => {
    const { store } = await open();
    for (const size of [0, 10, 300_000]) {
      await store.save('a', patterned(size), { overwrite: true });
      for (const range of [{ start: 0, end: size + 1 }, { start: size + 1, end: size + 1 }, { start: size, end: Number.MAX_SAFE_INTEGER }]) {
        await expectCode(joined(store.loadStream('a', { range })), 'RANGE_INVALID', new RegExp(`has ${size} bytes; ${range.start} to`));
      }
    }
  });

  test.each([
    { start: -1, end: 5 },
    { start: 6, end: 5 },
    { start: 0, end: 1.5 },
    { start: 0 },
    { start: '0', end: '5' },
    null,
    7,
  ])('that is none is refused, also of a checkpoint that is not there: %j', async (range) => {
    const { store } = await open();
    for (const id of ['a', 'absent']) {
      if (id === 'a') await store.save(id, patterned(10));
      await expectCode(store.load(id, { range: range as never }), 'RANGE_INVALID', /0 <= start <= end/);
      await expectCode(joined(store.loadStream(id, { range: range as never })), 'RANGE_INVALID', /0 <= start <= end/);
    }
  });

  test('of nothing is NOT_FOUND', async () => {
    const { store } = await open();
    await expectCode(store.load('absent', { range: { start: 0, end: 0 } }), 'NOT_FOUND');
  });

  test('counts for maxBytes by itself, whatever the checkpoint has', async () => {
    const { store } = await open();
    const data = patterned(500_000);
    await store.save('a', data);
    expect(await store.load('a', { range: { start: 400_000, end: 400_100 }, maxBytes: 100 })).toEqual(data.slice(400_000, 400_100));
    await expectCode(store.load('a', { range: { start: 400_000, end: 400_101 }, maxBytes: 100 }), 'LIMIT_EXCEEDED', /The range is larger than 100 bytes/);
    await expectCode(store.load('a', { range: { start: 0, end: 2 ** 30 + 1 } }), 'LIMIT_EXCEEDED');
  });

  test('of what a receipt says opens, and of nothing else', async () => {
    const { store } = await open();
    const old = await store.save('a', patterned(300_001));
    const range = { start: 5, end: 15 };
    expect(await store.load('a', { range, expect: old })).toEqual(patterned(300_001).slice(5, 15));
    await store.save('a', patterned(300_000), { overwrite: true });
    await expectCode(store.load('a', { range, expect: old }), 'INTEGRITY_FAILURE');
    await expectCode(store.load('a', { range: { start: 0, end: 300_001 }, expect: old }), 'INTEGRITY_FAILURE');
  });

  test('ends at an abort', async () => {
    const { store } = await open();
    await store.save('a', patterned(5_000_000));
    const range = { start: 10, end: 4_900_000 };
    await expectCode(store.load('a', { range, signal: AbortSignal.abort() }), 'ABORTED');
    const abort = new AbortController();
    const read = async (): Promise<void> => {
      for await (const chunk of store.loadStream('a', { range, signal: abort.signal })) {
        if (chunk.byteLength > 0) abort.abort();
      }
    };
    await expectCode(read, 'ABORTED');
  });

  test('of a closed store is CLOSED', async () => {
    const { store } = await open();
    await store.save('a', patterned(10));
    await store.close();
    await expectCode(store.load('a', { range: { start: 0, end: 1 } }), 'CLOSED');
  });
});
