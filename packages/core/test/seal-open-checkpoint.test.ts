import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { systemRandomSource } from '../src/crypto/random.ts';
import { ERROR_CODES, type ErrorCode, KeyfoldError } from '../src/errors.ts';
import { encodeDataHeader, parseDataHeader } from '../src/format/checkpoint.ts';
import { checkpointContext, encodeContext, wrapContext } from '../src/format/context.ts';
import { parseKeyRecord, type WrappedKey } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { GuardedKmsClient } from '../src/kms/guarded-kms-client.ts';
import { Meter } from '../src/ports/metrics-sink.ts';
import { openCheckpointData } from '../src/sealing/checkpoint-opener.ts';
import { CheckpointSealer } from '../src/sealing/checkpoint-sealer.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { sealMetadata } from '../src/sealing/metadata.ts';
import { inspectCheckpointRecord, openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { sealCheckpoint } from '../src/sealing/seal-checkpoint.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, type Sealed, chunked, codeOf, collect, open, openRecord, rejection, resigned, seal } from './support/checkpoints.ts';
import { REFERENCE_SUITES, cutAt, referenceSeal, same } from './support/reference.ts';

const F = 1_048_576;
const SUITE_NAMES = ['aes-256-gcm', 'cobblestone-256', 'aes-256-cbc-hmac-sha256'] as const;

/** A KMS that answers decrypt with whatever the test says. */
class LyingKms extends LeakyKms {
  answer: (() => Uint8Array) | undefined;

  override async decrypt(...call: Parameters<MemoryKms['decrypt']>): Promise<Uint8Array> {
    const honest = await super.decrypt(...call);
    return this.answer?.() ?? honest;
  }
}

async function wrapBy(kms: MemoryKms, sealed: Sealed): Promise<WrappedKey> {
  const { dekId } = parseKeyRecord(sealed.record).record;
  return kms.encrypt(sealed.dekBytes, { context: wrapContext('checkpoint', IDENTITY.tenant, IDENTITY.checkpoint, dekId) });
}

describe('a sealed checkpoint', () => {
  test.each([
    ...[0, 1, F - 113, F - 112, F - 111, 2 * F - 128].map((size) => ['aes-256-gcm', size] as const),
    ...[0, 1, 16_383, 16_384, 16_385, 32_768].map((size) => ['cobblestone-256', size] as const),
    ...[0, 1, 16_383, 16_384, 16_385, 32_768].map((size) => ['aes-256-cbc-hmac-sha256', size] as const),
  ])('of suite %s and %i bytes opens as it was', async (suite, size) => {
    const kms = new LeakyKms();
    const plaintext = patterned(size);
    const { record, data } = await seal(kms, plaintext, { suite });
    expect(same(await open(record, data, { kms }), plaintext)).toBe(true);
  });

  test('is of suite 03 unless another is asked for', async () => {
    const { record, data } = await seal(new LeakyKms(), patterned(5));
    expect([record[5], data[5]]).toEqual([3, 3]);
  });

  test.each([
    ['aes-256-gcm', 3, [0, 100, F - 112, F]],
    ['cobblestone-256', 1, [0, 100, 16_384, 40_000]],
  ] as const)('of suite %s is, byte for byte, what a one-shot reference makes of its key, salt and context', async (suite, id, sizes) => {
    for (const size of sizes) {
      const plaintext = patterned(size);
      const { data, dekBytes } = await seal(new LeakyKms(), plaintext, { suite });
      const header = data.subarray(0, 40);
      const salt = data.subarray(40, 64);
      const context = Buffer.concat([
        Buffer.from('keyfold/checkpoint/v1\0'),
        header,
        encodeContext({ purpose: 'checkpoint', ...IDENTITY }),
      ]);
      const { commitment, frames } = referenceSeal(REFERENCE_SUITES[id], dekBytes, salt, context, plaintext);
      expect(same(data, Buffer.concat([header, salt, commitment, ...frames]))).toBe(true);
    }
  });

  test('has one identity in data and record', async () => {
    const kms = new LeakyKms();
    const sealer = await sealCheckpoint({ ...IDENTITY, kms, generation: 7, clock: new ManualClock(1234.9) });
    const { record } = parseKeyRecord(sealer.record);
    const header = parseDataHeader(sealer.lead.subarray(0, 40));
    expect(header).toEqual({ suite: 3, objectId: sealer.objectId, dekId: sealer.dekId });
    expect(record).toMatchObject({ suite: 3, use: 'checkpoint', state: 'active', generation: 7, created: 1234 });
    expect(record.objectId).toEqual(sealer.objectId);
    expect(record.dekId).toEqual(sealer.dekId);
    expect(record.binding).toEqual(sealer.commitment);
    expect(sealer.lead.subarray(64)).toEqual(sealer.commitment);
    expect(record.wraps).toEqual([sealer.wrap]);
    expect(kms.calls).toEqual(new Map([['generateDataKey', 1]]));
  });

  test('draws a key, ids and a salt of its own with every save', async () => {
    const kms = new LeakyKms();
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const { data, dekBytes } = await seal(kms, new Uint8Array(0));
      for (const part of [data.subarray(8, 24), data.subarray(24, 40), data.subarray(40, 64), data.subarray(64, 96), dekBytes]) {
        seen.add(Buffer.from(part).toString('hex'));
      }
    }
    expect(seen.size).toBe(1_000);
  });

  test('takes its ids, salts and nothing else from the sources that are given inside', async () => {
    const asked: number[] = [];
    const random = {
      bytes: (length: number): Uint8Array => {
        asked.push(length);
        return patterned(length, String(asked.length));
      },
    };
    await CheckpointSealer.begin({ ...IDENTITY, kms: new MemoryKms() }, { random, clock: new ManualClock() });
    expect(asked).toEqual([16, 16, 24, 24]); // DEK id, object id, the data's salt, the metadata's salt
  });

  test('opens however its data is cut', async () => {
    const kms = new LeakyKms();
    const plaintext = patterned(40_000);
    const { record, data } = await seal(kms, plaintext, { suite: 'cobblestone-256' });
    const place = fc.oneof(fc.nat({ max: data.byteLength }), fc.nat({ max: 100 }));
    await fc.assert(
      fc.asyncProperty(fc.array(place, { maxLength: 10 }), async (cuts) => same(await open(record, chunked(cutAt(data, cuts)), { kms }), plaintext)),
    );
  });

  test('opens byte by byte', async () => {
    const kms = new LeakyKms();
    const plaintext = patterned(20_000);
    const { record, data } = await seal(kms, plaintext, { suite: 'cobblestone-256' });
    const bytes = Array.from(data, (byte) => Uint8Array.of(byte));
    expect(same(await open(record, chunked(bytes), { kms }), plaintext)).toBe(true);
  });

  test('opens with other data behind its record', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(100));
    const opened = await openRecord(Buffer.concat([record, data]), { kms });
    expect(same(opened.parsed.rest, data)).toBe(true);
  });

  test('shows its DEK neither in the record nor in the data', async () => {
    const kms = new LeakyKms();
    const { record, data, dekBytes } = await seal(kms, new Uint8Array(5_000), { metadata: { a: 'b' } });
    for (const bytes of [record, data]) {
      for (const needle of [Buffer.from(dekBytes), Buffer.from(dekBytes).subarray(0, 16), ...(['hex', 'base64'] as const).map((e) => Buffer.from(Buffer.from(dekBytes).toString(e)))]) {
        expect(Buffer.from(bytes).includes(needle)).toBe(false);
      }
    }
  });

  test('shows neither plaintext nor metadata in what is stored', async () => {
    const { record, data } = await seal(new LeakyKms(), Buffer.from('the plaintext of a checkpoint'), { metadata: { operator: 'the name of an operator' } });
    for (const bytes of [record, data]) {
      expect(Buffer.from(bytes).includes('the plaintext')).toBe(false);
      expect(Buffer.from(bytes).includes('operator')).toBe(false);
    }
  });

  test('leaves no DEK in memory that the KMS lent', async () => {
    const kms = new MemoryKms();
    const lent = vi.spyOn(kms, 'generateDataKey');
    await sealCheckpoint({ ...IDENTITY, kms });
    expect((await lent.mock.results[0]?.value as { plaintext: Uint8Array }).plaintext).toEqual(new Uint8Array(32));
  });

  test('zeroes the DEK that it cannot use, too', async () => {
    const kms = new MemoryKms();
    const plaintext = patterned(31);
    const wrapped = { provider: 'memory', keyId: 'test-key', keyVersion: '1', algorithm: 'a', ciphertext: patterned(9) };
    vi.spyOn(kms, 'generateDataKey').mockResolvedValue({ plaintext, wrapped });
    expect(await codeOf(sealCheckpoint({ ...IDENTITY, kms }))).toBe('INVALID_ARGUMENT');
    expect(plaintext).toEqual(new Uint8Array(31));
  });
});

