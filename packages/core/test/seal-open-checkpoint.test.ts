import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type ErrorCode, KeyfoldError } from '../src/errors.ts';
import { parseDataHeader } from '../src/format/checkpoint.ts';
import { encodeContext } from '../src/format/context.ts';
import { parseKeyRecord, type WrappedKey } from '../src/format/key-record.ts';
import { CheckpointSealer } from '../src/sealing/checkpoint-sealer.ts';
import { sealCheckpoint } from '../src/sealing/seal-checkpoint.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, chunked, codeOf, open, openRecord, seal } from './support/checkpoints.ts';
import { REFERENCE_SUITES, cutAt, referenceSeal, same } from './support/reference.ts';

const F = 1_048_576;

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
