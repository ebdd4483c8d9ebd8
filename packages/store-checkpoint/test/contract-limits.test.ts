import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { contract } from './checkpoint-store.contract.ts';
import { digest, gathered, joined, patterned } from './support/bytes.ts';
import { expectCode, rejection } from './support/expect-code.ts';
import { namesIn } from './support/objects.ts';
import { openFiles } from './support/open-files.ts';
import { EndlessSource, StuckSource, failing } from './support/sources.ts';

contract('what is no data', (open) => {
  test.each([undefined, null, 'text', 7, {}, [1, 2], new ArrayBuffer(4), [new Uint8Array(3)]])('is refused, and nothing is left: %j', async (data) => {
    const { store, objects } = await open();
    await expectCode(store.save('a', data as never), 'INVALID_ARGUMENT', /Uint8Array/);
    expect(await namesIn(objects)).toEqual([]);
  });

  test.each(['text', undefined, null, 7, new ArrayBuffer(4), [1]])('is refused as a chunk, the source is ended, and nothing is left: %j', async (chunk) => {
    for (const size of [1, 2_000_000]) {
      const { store, objects } = await open();
      let ended = false;
      const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        try {
          yield await Promise.resolve(new Uint8Array(size));
          yield chunk as never;
        } finally {
          ended = true;
        }
      };
      await expectCode(store.save('a', source()), 'INVALID_ARGUMENT', /chunk/);
      expect(ended).toBe(true);
      expect(await namesIn(objects)).toEqual([]);
    }
  });
});

contract('a source that fails', (open) => {
  test.each([0, 1, 200_000, 2_500_000])('after %i bytes: its own error comes out, and nothing is left', async (bytes) => {
    const { store, objects } = await open();
    const error = new RangeError('the source broke');
    expect(await rejection(store.save('a', failing(bytes, error)))).toBe(error);
    expect(await gathered(store.list())).toEqual([]);
    expect(await namesIn(objects)).toEqual([]);
    await store.save('a', patterned(bytes));
    expect(await rejection(store.save('a', failing(bytes, error), { overwrite: true }))).toBe(error);
    expect(digest(await store.load('a'))).toBe(digest(patterned(bytes)));
  });

  test('may fail with anything at all', async () => {
    const { store } = await open();
    for (const thrown of [undefined, null, 'text', 7]) expect(await rejection(store.save('a', failing(1, thrown)))).toBe(thrown);
  });
});

contract('an abort', (open) => {
  test('before a call makes it reject, and do nothing', async () => {
    const { store, objects } = await open();
    await store.save('a', patterned(400_000));
    const before = await namesIn(objects);
    const source = new EndlessSource();
    const signal = AbortSignal.abort();
    const calls = [
      () => store.save('b', patterned(10), { signal }),
      () => store.save('b', patterned(3_000_000), { signal }),
      () => store.save('b', source, { signal }),
      () => store.load('a', { signal }),
      () => joined(store.loadStream('a', { signal })),
      () => store.readMetadata('a', { signal }),
      () => store.delete('a', { signal }),
      () => gathered(store.list({ signal })),
    ];
    for (const call of calls) await expectCode(call, 'ABORTED');
    expect(await namesIn(objects)).toEqual(before);
    expect(source.given - source.ended).toBe(0);
  });

  test.each([0, 1, 30])('after %i chunks of a save leaves nothing, and ends the source', async (chunks) => {
    const { store, objects } = await open();
    const abort = new AbortController();
    const source = new EndlessSource();
    const watched = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of source) {
        if (source.given > chunks) abort.abort();
        yield chunk;
      }
    };
    await expectCode(store.save('a', watched(), { signal: abort.signal }), 'ABORTED');
    await setImmediate();
    expect(source.ended).toBe(1);
    expect(await namesIn(objects)).toEqual([]);
  });

  test.each([1, 2_000_000])('ends a save whose source never answers, after %i bytes', async (size) => {
    const { store, objects } = await open();
    const abort = new AbortController();
    const source = new StuckSource(size);
    const saving = expectCode(store.save('a', source, { signal: abort.signal }), 'ABORTED');
    await source.waitedFor;
    abort.abort();
    await saving;
    expect(source.ended).toBe(1);
    expect(await namesIn(objects)).toEqual([]);
  });

  test('of a stream being read ends it', async () => {
    const { store } = await open();
    await store.save('a', patterned(5_000_000));
    const abort = new AbortController();
    let chunks = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of store.loadStream('a', { signal: abort.signal })) {
        chunks += Math.sign(chunk.byteLength);
        abort.abort();
      }
    };
    await expectCode(read, 'ABORTED');
    expect(chunks).toBe(1);
  });
});

