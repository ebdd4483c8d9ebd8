import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyfoldError } from '../src/errors.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import type { ByteRange } from '../src/ports/object-store.ts';
import { openCheckpointRange } from '../src/sealing/checkpoint-range-opener.ts';
import type { OpenedKeyRecord } from '../src/sealing/open-key-record.ts';
import { ALL_SUITES, type SuiteName } from '../src/sealing/suites.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, type Sealed, codeOf, openRecord, rejection, seal } from './support/checkpoints.ts';
import { PartSource, type Version } from './support/parts.ts';
import { same } from './support/reference.ts';

const F = 1_048_576;
const LEAD = 96;
/** Plaintext offsets at which a frame begins, and the sizes of full frames when encrypted. */
const FRAMES: Readonly<Record<SuiteName, { readonly edges: readonly number[]; readonly sealed: number }>> = {
  'aes-256-gcm': { edges: [F - 112, 2 * F - 128, 3 * F - 144], sealed: F },
  'cobblestone-256': { edges: [16_384, 32_768, 49_152], sealed: 16_400 },
  'aes-256-cbc-hmac-sha256': { edges: [16_384, 32_768, 49_152], sealed: 16_448 },
};

interface Sample extends Sealed {
  readonly plaintext: Uint8Array;
  readonly opened: OpenedKeyRecord;
}

async function sample(suite: SuiteName, size: number, seed?: string): Promise<Sample> {
  const kms = new LeakyKms();
  const plaintext = patterned(size, seed);
  const sealed = await seal(kms, plaintext, { suite });
  return { ...sealed, plaintext, opened: await openRecord(sealed.record, { kms }) };
}