describe('what is asked of sealing is checked before the KMS is', () => {
  const wrong: readonly (readonly [string, object, ErrorCode])[] = [
    ['an empty tenant', { tenant: '' }, 'INVALID_ARGUMENT'],
    ['a tenant of 257 bytes', { tenant: 'x'.repeat(257) }, 'INVALID_ARGUMENT'],
    ['an empty checkpoint id', { checkpoint: '' }, 'INVALID_ARGUMENT'],
    ['a checkpoint id of 1,025 bytes', { checkpoint: 'x'.repeat(1_025) }, 'INVALID_ARGUMENT'],
    ['a lone surrogate', { checkpoint: 'a\ud800' }, 'INVALID_ARGUMENT'],
    ['a tenant that is no string', { tenant: 5 }, 'INVALID_ARGUMENT'],
    ['an unknown suite', { suite: 'rot13' }, 'INVALID_ARGUMENT'],
    ['a suite by the name of an inherited property', { suite: 'toString' }, 'INVALID_ARGUMENT'],
    ['generation 0', { generation: 0 }, 'INVALID_ARGUMENT'],
    ['generation 2^53', { generation: 2 ** 53 }, 'INVALID_ARGUMENT'],
    ['half a generation', { generation: 1.5 }, 'INVALID_ARGUMENT'],
    ['metadata that is no object', { metadata: 'text' }, 'INVALID_ARGUMENT'],
    ['metadata that is too long', { metadata: { a: 'x'.repeat(65_409) } }, 'LIMIT_EXCEEDED'],
  ];

  test.each(wrong)('%s', async (_, options, code) => {
    const kms = new MemoryKms();
    expect(await codeOf(sealCheckpoint({ ...IDENTITY, kms, ...options }))).toBe(code);
    expect(kms.calls.size).toBe(0);
  });

  test('a chunk that is no Uint8Array is refused instead of sealed as nothing', async () => {
    const sealer = await sealCheckpoint({ ...IDENTITY, kms: new MemoryKms() });
    for (const chunk of ['text', new ArrayBuffer(4), Uint16Array.of(1, 2), [1, 2], undefined]) {
      expect(() => sealer.push(chunk as unknown as Uint8Array)).toThrow(KeyfoldError);
    }
  });

  test('an abort ends it', async () => {
    const kms = new MemoryKms();
    expect(await codeOf(sealCheckpoint({ ...IDENTITY, kms, signal: AbortSignal.abort() }))).toBe('ABORTED');
  });

  test('a KMS that names what no record can hold is at fault', async () => {
    for (const part of [{ keyId: '' }, { keyId: 'x'.repeat(2_049) }, { keyVersion: 'ä' }, { provider: 'UPPER' }, { ciphertext: new Uint8Array(0) }, { keyVersion: undefined }]) {
      const kms = new MemoryKms();
      const made = await kms.generateDataKey({ context: { purpose: 'wrap' } });
      vi.spyOn(kms, 'generateDataKey').mockResolvedValue({ ...made, wrapped: { ...made.wrapped, ...part } as WrappedKey });
      expect(await codeOf(sealCheckpoint({ ...IDENTITY, kms }))).toBe('KMS_PROTOCOL_ERROR');
      expect(made.plaintext).toEqual(new Uint8Array(32));
    }
  });
});

