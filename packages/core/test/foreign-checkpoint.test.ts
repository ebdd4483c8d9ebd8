import { describe, expect, test } from 'vitest';
import { systemRandomSource } from '../src/crypto/random.ts';
import { KeyfoldError } from '../src/errors.ts';
import { encodeDataHeader, parseDataHeader } from '../src/format/checkpoint.ts';
import { checkpointContext, encodeContext } from '../src/format/context.ts';
import { parseKeyRecord } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { openCheckpointData } from '../src/sealing/checkpoint-opener.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { sealMetadata } from '../src/sealing/metadata.ts';
import { inspectCheckpointRecord, openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, chunked, codeOf, collect, open, openRecord, rejection, resigned, seal } from './support/checkpoints.ts';
import { REFERENCE_SUITES, referenceSeal, same } from './support/reference.ts';

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

  test('data that name another suite than the one they were sealed under are refused, though all else agrees', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(50));
    const header = Uint8Array.from(sealed.data.subarray(0, 40));
    header[5] = 1;
    const salt = sealed.data.subarray(40, 64);
    const context = Buffer.concat([Buffer.from('keyfold/checkpoint/v1\0'), header, encodeContext({ purpose: 'checkpoint', ...IDENTITY })]);
    const { commitment, frames } = referenceSeal(REFERENCE_SUITES[3], sealed.dekBytes, salt, context, patterned(50));
    const record = resigned(sealed, (parsed) => ({ ...parsed, binding: commitment }));
    expect(await codeOf(open(record, Buffer.concat([header, salt, commitment, ...frames]), { kms }))).toBe('INTEGRITY_FAILURE');
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