async function read(opened: OpenedKeyRecord, source: PartSource, range: ByteRange): Promise<Buffer> {
  const part = await openCheckpointRange(opened, IDENTITY, source.open, range);
  if (part === undefined) throw new Error('the object is absent');
  const chunks: Uint8Array[] = [];
  for await (const chunk of part.plaintext) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What a reader has that takes every chunk until one is refused, and with which code it ends. */
async function released(opened: OpenedKeyRecord, source: PartSource, range: ByteRange): Promise<{ readonly bytes: Buffer; readonly code: string }> {
  const chunks: Uint8Array[] = [];
  const run = async (): Promise<void> => {
    const part = await openCheckpointRange(opened, IDENTITY, source.open, range);
    for await (const chunk of part?.plaintext ?? []) chunks.push(chunk);
  };
  return { code: await codeOf(run()), bytes: Buffer.concat(chunks) };
}

/** Ranges around every place where something begins or ends. */
function interesting(size: number, edges: readonly number[]): ByteRange[] {
  const places = [0, size, ...edges].flatMap((edge) => [edge - 1, edge, edge + 1]).filter((at) => at >= 0 && at <= size);
  const unique = [...new Set(places)].sort((a, b) => a - b);
  return unique.flatMap((start) => unique.filter((end) => end >= start).map((end) => ({ start, end })));
}

describe.each(ALL_SUITES)('a range of a checkpoint of suite %s', (suite) => {
  const { edges, sealed } = FRAMES[suite];
  const [first = 0, second = 0, third = 0] = edges;

  test.each([0, 1, first - 1, first, first + 1, second - 1, second, second + 1, third])('of %i bytes is what slice() gives, around every edge', async (size) => {
    const { data, plaintext, opened } = await sample(suite, size);
    const ranges = interesting(size, edges);
    // 1 MiB frames: every third range of the many is enough for one run.
    for (const range of sealed === F ? ranges.filter((_, index) => index % 3 === size % 3) : ranges) {
      const source = PartSource.of(data);
      expect(same(await read(opened, source, range), plaintext.subarray(range.start, range.end))).toBe(true);
    }
  });

  test('is what slice() gives, wherever it is', async () => {
    const size = second + 5_000;
    const { data, plaintext, opened } = await sample(suite, size);
    const offset = fc.oneof(fc.nat({ max: size }), fc.constantFrom(first, second).chain((edge) => fc.integer({ min: edge - 40, max: edge + 40 })));
    await fc.assert(
      fc.asyncProperty(offset, offset, fc.integer({ min: 1, max: 200_000 }), async (a, b, chunkBytes) => {
        const range = { start: Math.min(a, b), end: Math.max(a, b) };
        const source = new PartSource([{ bytes: data }], chunkBytes);
        expect(same(await read(opened, source, range), plaintext.subarray(range.start, range.end))).toBe(true);
      }),
      { numRuns: sealed === F ? 40 : 100 },
    );
  });

  test('reads the lead, the last frame and the frames of the range, each once', async () => {
    const { data, opened } = await sample(suite, third + 10);
    const lastStart = data.byteLength - (data.byteLength % sealed === 0 ? 0 : (data.byteLength - (sealed === F ? 0 : LEAD)) % sealed);
    const frameStart = (index: number): number => (sealed === F ? Math.max(index * F, LEAD) : LEAD + index * sealed);
    const lead = { start: 0, end: LEAD };
    const last = { start: lastStart, end: data.byteLength };
    for (const [range, frames] of [
      [{ start: second + 7, end: second + 1_031 }, { start: frameStart(2), end: frameStart(3) }],
      [{ start: first - 1, end: first + 1 }, { start: frameStart(0), end: frameStart(2) }],
      [{ start: first, end: second }, { start: frameStart(1), end: frameStart(2) }],
      [{ start: second, end: third + 3 }, { start: frameStart(2), end: lastStart }],
      [{ start: third, end: third + 10 }, undefined],
      [{ start: 5, end: 5 }, undefined],
    ] as const) {
      const source = PartSource.of(data);
      await read(opened, source, range);
      expect(source.asked).toEqual(frames === undefined ? [lead, last] : [lead, last, frames]);
    }
  });

  test('is refused past the end, once the length is authentic and not before', async () => {
    const { data, opened } = await sample(suite, first + 50);
    for (const range of [{ start: 0, end: first + 51 }, { start: first + 51, end: first + 51 }, { start: 0, end: Number.MAX_SAFE_INTEGER }]) {
      expect(await codeOf(read(opened, PartSource.of(data), range))).toBe('RANGE_INVALID');
      expect(await codeOf(read(opened, PartSource.of(flipBit(data, data.byteLength * 8 - 1)), range))).toBe('INTEGRITY_FAILURE');
      expect(await codeOf(read(opened, PartSource.of(data.subarray(0, -16)), range))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('of a truncated object is refused, wherever it is cut and wherever the range is', async () => {
    const { data, opened } = await sample(suite, second + 100);
    const frame = (index: number): number => (sealed === F ? index * F : LEAD + index * sealed);
    const cuts = [0, 40, LEAD - 1, LEAD, LEAD + 1, LEAD + 16, LEAD + 64, frame(1), frame(2), data.byteLength].flatMap((at) => [at - 16, at - 1, at, at + 1, at + 16]);
    for (const length of cuts.filter((at) => at >= 0 && at < data.byteLength)) {
      for (const range of [{ start: 0, end: 0 }, { start: 0, end: 10 }, { start: first - 5, end: first + 5 }, { start: second + 90, end: second + 100 }]) {
        const { code, bytes } = await released(opened, PartSource.of(data.subarray(0, length)), range);
        expect(`${length}: ${code}`).toBe(`${length}: INTEGRITY_FAILURE`);
        expect(bytes.byteLength).toBe(0);
      }
    }
  });

  test.each([1, 15, 16, 32, 64])('of an object extended by %i bytes is refused', async (extra) => {
    for (const size of [0, 10, first - 1, first]) {
      const { data, opened } = await sample(suite, size);
      for (const more of [patterned(extra), data.subarray(-extra)]) {
        const { code, bytes } = await released(opened, PartSource.of(Buffer.concat([data, more])), { start: 0, end: Math.min(size, 10) });
        expect(code).toBe('INTEGRITY_FAILURE');
        expect(bytes.byteLength).toBe(0);
      }
    }
  });

  test('of an object to which a full frame was added is refused', async () => {
    const { data, opened } = await sample(suite, first + 100);
    const start = sealed === F ? 0 : LEAD;
    const frame = data.subarray(Math.max(start, LEAD), start + sealed);
    for (const altered of [Buffer.concat([data, frame]), Buffer.concat([data.subarray(0, start + sealed), frame, data.subarray(start + sealed)])]) {
      expect(await codeOf(read(opened, PartSource.of(altered), { start: 0, end: 5 }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('is refused at every bit flip of a small object', async () => {
    const { data, opened } = await sample(suite, 20);
    for (let bit = 0; bit < data.byteLength * 8; bit++) {
      const { code, bytes } = await released(opened, PartSource.of(flipBit(data, bit)), { start: 3, end: 9 });
      expect(code).toBe('INTEGRITY_FAILURE');
      expect(bytes.byteLength).toBe(0);
    }
  });

  test('releases nothing of a bad frame, and nothing behind it', async () => {
    const { data, plaintext, opened } = await sample(suite, third + 100);
    const range = { start: 10, end: third + 50 };
    for (const [index, good] of [[0, 0], [1, first], [2, second]] as const) {
      const at = LEAD + 100 + index * sealed;
      const { code, bytes } = await released(opened, new PartSource([{ bytes: flipBit(data, at * 8) }], 5_000), range);
      expect(code).toBe('INTEGRITY_FAILURE');
      expect(same(bytes, plaintext.subarray(10, Math.max(good, 10)))).toBe(true);
    }
  });

  test('says nothing of frames that it does not open', async () => {
    const { data, plaintext, opened } = await sample(suite, third + 100);
    const damaged = flipBit(data, (LEAD + 100) * 8);
    expect(same(await read(opened, PartSource.of(damaged), { start: second, end: second + 9 }), plaintext.subarray(second, second + 9))).toBe(true);
  });

  test('hands out no memory that holds more than was asked for', async () => {
    const { data, opened } = await sample(suite, first + 500);
    for (const range of [{ start: 5, end: 15 }, { start: first + 5, end: first + 15 }]) {
      const part = await openCheckpointRange(opened, IDENTITY, PartSource.of(data).open, range);
      for await (const chunk of part?.plaintext ?? []) expect(chunk.buffer.byteLength).toBe(10);
    }
  });

  describe('while the object is replaced', () => {
    const range = { start: first - 20, end: first + 20 };

    async function overVersions(versions: readonly (Version | undefined)[], opened: OpenedKeyRecord): Promise<{ readonly code: string; readonly bytes: Buffer }> {
      return released(opened, new PartSource(versions), range);
    }

    test('by another save of the same size, at any of the three reads, is refused', async () => {
      const one = await sample(suite, second + 100);
      const two = await sample(suite, second + 100, 'two');
      const versions = (reads: number): Version[] => [...new Array<Version>(reads).fill({ bytes: one.data }), { bytes: two.data }];
      for (const reads of [0, 1, 2]) {
        expect(await overVersions(versions(reads), one.opened)).toEqual({ code: 'INTEGRITY_FAILURE', bytes: Buffer.alloc(0) });
      }
    });

    test('by the same bytes under another identity, or by bytes of another size, is refused', async () => {
      const { data, opened } = await sample(suite, second + 100);
      for (const other of [{ bytes: data, identity: 'b' }, { bytes: data }, { bytes: Buffer.concat([data, patterned(1)]), identity: 'a' }]) {
        const same = { bytes: data, identity: 'a' };
        expect(await overVersions([same, other], opened)).toEqual({ code: 'INTEGRITY_FAILURE', bytes: Buffer.alloc(0) });
        expect(await overVersions([same, same, other], opened)).toEqual({ code: 'INTEGRITY_FAILURE', bytes: Buffer.alloc(0) });
      }
    });

    test('lets go of the object that it refuses', async () => {
      const { data, opened } = await sample(suite, 10);
      const source = new PartSource([{ bytes: data, identity: 'a' }, { bytes: data, identity: 'b' }]);
      expect(await codeOf(read(opened, source, { start: 0, end: 1 }))).toBe('INTEGRITY_FAILURE');
      expect(source.cancelled).toBe(1);
    });

    test('and is gone at any of the three reads, gives undefined before anything is released', async () => {
      const { data, opened } = await sample(suite, second + 100);
      for (const reads of [0, 1, 2]) {
        const source = new PartSource([...new Array<Version>(reads).fill({ bytes: data }), undefined]);
        expect(await openCheckpointRange(opened, IDENTITY, source.open, range)).toBeUndefined();
        expect(source.asked.length).toBe(reads + 1);
      }
    });
  });
});

describe('a range', () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ['a start below 0', { start: -1, end: 5 }],
    ['a start behind its end', { start: 6, end: 5 }],
    ['half a byte', { start: 0.5, end: 5 }],
    ['half a byte at the end', { start: 0, end: 5.5 }],
    ['no number', { start: NaN, end: 5 }],
    ['no end', { start: 0 }],
    ['an infinite end', { start: 0, end: Infinity }],
    ['an end that is not exact', { start: 0, end: 2 ** 53 }],
    ['text', { start: '0', end: '5' }],
    ['big integers', { start: 0n, end: 5n }],
    ['nothing', null],
    ['a number', 5],
  ];

  test.each(wrong)('with %s is refused before anything is read', async (_, range) => {
    const { data, opened } = await sample('aes-256-gcm', 10);
    const source = PartSource.of(data);
    expect(await codeOf(read(opened, source, range as ByteRange))).toBe('RANGE_INVALID');
    expect(source.asked).toEqual([]);
  });

  test('of another tenant or checkpoint is refused after the lead, and nothing is decrypted', async () => {
    const { data, opened } = await sample('aes-256-gcm', 10);
    for (const identity of [{ ...IDENTITY, tenant: 'other' }, { ...IDENTITY, checkpoint: 'other' }]) {
      const source = PartSource.of(data);
      expect(await codeOf(openCheckpointRange(opened, identity, source.open, { start: 0, end: 1 }))).toBe('INTEGRITY_FAILURE');
      expect(source.asked).toEqual([{ start: 0, end: LEAD }]);
    }
  });

  test('gives one sentence for all damage, and another for a range that is none', async () => {
    const { data, opened } = await sample('cobblestone-256', 20_000);
    const range = { start: 0, end: 10 };
    const damaged = [new Uint8Array(0), data.subarray(0, 95), data.subarray(0, 96), data.subarray(0, 200), flipBit(data, 0), flipBit(data, 70 * 8), flipBit(data, 200 * 8), flipBit(data, data.byteLength * 8 - 1)];
    const errors = await Promise.all(damaged.map((bytes) => rejection(read(opened, PartSource.of(bytes), range))));
    expect(new Set(errors.map(String)).size).toBe(1);
    const outside = await rejection(read(opened, PartSource.of(data), { start: 5, end: 20_001 }));
    expect(String(outside)).toContain('has 20000 bytes; 5 to 20001 is no range of it.');
  });

  test('passes on what the storage throws', async () => {
    const { data, opened } = await sample('cobblestone-256', 40_000);
    const broken = new KeyfoldError('STORAGE_FAILURE', 'The disk is gone.');
    expect(await rejection(openCheckpointRange(opened, IDENTITY, () => Promise.reject(broken), { start: 0, end: 1 }))).toBe(broken);
    const source = PartSource.of(data);
    const half = async (...call: Parameters<typeof source.open>): ReturnType<typeof source.open> => {
      const object = await source.open(...call);
      if (object === undefined || source.asked.length < 3) return object;
      const body = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for await (const chunk of object.body) yield chunk.subarray(0, 20_000);
        throw broken;
      };
      return { ...object, body: body() };
    };
    const part = await openCheckpointRange(opened, IDENTITY, half, { start: 0, end: 30_000 });
    const run = async (): Promise<number> => {
      let bytes = 0;
      for await (const chunk of part?.plaintext ?? []) bytes += chunk.byteLength;
      return bytes;
    };
    expect(await rejection(run())).toBe(broken);
  });

  test.each([
    ['fewer', (chunk: Uint8Array): Uint8Array => chunk.subarray(0, -1)],
    ['more', (chunk: Uint8Array): Uint8Array => Buffer.concat([chunk, new Uint8Array(1)])],
  ])('is refused when the storage gives %s bytes than it was asked for, for lead or last frame', async (_, change) => {
    const { data, opened } = await sample('cobblestone-256', 10);
    for (const read of [1, 2]) {
      const source = PartSource.of(data);
      const lying = async (...call: Parameters<typeof source.open>): ReturnType<typeof source.open> => {
        const object = await source.open(...call);
        if (object === undefined || source.asked.length !== read) return object;
        const body = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
          for await (const chunk of object.body) yield change(chunk);
        };
        return { ...object, body: body() };
      };
      expect(await codeOf(openCheckpointRange(opened, IDENTITY, lying, { start: 0, end: 1 }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test.each([0, 100, 16_400, 20_000])('is refused when the storage ends after %i bytes of its frames', async (length) => {
    const { data, plaintext, opened } = await sample('cobblestone-256', 40_000);
    const source = PartSource.of(data);
    const short = async (...call: Parameters<typeof source.open>): ReturnType<typeof source.open> => {
      const object = await source.open(...call);
      if (object === undefined || source.asked.length < 3) return object;
      const body = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for await (const chunk of object.body) yield chunk.subarray(0, length);
      };
      return { ...object, body: body() };
    };
    const part = await openCheckpointRange(opened, IDENTITY, short, { start: 0, end: 40_000 });
    const chunks: Uint8Array[] = [];
    const run = async (): Promise<void> => {
      for await (const chunk of part?.plaintext ?? []) chunks.push(chunk);
    };
    expect(await codeOf(run())).toBe('INTEGRITY_FAILURE');
    expect(same(Buffer.concat(chunks), plaintext.subarray(0, length >= 16_400 ? 16_384 : 0))).toBe(true);
  });

  test('that nobody iterates can be let go', async () => {
    const { data, opened } = await sample('cobblestone-256', 40_000);
    const source = PartSource.of(data);
    const part = await openCheckpointRange(opened, IDENTITY, source.open, { start: 0, end: 10 });
    await part?.cancel();
    expect(source.cancelled).toBe(1);
    const none = await openCheckpointRange(opened, IDENTITY, source.open, { start: 40_000, end: 40_000 });
    await none?.cancel();
    expect(source.cancelled).toBe(1);
  });

  test('counts towards the use of its key what was read, not what the object has', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(100_000), { suite: 'cobblestone-256' });
    const cache = new KeyCache({ maxBytes: 54_000 });
    // Each read takes 96 + 1,712 + 16,400 bytes: the third spends the key.
    const decrypts: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      const opened = await openRecord(record, { kms, cache });
      await read(opened, PartSource.of(data), { start: 0, end: 10 });
      opened.lease.release();
      decrypts.push(kms.calls.get('decrypt'));
    }
    expect(decrypts).toEqual([1, 1, 1, 2, 2]);
  });
});