describe('a damaged record', () => {
  test('is refused at every bit flip, and only names that the reader compares give another code', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const { record } = sealed;
    const provider = Buffer.from(record).indexOf('memory');
    const keyId = provider + 'memory'.length + 2;
    const keyVersion = keyId + 'test-key'.length + 2;
    const codes = new Map<string, number>();
    for (let bit = 0; bit < record.byteLength * 8; bit++) {
      const at = bit >> 3;
      const damaged = flipBit(record, bit);
      const text = String.fromCharCode(damaged[at] ?? 0);
      let expected: ErrorCode = 'INTEGRITY_FAILURE';
      if (at >= provider && at < provider + 6 && /[a-z0-9-]/.test(text)) expected = 'KEY_NOT_ALLOWED';
      if (at >= keyId && at < keyId + 8 && /[\x20-\x7e]/.test(text)) expected = 'KEY_NOT_ALLOWED';
      if (at === keyVersion && /[\x20-\x7e]/.test(text)) expected = 'KEY_NOT_FOUND';
      const code = await codeOf(openRecord(damaged, { kms }));
      expect(`bit ${bit}: ${code}`).toBe(`bit ${bit}: ${expected}`);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect([...codes.keys()].sort()).toEqual(['INTEGRITY_FAILURE', 'KEY_NOT_ALLOWED', 'KEY_NOT_FOUND']);
  });

  test('is refused at every truncation', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(5));
    for (let length = 0; length < record.byteLength; length++) {
      expect(await codeOf(openRecord(record.subarray(0, length), { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('gives one sentence, whichever check refused it', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const other = await seal(kms, patterned(5), { checkpoint: 'other' });
    const { record } = sealed;
    const wrap = record.byteLength - 32 - 50;
    const damaged = [
      flipBit(record, 0), // the magic
      flipBit(record, 48 * 8), // the creation time: the MAC
      flipBit(record, 100 * 8), // metadata
      flipBit(record, wrap * 8), // the wrapped key
      flipBit(record, (record.byteLength - 1) * 8), // the MAC
      record.subarray(0, 60),
      other.record,
      resigned(sealed, (parsed) => ({ ...parsed, sealedMetadata: patterned(80) })),
      resigned(sealed, (parsed) => ({ ...parsed, use: 'field', suite: 1, objectId: new Uint8Array(16), sealedMetadata: new Uint8Array(0) })),
    ];
    const messages = await Promise.all(damaged.map(async (bytes) => String(await rejection(openRecord(bytes, { kms })))));
    expect(new Set(messages).size).toBe(1);
    const causes = await Promise.all(damaged.map(async (bytes) => ((await rejection(openRecord(bytes, { kms }))) as Error).cause));
    expect(causes.every((cause) => cause === undefined)).toBe(true);
  });

  test('of another use is refused, though its MAC is right', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const field = resigned(sealed, (record) => ({ ...record, use: 'field', suite: 1, objectId: new Uint8Array(16), sealedMetadata: new Uint8Array(0) }));
    expect(await codeOf(openRecord(field, { kms }))).toBe('INTEGRITY_FAILURE');
    expect(kms.calls.get('decrypt')).toBeUndefined();
  });
});

describe('a damaged data object', () => {
  test.each(SUITE_NAMES)('of suite %s is refused at every bit flip, and gives nothing', async (suite) => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(5), { suite });
    const opened = await openRecord(record, { kms });
    for (let bit = 0; bit < data.byteLength * 8; bit++) {
      const chunks: Uint8Array[] = [];
      const run = async (): Promise<void> => {
        for await (const chunk of openCheckpointData(opened, IDENTITY, chunked([flipBit(data, bit)]))) chunks.push(chunk);
      };
      expect(await codeOf(run())).toBe('INTEGRITY_FAILURE');
      expect(chunks).toEqual([]);
    }
  });

  test.each(SUITE_NAMES)('of suite %s is refused at every truncation', async (suite) => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(30), { suite });
    for (let length = 0; length < data.byteLength; length++) {
      expect(await codeOf(open(record, data.subarray(0, length), { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('is refused when cut at frame edges and inside tags', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(2 * F));
    for (const edge of [F, 2 * F, data.byteLength]) {
      for (const length of [edge - 17, edge - 16, edge - 1, edge, edge + 1, edge + 15, edge + 16]) {
        if (length < data.byteLength) expect(await codeOf(open(record, data.subarray(0, length), { kms }))).toBe('INTEGRITY_FAILURE');
      }
    }
  });

  test.each([1, 16])('is refused when extended by %i bytes', async (extra) => {
    const kms = new LeakyKms();
    for (const size of [0, 30, F - 112]) {
      const { record, data } = await seal(kms, patterned(size));
      expect(await codeOf(open(record, Buffer.concat([data, patterned(extra)]), { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('gives one sentence, whichever check refused it', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(50));
    const damaged = [flipBit(data, 0), flipBit(data, 8 * 8), flipBit(data, 50 * 8), flipBit(data, 70 * 8), flipBit(data, 100 * 8), data.subarray(0, 90), data.subarray(0, 100), new Uint8Array(0)];
    const errors = await Promise.all(damaged.map((bytes) => rejection(open(record, bytes, { kms }))));
    expect(new Set(errors.map(String)).size).toBe(1);
    expect(errors.every((error) => (error as Error).cause === undefined)).toBe(true);
  });

  test('makes the stream err rather than end, after the frames that were good', async () => {
    const kms = new LeakyKms();
    const plaintext = patterned(50_000);
    const { record, data } = await seal(kms, plaintext, { suite: 'cobblestone-256' });
    const opened = await openRecord(record, { kms });
    const released: Uint8Array[] = [];
    const damaged = flipBit(data, (96 + 2 * 16_400 + 5) * 8);
    const run = async (): Promise<void> => {
      for await (const chunk of openCheckpointData(opened, IDENTITY, chunked(cutAt(damaged, [96 + 16_400, 96 + 2 * 16_400])))) released.push(chunk);
    };
    expect(await codeOf(run())).toBe('INTEGRITY_FAILURE');
    expect(same(Buffer.concat(released), plaintext.subarray(0, 32_768))).toBe(true);
  });

  test('is not read any further: the source is closed', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(50));
    const opened = await openRecord(record, { kms });
    let closed = 0;
    let asked = 0;
    const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        for (;;) {
          asked++;
          yield await Promise.resolve(flipBit(data, 70 * 8));
        }
      } finally {
        closed++;
      }
    };
    expect(await codeOf(collect(openCheckpointData(opened, IDENTITY, source())))).toBe('INTEGRITY_FAILURE');
    expect([asked, closed]).toEqual([1, 1]);
  });
});

describe('opening a checkpoint', () => {
  test('what the source of the data throws is passed on as it is', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(50));
    const broken = new KeyfoldError('STORAGE_FAILURE', 'The disk is gone.');
    const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield await Promise.resolve(data.subarray(0, 100));
      throw broken;
    };
    expect(await rejection(open(record, source(), { kms }))).toBe(broken);
  });

  test('a consumer that breaks off closes the source', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(20_000), { suite: 'cobblestone-256' });
    const opened = await openRecord(record, { kms });
    let closed = false;
    const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield await Promise.resolve(data);
      } finally {
        closed = true;
      }
    };
    for await (const chunk of openCheckpointData(opened, IDENTITY, source())) {
      expect(chunk.byteLength).toBe(16_384);
      break;
    }
    expect(closed).toBe(true);
  });

  test.each([
    ['tenant', { ...IDENTITY, tenant: 'other' }],
    ['checkpoint', { ...IDENTITY, checkpoint: 'job-7/chk-43' }],
    ['boundary between tenant and checkpoint', { tenant: 'acmej', checkpoint: 'ob-7/chk-42' }],
  ])('another %s is refused, also from a cache that holds the key', async (_, identity) => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(50));
    await open(record, data, { kms, cache });
    expect(await codeOf(open(record, data, { kms, cache, identity }))).toBe('INTEGRITY_FAILURE');
    const opened = await openRecord(record, { kms, cache });
    expect(await codeOf(collect(openCheckpointData(opened, identity, chunked([data]))))).toBe('INTEGRITY_FAILURE');
  });

  test('the record of one save does not open the data of another', async () => {
    const kms = new LeakyKms();
    const [one, two] = [await seal(kms, patterned(50)), await seal(kms, patterned(50))];
    expect(await codeOf(open(one.record, two.data, { kms }))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(open(two.record, one.data, { kms }))).toBe('INTEGRITY_FAILURE');
  });

  test('whole objects swapped between checkpoints do not open', async () => {
    const kms = new LeakyKms();
    const other = { ...IDENTITY, checkpoint: 'other' };
    const sealed = await seal(kms, patterned(50), other);
    expect(await codeOf(open(sealed.record, sealed.data, { kms }))).toBe('INTEGRITY_FAILURE');
    expect(same(await open(sealed.record, sealed.data, { kms, identity: other }), patterned(50))).toBe(true);
  });

  test.each([
    ['header', 0, 40],
    ['suite', 5, 6],
    ['object id', 8, 24],
    ['DEK id', 24, 40],
    ['salt', 40, 64],
    ['commitment', 64, 96],
    ['lead', 0, 96],
    ['frames', 96, 200],
  ])('with the %s of another object it is refused', async (_, start, end) => {
    const kms = new LeakyKms();
    const one = await seal(kms, patterned(50));
    const two = await seal(kms, patterned(50, 'two'), { suite: 'cobblestone-256' });
    const grafted = new Uint8Array(one.data);
    grafted.set(two.data.subarray(start, Math.min(end, two.data.byteLength)), start);
    expect(await codeOf(open(one.record, grafted, { kms }))).toBe('INTEGRITY_FAILURE');
  });

  test('a commitment changed in record and data alike is refused, though MAC and frames are right', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50));
    const binding = patterned(32, 'other commitment');
    const data = new Uint8Array(sealed.data);
    data.set(binding, 64);
    const opened = await openRecord(resigned(sealed, (record) => ({ ...record, binding })), { kms });
    expect(await codeOf(collect(openCheckpointData(opened, IDENTITY, chunked([data]))))).toBe('INTEGRITY_FAILURE');
  });

  test.each([
    ['object id', { objectId: patterned(16, 'x') }],
    ['commitment', { binding: patterned(32, 'x') }],
    ['suite', { suite: 1 }],
  ])('a record that names another %s than the data does not open it, though its MAC is right', async (what, fields) => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50));
    const ids = { ...parseKeyRecord(sealed.record).record, ...fields };
    const sealedMetadata = sealMetadata(sealed.dek, ids, checkpointContext(IDENTITY.tenant, IDENTITY.checkpoint), Buffer.from('{}'), systemRandomSource);
    const record = resigned(sealed, (parsed) => ({ ...parsed, ...fields, sealedMetadata }));
    const opened = await openRecord(record, { kms });
    expect(opened.metadata, what).toEqual({});
    expect(await codeOf(collect(openCheckpointData(opened, IDENTITY, chunked([sealed.data]))))).toBe('INTEGRITY_FAILURE');
  });

  test('data of an unknown suite is refused even by a record of that suite', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50));
    const opened = await openRecord(sealed.record, { kms });
    const data = new Uint8Array(sealed.data);
    data[5] = 4;
    const parsed = { ...opened.parsed, record: { ...opened.parsed.record, suite: 4 } };
    expect(await codeOf(collect(openCheckpointData({ ...opened, parsed }, IDENTITY, chunked([data]))))).toBe('INTEGRITY_FAILURE');
  });

  test('a suite off the allow-list is refused and no key is contacted', async () => {
    const kms = new LeakyKms();
    for (const [sealedAs, accepted] of [['cobblestone-256', 'aes-256-gcm'], ['aes-256-gcm', 'cobblestone-256']] as const) {
      const { record } = await seal(kms, patterned(5), { suite: sealedAs });
      const policy = keyPolicy([kms], { suites: [accepted] });
      expect(await codeOf(openCheckpointRecord(record, IDENTITY, { policy, cache: new KeyCache() }))).toBe('INTEGRITY_FAILURE');
    }
    expect(kms.calls.get('decrypt')).toBeUndefined();
  });

  test('a data header written anew under the same key is refused', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50));
    const header = parseDataHeader(sealed.data.subarray(0, 40));
    const data = new Uint8Array(sealed.data);
    data.set(encodeDataHeader({ ...header, objectId: patterned(16) }), 0);
    expect(await codeOf(open(sealed.record, data, { kms }))).toBe('INTEGRITY_FAILURE');
  });

  test('the bytes that are opened count towards the limit of the cached key', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache({ maxBytes: 300 });
    const { record, data } = await seal(kms, patterned(50));
    for (let i = 0; i < 4; i++) await open(record, data, { kms, cache });
    expect(data.byteLength).toBe(162);
    expect(kms.calls.get('decrypt')).toBe(2);
  });

  test('an identity that no checkpoint can have is refused as an argument', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(5));
    expect(await codeOf(openRecord(record, { kms, identity: { tenant: '', checkpoint: 'a' } }))).toBe('INVALID_ARGUMENT');
  });

  test('inspecting a record needs no key and vouches for nothing', async () => {
    const { record } = await seal(new LeakyKms(), patterned(5), { generation: 9 });
    expect(inspectCheckpointRecord(record, 'x').record.generation).toBe(9);
    expect(() => inspectCheckpointRecord(record.subarray(1), 'x')).toThrow(KeyfoldError);
  });
});