contract('load() with maxBytes', (open) => {
  test.each([0, 1, 1_000, 262_032, 1_048_464, 3_000_000])('takes %i bytes, and not one more', async (size) => {
    const { store } = await open();
    await store.save('a', patterned(size));
    expect(digest(await store.load('a', { maxBytes: size }))).toBe(digest(patterned(size)));
    await store.save('a', patterned(size + 1), { overwrite: true });
    await expectCode(store.load('a', { maxBytes: size }), 'LIMIT_EXCEEDED', new RegExp(`larger than ${size} bytes.*loadStream`));
  });

  test('says the limit that was given, also of a far larger checkpoint', async () => {
    const { store } = await open();
    await store.save('a', patterned(2_000_000));
    await expectCode(store.load('a', { maxBytes: 1_000 }), 'LIMIT_EXCEEDED', /larger than 1000 bytes/);
    await store.save('a', patterned(200_000), { overwrite: true });
    await expectCode(store.load('a', { maxBytes: 1_000 }), 'LIMIT_EXCEEDED', /larger than 1000 bytes/);
    expect(await store.load('a', { maxBytes: Infinity })).toHaveLength(200_000);
  });

  test.each([-1, Number.NaN, '100', null])('is refused when that is no number of bytes: %j', async (maxBytes) => {
    const { store } = await open();
    await store.save('a', patterned(10));
    await expectCode(store.load('a', { maxBytes: maxBytes as number }), 'INVALID_ARGUMENT', /maxBytes/);
  });
});

contract('a stream that is left early', (open) => {
  test('holds no file and no key any more', async () => {
    const { store } = await open();
    await store.save('a', patterned(5_000_000));
    for (let round = 0; round < 50; round++) {
      for await (const chunk of store.loadStream('a')) {
        if (chunk.byteLength > 0) break;
      }
    }
    const thrown = new Error('the reader had enough');
    const read = async (): Promise<void> => {
      for await (const chunk of store.loadStream('a')) {
        if (chunk.byteLength > 0) throw thrown;
      }
    };
    expect(await rejection(read)).toBe(thrown);
    await expectCode(store.load('a', { maxBytes: 10 }), 'LIMIT_EXCEEDED');
    await store.readMetadata('a');
    expect(openFiles()).toEqual([]);
  });

  test('or never begun opens nothing', async () => {
    const { store } = await open();
    await store.save('a', patterned(5_000_000));
    store.loadStream('a');
    await store.loadStream('a')[Symbol.asyncIterator]().return?.();
    expect(openFiles()).toEqual([]);
  });
});

contract('a closed store', (open) => {
  test('refuses every call with CLOSED, and closes again without complaint', async () => {
    const { store } = await open();
    await store.save('a', patterned(10));
    await store.close();
    await store.close();
    const calls = [
      () => store.save('b', patterned(1)),
      () => store.load('a'),
      () => joined(store.loadStream('a')),
      () => store.readMetadata('a'),
      () => store.delete('a'),
      () => gathered(store.list()),
    ];
    for (const call of calls) await expectCode(call, 'CLOSED', /Open it again/);
  });
});
