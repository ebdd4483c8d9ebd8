import { describe, expect, test } from 'vitest';
import type { SecretBytes } from '../src/crypto/secret-bytes.ts';
import { ERROR_CODES, type ErrorCode, KeyfoldError } from '../src/errors.ts';
import { GuardedKmsClient } from '../src/kms/guarded-kms-client.ts';
import { KeyCache, type KeyCacheOptions } from '../src/keys/key-cache.ts';
import { Meter } from '../src/ports/metrics-sink.ts';
import { openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { sealCheckpoint } from '../src/sealing/seal-checkpoint.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { flipBit } from './support/bytes.ts';
import { codeOf, rejection } from './support/checkpoints.ts';

const REMEMBERED: readonly ErrorCode[] = ['INVALID_CIPHERTEXT', 'INTEGRITY_FAILURE'];

interface Asked {
  readonly cache: KeyCache;
  readonly clock: ManualClock;
  /** Asks for the key of an identity, which is refused with `code`. */
  readonly ask: (identity: string, code?: ErrorCode) => Promise<unknown>;
  calls: number;
}

function asked(options: Omit<KeyCacheOptions, 'clock'> = {}): Asked {
  const clock = new ManualClock();
  const cache = new KeyCache({ ...options, clock });
  const state: Asked = {
    cache,
    clock,
    calls: 0,
    ask: (identity, code = 'INVALID_CIPHERTEXT') => {
      const load = (): Promise<SecretBytes> => {
        state.calls++;
        return Promise.reject(new KeyfoldError(code, `Refused for a test, and called ${code}.`));
      };
      return rejection(cache.acquire(identity, () => undefined, load));
    },
  };
  return state;
}

describe('an unwrap that was refused', () => {
  test.each(REMEMBERED)('as %s is not tried again for a minute, and gives the same error', async (code) => {
    const state = asked();
    const first = await state.ask('a', code);
    state.clock.advance(59_999);
    const second = await state.ask('a', code);
    expect(state.calls).toBe(1);
    expect(second).toMatchObject({ code, message: (first as Error).message });
    expect(second).not.toBe(first);
    state.clock.advance(1);
    await state.ask('a', code);
    expect(state.calls).toBe(2);
  });

  test.each(ERROR_CODES.filter((code) => !REMEMBERED.includes(code)))('as %s is tried again at once', async (code) => {
    const state = asked();
    await state.ask('a', code);
    await state.ask('a', code);
    expect(state.calls).toBe(2);
  });

  test('says nothing about any other identity', async () => {
    const state = asked();
    await state.ask('a');
    await state.ask('b');
    expect(state.calls).toBe(2);
  });

  test('is forgotten when the cache is cleared, its identity evicted, or the clock set back', async () => {
    const state = asked();
    await state.ask('a');
    state.cache.clear();
    await state.ask('a');
    state.cache.evict('a');
    await state.ask('a');
    state.clock.advance(-1);
    await state.ask('a');
    expect(state.calls).toBe(4);
  });

  test('is not remembered when its identity was evicted while it was asked for', async () => {
    const state = asked();
    const waiting = rejection(
      state.cache.acquire('a', () => undefined, async () => {
        await Promise.resolve();
        state.cache.evict('a');
        throw new KeyfoldError('INVALID_CIPHERTEXT', 'Refused for a test, late.');
      }),
    );
    await waiting;
    await state.ask('a');
    expect(state.calls).toBe(1);
  });

  test('is one of 1,000 at most: the oldest is forgotten first', async () => {
    const state = asked();
    for (let n = 0; n <= 1_000; n++) await state.ask(String(n));
    expect(state.calls).toBe(1_001);
    for (let n = 1; n <= 1_000; n++) await state.ask(String(n));
    expect(state.calls).toBe(1_001);
    await state.ask('0');
    expect(state.calls).toBe(1_002);
  });

  test.each([{ maxRefusals: 0 }, { refusalMaxAgeMs: 0 }])('is never remembered with %o', async (options) => {
    const state = asked(options);
    await state.ask('a');
    await state.ask('a');
    expect(state.calls).toBe(2);
  });

  test('still asks the policy first', async () => {
    const state = asked();
    await state.ask('a');
    const refuse = (): void => {
      throw new KeyfoldError('KEY_NOT_ALLOWED', 'The policy of a test refuses this.');
    };
    expect(await codeOf(state.cache.acquire('a', refuse, () => Promise.reject(new Error('not reached'))))).toBe('KEY_NOT_ALLOWED');
  });

  test.each([{ maxRefusals: -1 }, { refusalMaxAgeMs: Number.NaN }])('has limits that are numbers: %o', (options) => {
    expect(() => new KeyCache(options)).toThrow(/KeyCache: /);
  });
});

describe('a planted record', () => {
  test('costs one call to the KMS a minute, whoever asks how often', async () => {
    const kms = new MemoryKms();
    const clock = new ManualClock();
    const client = new GuardedKmsClient(kms, { meter: new Meter(undefined), clock, timeoutMs: 1_000 });
    const identity = { tenant: 'acme', checkpoint: 'a' };
    const { record } = await sealCheckpoint({ ...identity, kms });
    // The last byte before the MAC belongs to the wrapped key.
    const planted = flipBit(record, 8 * (record.byteLength - 33));
    const options = { policy: keyPolicy([client]), cache: new KeyCache({ clock }) };
    for (let n = 0; n < 10; n++) expect(await codeOf(openCheckpointRecord(planted, identity, options))).toBe('INTEGRITY_FAILURE');
    expect(kms.calls.get('decrypt')).toBe(1);
    clock.advance(60_000);
    await rejection(openCheckpointRecord(planted, identity, options));
    expect(kms.calls.get('decrypt')).toBe(2);
    const opened = await openCheckpointRecord(record, identity, options);
    opened.lease.release();
    expect(kms.calls.get('decrypt')).toBe(3);
  });
});
