import { expect, test } from 'vitest';
import { contract } from './checkpoint-store.contract.ts';
import { digest, gathered, inChunks, joined, patterned } from './support/bytes.ts';
import { expectCode } from './support/expect-code.ts';
import { namesIn } from './support/objects.ts';

/** Where 1 MiB frames (96 bytes of lead), 16 KiB chunks and the inline limit end, in bytes of plaintext. */
const FIRST_FRAME = 1_048_576 - 112;
const SECOND_FRAME = FIRST_FRAME + 1_048_576 - 16;
const CHUNK = 16_384;
const INLINE = 262_144 - 112;
const EDGES = [FIRST_FRAME, SECOND_FRAME, CHUNK, 2 * CHUNK, INLINE, 1_048_576];
const SIZES = [0, 1, ...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1]), 5_000_001];

contract('a checkpoint that is saved', (open) => {
  test.each(SIZES)('loads again: %i bytes', async (size) => {
    const { store } = await open();
    const data = patterned(size);
    await store.save('whole', data);
    await store.save('streamed', inChunks(data, 100_003));
    for (const id of ['whole', 'streamed']) {
      expect(digest(await store.load(id))).toBe(digest(data));
      expect(digest(await joined(store.loadStream(id)))).toBe(digest(data));
    }
  });

  test('loads again from single bytes and from empty chunks', async () => {
    const { store } = await open();
    const bytes = patterned(300);
    const withGaps = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const byte of inChunks(bytes, 1)) {
        yield new Uint8Array(0);
        yield byte;
      }
      yield new Uint8Array(0);
    };
    await store.save('a', withGaps());
    expect(await store.load('a')).toEqual(bytes);
  });

  test('loads again from a view into a larger buffer', async () => {
    const { store } = await open();
    const larger = patterned(1_000);
    await store.save('a', Buffer.from(larger.buffer, 100, 50));
    expect(await store.load('a')).toEqual(larger.slice(100, 150));
  });

  test('is not changed by a source that uses one buffer for every chunk', async () => {
    const { store } = await open();
    const bytes = patterned(3_000_000);
    const buffer = new Uint8Array(70_001);
    const reusing = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of inChunks(bytes, buffer.byteLength)) {
        buffer.set(chunk);
        yield buffer.subarray(0, chunk.byteLength);
        buffer.fill(0xee);
      }
    };
    await store.save('a', reusing());
    expect(digest(await store.load('a'))).toBe(digest(bytes));
  });

  test('gives out bytes that are the reader\'s own', async () => {
    const { store } = await open();
    const bytes = patterned(100_000);
    await store.save('a', bytes);
    for await (const chunk of store.loadStream('a')) chunk.fill(0);
    (await store.load('a')).fill(0);
    expect(digest(await store.load('a'))).toBe(digest(bytes));
  });

  test('has its metadata, readable alone', async () => {
    const { store } = await open();
    const metadata = { job: 'j-7', operators: ['map', 'sink\n\u2028'], takenAt: 1_700_000_000_000, nested: { ok: true, none: null }, '': 'é' };
    await store.save('a', patterned(500_000), { metadata });
    await store.save('b', patterned(5));
    expect(await store.readMetadata('a')).toEqual(metadata);
    expect(await store.readMetadata('b')).toEqual({});
  });

  test.each([0, 5, 300_000])('takes metadata up to their limit beside %i bytes, and no more', async (size) => {
    const { store, objects } = await open();
    const metadata = { text: 'x'.repeat(65_416 - '{"text":""}'.length) };
    await store.save('a', patterned(size), { metadata });
    expect(await store.readMetadata('a')).toEqual(metadata);
    expect(digest(await store.load('a'))).toBe(digest(patterned(size)));
    const before = await namesIn(objects);
    await expectCode(store.save('b', patterned(size), { metadata: { text: `${metadata.text}x` } }), 'LIMIT_EXCEEDED', /65416/);
    await expectCode(store.save('b', patterned(size), { metadata: [1] as never }), 'INVALID_ARGUMENT', /plain object/);
    expect(await namesIn(objects)).toEqual(before);
  });

  test('is not replaced unless that is asked for', async () => {
    const { store } = await open();
    await store.save('a', patterned(10, 1), { metadata: { n: 1 } });
    await expectCode(store.save('a', patterned(10, 2)), 'ALREADY_EXISTS');
    await expectCode(store.save('a', patterned(2_000_000, 2), { overwrite: false }), 'ALREADY_EXISTS');
    expect(await store.load('a')).toEqual(patterned(10, 1));
    for (const size of [2_000_000, 20, 3_000_000, 30]) {
      await store.save('a', patterned(size, size), { overwrite: true, metadata: { size } });
      expect(digest(await store.load('a'))).toBe(digest(patterned(size, size)));
      expect(await store.readMetadata('a')).toEqual({ size });
    }
    expect(await gathered(store.list())).toEqual(['a']);
  });

  test('is made by overwrite, too, when nothing was there', async () => {
    const { store } = await open();
    await store.save('new', patterned(9), { overwrite: true });
    expect(await store.load('new')).toEqual(patterned(9));
  });

  test('is gone after a delete, with everything that was stored of it', async () => {
    const { store, objects } = await open();
    expect(await store.delete('a')).toBe(false);
    for (const size of [10, 2_000_000]) {
      await store.save('a', patterned(size));
      expect(await store.delete('a')).toBe(true);
      expect(await store.delete('a')).toBe(false);
      await expectCode(store.load('a'), 'NOT_FOUND', /list\(\)/);
      await expectCode(joined(store.loadStream('a')), 'NOT_FOUND');
      await expectCode(store.readMetadata('a'), 'NOT_FOUND');
      expect(await gathered(store.list())).toEqual([]);
      expect(await namesIn(objects)).toEqual([]);
    }
    await store.save('a', patterned(3, 'again'));
    expect(await store.load('a')).toEqual(patterned(3, 'again'));
  });

  test('is pinned by what save() returned', async () => {
    const { store } = await open();
    const receipt = await store.save('a', patterned(1_000));
    expect(await store.load('a', { expect: receipt })).toEqual(patterned(1_000));
    expect(digest(await joined(store.loadStream('a', { expect: receipt })))).toBe(digest(patterned(1_000)));
    await store.save('a', patterned(1_001), { overwrite: true });
    await expectCode(store.load('a', { expect: receipt }), 'INTEGRITY_FAILURE');
    await expectCode(joined(store.loadStream('a', { expect: receipt })), 'INTEGRITY_FAILURE');
  });

  test.each([null, {}, 'receipt', { size: '1' }, { objectId: 7 }])('is not read with something that is no receipt: %j', async (receipt) => {
    const { store } = await open();
    await store.save('a', patterned(10));
    await expectCode(store.load('a', { expect: receipt }), 'INVALID_ARGUMENT', /receipt/);
  });
});