describe('the metadata of another checkpoint', () => {
  test('is refused though it is sealed under the same DEK and the MAC is right', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const { record } = parseKeyRecord(sealed.record);
    for (const context of [checkpointContext(IDENTITY.tenant, 'other'), checkpointContext('other', IDENTITY.checkpoint)]) {
      const sealedMetadata = sealMetadata(sealed.dek, record, context, Buffer.from('{}'), systemRandomSource);
      const bytes = resigned(sealed, (parsed) => ({ ...parsed, sealedMetadata }));
      expect(await codeOf(openRecord(bytes, { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('is refused when it comes from another record', async () => {
    const kms = new LeakyKms();
    const [one, two] = [await seal(kms, patterned(5)), await seal(kms, patterned(5), { metadata: { of: 'two' } })];
    const { sealedMetadata } = parseKeyRecord(two.record).record;
    expect(await codeOf(openRecord(resigned(one, (record) => ({ ...record, sealedMetadata })), { kms }))).toBe('INTEGRITY_FAILURE');
  });

  test.each(['[]', '"text"', 'null', '{', '', '\u00ff'])('or content %j that is no JSON object is refused', async (content) => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const bytes = resigned(sealed, (record) => ({
      ...record,
      sealedMetadata: sealMetadata(sealed.dek, record, checkpointContext(IDENTITY.tenant, IDENTITY.checkpoint), Buffer.from(content, 'latin1'), systemRandomSource),
    }));
    expect(await codeOf(openRecord(bytes, { kms }))).toBe('INTEGRITY_FAILURE');
  });
});

describe('the keys that a reader accepts', () => {
  test('a key off the allow-list is never contacted', async () => {
    const kms = new LeakyKms('theirs');
    const { record } = await seal(kms, patterned(5));
    const ours = new MemoryKms('ours');
    kms.calls.clear();
    expect(await codeOf(openRecord(record, { kms: ours }))).toBe('KEY_NOT_ALLOWED');
    expect([kms.calls.size, ours.calls.size]).toEqual([0, 0]);
  });

  test('of a record with several wraps only accepted ones are tried', async () => {
    const [theirs, ours] = [new LeakyKms('theirs'), new MemoryKms('ours')];
    const sealed = await seal(theirs, patterned(5));
    const added = await wrapBy(ours, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    theirs.calls.clear();
    expect((await openRecord(record, { kms: ours })).wrap).toEqual(added);
    expect(theirs.calls.size).toBe(0);
  });

  test('wraps are tried in the order of the policy, whatever their order in the record', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    for (const wraps of [[parseKeyRecord(sealed.record).record.wraps, added], [added, parseKeyRecord(sealed.record).record.wraps]]) {
      const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: wraps.flat() }));
      expect((await openRecord(record, { kms: [b, a] })).wrap.keyId).toBe('b');
      expect((await openRecord(record, { kms: [a, b] })).wrap.keyId).toBe('a');
    }
  });

  test('only an outage leads to the next wrap', async () => {
    for (const code of ERROR_CODES) {
      const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
      const sealed = await seal(a, patterned(5));
      const added = await wrapBy(b, sealed);
      const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
      a.fault = () => {
        throw new KeyfoldError(code, 'Injected.');
      };
      if (code === 'KMS_UNAVAILABLE') {
        expect((await openRecord(record, { kms: [a, b] })).wrap.keyId).toBe('b');
        continue;
      }
      const expected = code === 'INVALID_CIPHERTEXT' ? 'INTEGRITY_FAILURE' : code;
      expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe(expected);
      expect(b.calls.get('decrypt')).toBeUndefined();
    }
  });

  test('when every KMS is down the outage is what is reported', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    a.fault = b.fault = () => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'Injected.');
    };
    const cache = new KeyCache();
    expect(await codeOf(openRecord(record, { kms: [a, b], cache }))).toBe('KMS_UNAVAILABLE');
    expect(cache.size).toBe(0);
  });

  test('a damaged wrap is not made up for by another that is good', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({
      ...parsed,
      wraps: [...parsed.wraps.map((wrap) => ({ ...wrap, ciphertext: flipBit(wrap.ciphertext, 300) })), added],
    }));
    expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    expect(b.calls.get('decrypt')).toBeUndefined();
  });

  test('a wrap that gives another key is not made up for by another that is good', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const wrong = await wrapBy(a, { ...sealed, dekBytes: patterned(32) });
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [wrong, added] }));
    expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    expect(b.calls.get('decrypt')).toBeUndefined();
  });

  test('a wrap from another checkpoint or tenant does not open', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const { dekId } = parseKeyRecord(sealed.record).record;
    for (const context of [wrapContext('checkpoint', 'acme', 'other', dekId), wrapContext('checkpoint', 'other', IDENTITY.checkpoint, dekId), wrapContext('field', 'acme', IDENTITY.checkpoint, dekId)]) {
      const wrap = await kms.encrypt(sealed.dekBytes, { context });
      expect(await codeOf(openRecord(resigned(sealed, (record) => ({ ...record, wraps: [wrap] })), { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('wraps reordered or removed without the DEK are refused', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    const forger: Sealed = { ...sealed, record, dek: (await seal(a, patterned(5))).dek };
    for (const change of [
      (wraps: readonly WrappedKey[]) => wraps.toReversed(),
      (wraps: readonly WrappedKey[]) => wraps.slice(0, 1),
      (wraps: readonly WrappedKey[]) => wraps.slice(1),
    ]) {
      const forged = resigned(forger, (parsed) => ({ ...parsed, wraps: change(parsed.wraps) }));
      forged.set(record.subarray(-32), forged.byteLength - 32);
      expect(await codeOf(openRecord(forged, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('a key that left the configuration during the unwrap is refused after it', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    kms.fault = () => {
      (kms as { keyId: string }).keyId = 'another';
    };
    vi.spyOn(kms, 'decrypt').mockImplementation(async () => {
      await kms.fault?.('decrypt');
      return patterned(32);
    });
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('KEY_NOT_ALLOWED');
  });
});

describe('a KMS that answers wrongly', () => {
  test('gives INTEGRITY_FAILURE, and the wrong key is neither kept nor left in memory', async () => {
    const kms = new LyingKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(5));
    const wrong = new Uint8Array(randomBytes(32));
    kms.answer = () => wrong;
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(cache.size).toBe(0);
    expect(wrong).toEqual(new Uint8Array(32));
    kms.answer = undefined;
    expect(same(await open(record, data, { kms, cache }), patterned(5))).toBe(true);
  });

  test.each([0, 1, 16, 31, 33, 64])('with a key of %i bytes gives KMS_PROTOCOL_ERROR through the guard, INTEGRITY_FAILURE without', async (length) => {
    const kms = new LyingKms();
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    const guarded = new GuardedKmsClient(kms, { clock: new ManualClock(), meter: new Meter(undefined), timeoutMs: 1_000 });
    const wrong = new Uint8Array(randomBytes(length));
    kms.answer = () => wrong;
    expect(await codeOf(openRecord(record, { kms: guarded, cache }))).toBe('KMS_PROTOCOL_ERROR');
    expect(wrong).toEqual(new Uint8Array(length));
    kms.answer = () => new Uint8Array(randomBytes(length));
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(cache.size).toBe(0);
  });

  test('whose key is the right one without its last, zero byte is refused: HMAC pads, Keyfold does not', async () => {
    const kms = new LyingKms();
    const dek = new Uint8Array([...patterned(31), 0]);
    vi.spyOn(kms, 'generateDataKey').mockImplementationOnce(async (options) => {
      kms.deks.push(Uint8Array.from(dek));
      return { plaintext: Uint8Array.from(dek), wrapped: await kms.encrypt(dek, options) };
    });
    const sealed = await seal(kms, patterned(5));
    expect(same(await open(sealed.record, sealed.data, { kms }), patterned(5))).toBe(true);
    kms.answer = () => dek.slice(0, 31);
    expect(await codeOf(openRecord(sealed.record, { kms }))).toBe('INTEGRITY_FAILURE');
  });
});

describe('the cache behind opening', () => {
  test('one unwrap serves many openings, also at the same time', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(5));
    await Promise.all(Array.from({ length: 20 }, () => open(record, data, { kms, cache })));
    await open(record, data, { kms, cache });
    expect(kms.calls.get('decrypt')).toBe(1);
  });

  test('readers of different policies or suites share nothing', async () => {
    const kms = new LeakyKms();
    const other = new MemoryKms('other');
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    for (const policy of [keyPolicy([kms]), keyPolicy([kms, other]), keyPolicy([other, kms]), keyPolicy([kms], { suites: ['aes-256-gcm'] })]) {
      (await openCheckpointRecord(record, IDENTITY, { policy, cache })).lease.release();
    }
    expect(kms.calls.get('decrypt')).toBe(4);
  });

  test('failures leave no lease behind: the key is zeroed once the record is released', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const sealed = await seal(kms, patterned(5));
    const opened = await openRecord(sealed.record, { kms, cache });
    const bad = resigned(sealed, (record) => ({ ...record, sealedMetadata: patterned(80) }));
    expect(await codeOf(openRecord(bad, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(opened.lease.key.disposed).toBe(false);
    opened.lease.release();
    expect(opened.lease.key.disposed).toBe(true);
  });

  test('an abort ends the wait', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(5));
    const gate = new AbortController();
    kms.fault = async () => new Promise<void>(() => undefined);
    const waiting = openRecord(record, { kms, signal: gate.signal });
    gate.abort();
    expect(await codeOf(waiting)).toBe('ABORTED');
  });

  test('an opened record shows no key when inspected or turned into JSON', async () => {
    const kms = new LeakyKms();
    const { record, dekBytes } = await seal(kms, patterned(5));
    const opened = await openRecord(record, { kms });
    const shown = inspect(opened, { depth: 10, showHidden: true }) + JSON.stringify(opened);
    expect(shown).toContain('[SecretBytes]');
    expect(shown).not.toContain(Buffer.from(dekBytes).toString('hex'));
    expect(shown).not.toContain(Array.from(dekBytes.subarray(0, 6)).join(', '));
    expect(shown).not.toContain(Array.from(dekBytes.subarray(0, 6)).join(','));
  });
});
