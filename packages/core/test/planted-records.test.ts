import { describe, expect, test } from 'vitest';
import { concatBytes } from '../src/bytes.ts';
import { KeyfoldError } from '../src/errors.ts';
import { wrapContext } from '../src/format/context.ts';
import { parseKeyRecord } from '../src/format/key-record.ts';
import { KeyCache, type KeyCacheOptions } from '../src/keys/key-cache.ts';
import { Refusals } from '../src/keys/refusals.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { type CheckpointIdentity, openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { flipBit } from './support/bytes.ts';
import { IDENTITY, LeakyKms, codeOf, rejection, resigned, seal } from './support/checkpoints.ts';

/** The record with another MAC; each `bit` gives another one. */
const withBadMac = (record: Uint8Array, bit = 0): Uint8Array => flipBit(record, 8 * (record.byteLength - 32) + bit);

/** Gives some other key for a wrap, as often as it is told to. */
class WrongKms extends LeakyKms {
  wrongAnswers = 0;

  override async decrypt(...call: Parameters<LeakyKms['decrypt']>): Promise<Uint8Array> {
    const key = await super.decrypt(...call);
    return this.wrongAnswers-- > 0 ? new Uint8Array(32) : key;
  }
}

/** A record that opens, and a reader of it that counts. */
async function planting(options: Omit<KeyCacheOptions, 'clock'> = {}) {
  const kms = new WrongKms();
  const sealed = await seal(kms, new Uint8Array(0));
  const clock = new ManualClock();
  const cache = new KeyCache({ ...options, clock });
  const policy = keyPolicy([kms]);
  const open = async (record: Uint8Array, identity: CheckpointIdentity = IDENTITY, reader = policy): Promise<'opened'> => {
    const opened = await openCheckpointRecord(record, identity, { policy: reader, cache });
    opened.lease.release();
    return 'opened';
  };
  const refused = async (record: Uint8Array): Promise<void> => {
    expect(await codeOf(open(record))).toBe('INTEGRITY_FAILURE');
  };
  /** Until it is no longer asked about. */
  const remembered = async (record: Uint8Array): Promise<void> => {
    for (let n = 0; n < 3; n++) await refused(record);
  };
  return { kms, sealed, good: sealed.record, planted: withBadMac(sealed.record), clock, cache, open, refused, remembered, calls: () => kms.calls.get('decrypt') ?? 0 };
}

