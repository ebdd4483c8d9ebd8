import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../src/errors.ts';
import { openCheckpointData } from '../src/sealing/checkpoint-opener.ts';
import { inspectCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, chunked, codeOf, collect, open, openRecord, rejection, resigned, seal } from './support/checkpoints.ts';
import { cutAt, same } from './support/reference.ts';

const F = 1_048_576;

const SUITE_NAMES = ['aes-256-gcm', 'cobblestone-256', 'aes-256-cbc-hmac-sha256'] as const;

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

  test('is not what a programming error is taken for', () => {
    expect(() => inspectCheckpointRecord(undefined as unknown as Uint8Array, 'x')).toThrow(TypeError);
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
