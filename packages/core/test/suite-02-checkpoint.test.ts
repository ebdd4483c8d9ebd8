import { describe, expect, test } from 'vitest';
import { systemRandomSource } from '../src/crypto/random.ts';
import { encodeContext, checkpointContext } from '../src/format/context.ts';
import { parseKeyRecord } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { openCheckpointData } from '../src/sealing/checkpoint-opener.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { sealMetadata } from '../src/sealing/metadata.ts';
import { openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, type Sealed, chunked, codeOf, collect, open, openRecord, rejection, resigned, seal } from './support/checkpoints.ts';
import { type ReferenceKeys, SEALED_CHUNK, encryptedBlocks, referenceChunks, referenceKeys, tagged } from './support/reference-cbc.ts';
import { same } from './support/reference.ts';

const SUITE = 'aes-256-cbc-hmac-sha256';
const LEAD = 96;

/** The keys of a data object, from its specification. */
function keysOf({ data, dekBytes }: Sealed): ReferenceKeys {
  const context = encodeContext({ purpose: 'checkpoint', ...IDENTITY });
  const binding = Buffer.concat([Buffer.from('keyfold/checkpoint/v1\0'), data.subarray(0, 40), context]);
  return referenceKeys(dekBytes, data.subarray(40, 64), binding);
}

/** The data object with other chunks than it had. */
function withChunks({ data }: Sealed, ...chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([data.subarray(0, LEAD), ...chunks]));
}