describe('a record with a wrap that opens and a MAC that does not verify', () => {
  test('costs two calls to the KMS a minute, and asking again does not make it longer', async () => {
    const { planted, clock, refused, calls } = await planting();
    for (let n = 0; n < 10; n++) await refused(planted);
    expect(calls()).toBe(2);
    clock.advance(59_999);
    await refused(planted);
    expect(calls()).toBe(2);
    clock.advance(1);
    for (let n = 0; n < 10; n++) await refused(planted);
    expect(calls()).toBe(4);
  });

  test('is not remembered after one unwrap, however many waited for it', async () => {
    const { planted, refused, calls } = await planting();
    await Promise.all([refused(planted), refused(planted), refused(planted)]);
    expect(calls()).toBe(1);
    await refused(planted);
    await refused(planted);
    expect(calls()).toBe(2);
  });

  test('is not remembered for longer when a third unwrap, which was under way, says the same', () => {
    const clock = new ManualClock();
    const refusals = new Refusals({ maxEntries: 10, maxAgeMs: 60_000 }, clock);
    const suspect = (): void => {
      refusals.suspect('a', new KeyfoldError('INTEGRITY_FAILURE', 'Refused for a test.'), {});
    };
    const check = (): void => {
      refusals.check('a');
    };
    suspect();
    expect(check).not.toThrow();
    suspect();
    expect(check).toThrow('Refused for a test.');
    clock.advance(30_000);
    suspect();
    clock.advance(29_999);
    expect(check).toThrow('Refused for a test.');
    clock.advance(1);
    expect(check).not.toThrow();
  });

  test('is not remembered after two unwraps that are a minute apart', async () => {
    const { planted, clock, refused, calls } = await planting();
    await refused(planted);
    clock.advance(60_000);
    for (let n = 0; n < 5; n++) await refused(planted);
    expect(calls()).toBe(3);
  });

  test('gives the same sentence every time, in an error of its own', async () => {
    const { planted, open } = await planting();
    const [first, , third] = [await rejection(open(planted)), await rejection(open(planted)), await rejection(open(planted))];
    expect(third).not.toBe(first);
    expect(third).toMatchObject({ code: 'INTEGRITY_FAILURE', message: (first as KeyfoldError).message });
  });

  test('opens at once when it is repaired, and when only the data behind it differ it is still refused', async () => {
    const { good, planted, open, remembered, refused, calls } = await planting();
    await remembered(planted);
    await refused(concatBytes(planted, Uint8Array.of(1, 2, 3)));
    expect(calls()).toBe(2);
    expect(await open(good)).toBe('opened');
    expect(calls()).toBe(3);
  });

  test('does not push the DEK of the good record out of memory again and again', async () => {
    const { good, planted, open, refused, calls } = await planting();
    for (let n = 0; n < 10; n++) {
      await open(good);
      await refused(planted);
    }
    // Two refusals forget the DEK, as they must; none after them does.
    expect(calls()).toBe(3);
  });

  test('is another record with each other byte: the body counts as the MAC does', async () => {
    const { good, planted, remembered, refused, calls } = await planting();
    await remembered(planted);
    await refused(withBadMac(good, 1));
    expect(calls()).toBe(3);
    // The highest bit of the last byte of the generation, and of the creation time.
    await refused(flipBit(planted, 8 * 47 + 7));
    await refused(flipBit(planted, 8 * 55 + 7));
    expect(calls()).toBe(5);
  });

  test('says nothing about another id', async () => {
    const { planted, open, remembered, calls } = await planting();
    await remembered(planted);
    expect(await codeOf(open(planted, { ...IDENTITY, checkpoint: 'other' }))).toBe('INTEGRITY_FAILURE');
    expect(calls()).toBe(3);
  });

  test('says nothing about another policy', async () => {
    const { kms, planted, open, remembered, calls } = await planting();
    await remembered(planted);
    const other = keyPolicy([kms, new MemoryKms('another')]);
    expect(await codeOf(open(planted, IDENTITY, other))).toBe('INTEGRITY_FAILURE');
    expect(calls()).toBe(3);
  });

  test('is remembered also when the MAC verifies and the metadata are of another checkpoint', async () => {
    const { kms, sealed, refused, calls } = await planting();
    const other = await seal(kms, new Uint8Array(0));
    const { sealedMetadata } = parseKeyRecord(other.record).record;
    const planted = resigned(sealed, (record) => ({ ...record, sealedMetadata }));
    for (let n = 0; n < 5; n++) await refused(planted);
    expect(calls()).toBe(2);
  });

  test('is one of as many as maxRefusals says: the oldest is forgotten first', async () => {
    const { good, remembered, refused, calls } = await planting({ maxRefusals: 2 });
    for (const bit of [0, 1, 2]) await remembered(withBadMac(good, bit));
    expect(calls()).toBe(6);
    for (const bit of [1, 2]) await refused(withBadMac(good, bit));
    expect(calls()).toBe(6);
    await refused(withBadMac(good, 0));
    expect(calls()).toBe(7);
  });

  test('counts as new when it is refused for the second time', async () => {
    const { good, refused, calls } = await planting({ maxRefusals: 2 });
    for (const bit of [0, 1, 0, 2]) await refused(withBadMac(good, bit));
    expect(calls()).toBe(4);
    await refused(withBadMac(good, 0));
    expect(calls()).toBe(4);
  });

  test('has a place of its own: wraps that the KMS refused do not push it out', async () => {
    const { good, planted, remembered, refused, calls } = await planting({ maxRefusals: 1 });
    await remembered(planted);
    // The last byte before the MAC belongs to the wrapped key.
    const badWrap = flipBit(good, 8 * (good.byteLength - 33));
    await refused(badWrap);
    await refused(planted);
    await refused(badWrap);
    expect(calls()).toBe(3);
  });

  test.each([{ maxRefusals: 0 }, { refusalMaxAgeMs: 0 }])('costs a call each time with %o', async (options) => {
    const { planted, refused, calls } = await planting(options);
    for (let n = 0; n < 4; n++) await refused(planted);
    expect(calls()).toBe(4);
  });

  test('is asked for anew once the cache was cleared or the clock set back', async () => {
    const { planted, clock, cache, remembered, refused, calls } = await planting();
    await remembered(planted);
    cache.clear();
    await remembered(planted);
    clock.advance(-1);
    await refused(planted);
    expect(calls()).toBe(5);
  });

  test('does not hide that the call was aborted or the cache closed', async () => {
    const { kms, planted, cache, remembered } = await planting();
    await remembered(planted);
    const options = { policy: keyPolicy([kms]), cache };
    expect(await codeOf(openCheckpointRecord(planted, IDENTITY, { ...options, signal: AbortSignal.abort() }))).toBe('ABORTED');
    cache.close();
    expect(await codeOf(openCheckpointRecord(planted, IDENTITY, options))).toBe('CLOSED');
  });
});

describe('a failure that may pass', () => {
  test('is not remembered of the record: it opens once the KMS answers', async () => {
    const { kms, good, open } = await planting();
    kms.fault = (): never => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'Away for a test.');
    };
    expect(await codeOf(open(good))).toBe('KMS_UNAVAILABLE');
    kms.fault = undefined;
    expect(await open(good)).toBe('opened');
  });

  test('is not what one wrong answer of the KMS makes: the record opens when asked for again', async () => {
    const { kms, good, open, refused } = await planting();
    kms.wrongAnswers = 1;
    await refused(good);
    expect(await open(good)).toBe('opened');
  });

  test('leaves a record readable by its first wrap that the second one, tried in an outage, refused', async () => {
    const { kms, sealed, open } = await planting();
    const second = new MemoryKms('second');
    const { dekId } = parseKeyRecord(sealed.record).record;
    const wrong = await second.encrypt(new Uint8Array(32), { context: wrapContext('checkpoint', IDENTITY.tenant, IDENTITY.checkpoint, dekId) });
    const record = resigned(sealed, (each) => ({ ...each, wraps: [...each.wraps, wrong] }));
    const policy = keyPolicy([kms, second]);
    kms.fault = (): never => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'Away for a test.');
    };
    for (let n = 0; n < 5; n++) expect(await codeOf(open(record, IDENTITY, policy))).toBe('INTEGRITY_FAILURE');
    expect(second.calls.get('decrypt')).toBe(2);
    kms.fault = undefined;
    expect(await open(record, IDENTITY, policy)).toBe('opened');
  });
});