describe('a checkpoint of suite 02', () => {
  test.each([0, 1, 16_383, 16_384, 16_385, 50_000])('of %i bytes is, byte for byte, what the specification makes of its key, salt and IVs', async (size) => {
    const sealed = await seal(new LeakyKms(), patterned(size), { suite: SUITE });
    const { data } = sealed;
    const keys = keysOf(sealed);
    const ivOf = (index: number): Uint8Array => data.subarray(LEAD + index * SEALED_CHUNK, LEAD + index * SEALED_CHUNK + 16);
    const chunks = await referenceChunks(keys, patterned(size), ivOf);
    expect([data[5], sealed.record[5]]).toEqual([2, 2]);
    expect(same(data.subarray(64, LEAD), keys.commitment)).toBe(true);
    expect(same(data, withChunks(sealed, ...chunks))).toBe(true);
  });

  test('is refused by readers that were not told to accept it, before any key is used', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(50), { suite: SUITE });
    for (const policy of [keyPolicy([kms]), keyPolicy([kms], { suites: ['aes-256-gcm', 'cobblestone-256'] })]) {
      expect(await codeOf(openCheckpointRecord(record, IDENTITY, { policy, cache: new KeyCache() }))).toBe('INTEGRITY_FAILURE');
    }
    expect(kms.calls.get('decrypt')).toBeUndefined();
  });

  test('is refused by such readers also from a cache that holds its key', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(50), { suite: SUITE });
    await open(record, data, { kms, cache });
    expect(await codeOf(openRecord(record, { kms, cache, suites: ['aes-256-gcm'] }))).toBe('INTEGRITY_FAILURE');
  });

  test.each([
    [SUITE, 1],
    [SUITE, 3],
    ['aes-256-gcm', 2],
    ['cobblestone-256', 2],
  ] as const)('and its like cannot be relabelled: %s as suite %i', async (suite, other) => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50), { suite });
    const data = new Uint8Array(sealed.data).fill(other, 5, 6);
    const record = new Uint8Array(sealed.record).fill(other, 5, 6);
    expect(await codeOf(open(sealed.record, data, { kms }))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(open(record, sealed.data, { kms }))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(open(record, data, { kms }))).toBe('INTEGRITY_FAILURE');
    // Even whoever has the DEK, and signs the record anew, does not get the data opened as another suite.
    const ids = parseKeyRecord(sealed.record).record;
    const sealedMetadata = sealMetadata(sealed.dek, ids, checkpointContext(IDENTITY.tenant, IDENTITY.checkpoint), Buffer.from('{}'), systemRandomSource);
    const signed = resigned(sealed, (parsed) => ({ ...parsed, suite: other, sealedMetadata }));
    expect(await codeOf(open(signed, data, { kms }))).toBe('INTEGRITY_FAILURE');
  });

  test('gives one sentence, whichever check refused it: tag, padding, length, index, end', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50), { suite: SUITE });
    const keys = keysOf(sealed);
    const { data } = sealed;
    const iv = patterned(16);
    const blocks = (bytes: Uint8Array): Uint8Array => encryptedBlocks(keys, iv, bytes);
    const chunk = { index: 0, final: 1, iv, encrypted: blocks(Buffer.from('41414141414141414141414141414101', 'hex')) };
    expect(await open(sealed.record, withChunks(sealed, await tagged(keys, chunk)), { kms })).toEqual(Buffer.alloc(15, 0x41));
    const damaged = [
      flipBit(data, LEAD * 8), // the IV
      flipBit(data, (LEAD + 16) * 8), // the ciphertext
      flipBit(data, (data.byteLength - 1) * 8), // the tag
      flipBit(data, 70 * 8), // the commitment
      data.subarray(0, -1), // no whole blocks
      data.subarray(0, LEAD + 48), // no block at all
      data.subarray(0, LEAD),
      withChunks(sealed, await tagged(keys, { ...chunk, encrypted: blocks(new Uint8Array(16)) })), // no padding
      withChunks(sealed, await tagged(keys, { ...chunk, encrypted: blocks(Buffer.alloc(16, 0x11)) })), // too much padding
      withChunks(sealed, await tagged(keys, { ...chunk, index: 1 })),
      withChunks(sealed, await tagged(keys, { ...chunk, final: 0 })),
      withChunks(sealed, await tagged({ ...keys, commitment: Buffer.alloc(32) }, chunk)),
    ];
    const errors = await Promise.all(damaged.map((bytes) => rejection(open(sealed.record, bytes, { kms }))));
    expect(new Set(errors.map(String)).size).toBe(1);
    expect(new Set(errors.map((error) => JSON.stringify(error))).size).toBe(1);
    expect(await codeOf(Promise.reject(errors[0] as Error))).toBe('INTEGRITY_FAILURE');
    expect(errors.every((error) => (error as Error).cause === undefined)).toBe(true);
  });

  test('releases nothing of a chunk that is bad, and errs rather than ends', async () => {
    const kms = new LeakyKms();
    const plaintext = patterned(50_000);
    const { record, data } = await seal(kms, plaintext, { suite: SUITE });
    const opened = await openRecord(record, { kms });
    const released: Uint8Array[] = [];
    const damaged = flipBit(data, (LEAD + 2 * SEALED_CHUNK + 100) * 8);
    const run = async (): Promise<void> => {
      const pieces = chunked([damaged.subarray(0, LEAD + 2 * SEALED_CHUNK), damaged.subarray(LEAD + 2 * SEALED_CHUNK)]);
      for await (const chunk of openCheckpointData(opened, IDENTITY, pieces)) released.push(chunk);
    };
    expect(await codeOf(run())).toBe('INTEGRITY_FAILURE');
    expect(same(Buffer.concat(released), plaintext.subarray(0, 32_768))).toBe(true);
  });

  test('cannot take over the chunks of another checkpoint, at any place', async () => {
    const kms = new LeakyKms();
    const [one, two] = [await seal(kms, patterned(40_000), { suite: SUITE }), await seal(kms, patterned(40_000), { suite: SUITE })];
    for (const index of [0, 1, 2]) {
      const [start, end] = [LEAD + index * SEALED_CHUNK, LEAD + (index + 1) * SEALED_CHUNK];
      const spliced = new Uint8Array(one.data);
      spliced.set(two.data.subarray(start, end), start);
      expect(await codeOf(open(one.record, spliced, { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('keeps its metadata under suite 01, as every checkpoint', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(5), { suite: SUITE, metadata: { job: 7 } });
    const opened = await openRecord(record, { kms });
    expect(opened.metadata).toEqual({ job: 7 });
    expect(await collect(openCheckpointData(opened, IDENTITY, chunked([]))).catch(() => 'refused')).toBe('refused');
  });
});
