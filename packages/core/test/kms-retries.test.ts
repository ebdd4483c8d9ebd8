import { describe, expect, test, vi } from 'vitest';
import { ERROR_CODES, type ErrorCode, KeyfoldError, isKeyfoldError } from '../src/errors.ts';
import { GuardedKmsClient, type GuardOptions } from '../src/kms/guarded-kms-client.ts';
import { systemJitter } from '../src/kms/retry-policy.ts';
import type { KeyVersion, KmsClient, KmsHealth, WrappedKey } from '../src/ports/kms-client.ts';
import { Meter } from '../src/ports/metrics-sink.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { RecordingMetricsSink } from '../src/testing/recording-sinks.ts';
import { patterned, thrownBy } from './support/bytes.ts';
import { codeOf, collect, rejection } from './support/checkpoints.ts';

const CALL = { context: { purpose: 'wrap', use: 'checkpoint', tenant: 't', scope: 's', dek: '00'.repeat(16) } };

const CALLS: Readonly<Record<string, (kms: KmsClient, signal?: AbortSignal) => Promise<unknown>>> = {
  encrypt: (kms, signal) => kms.encrypt(patterned(32), { ...CALL, signal }),
  decrypt: async (kms, signal) => kms.decrypt(await wrapOf(kms), { ...CALL, signal }),
  generateDataKey: (kms, signal) => kms.generateDataKey({ ...CALL, signal }),
  currentKeyVersion: (kms, signal) => kms.currentKeyVersion({ signal }),
  listKeyVersions: (kms, signal) => collect(kms.listKeyVersions({ signal })),
  testConnection: (kms, signal) => kms.testConnection({ signal }),
  rotateKey: (kms, signal) => kms.rotateKey({ signal }),
};

const REPEATABLE = Object.keys(CALLS).filter((operation) => operation !== 'rotateKey');

/** Wrapped by the guarded client's own KMS, so that unwrapping is all that it is asked. */
async function wrapOf(kms: KmsClient): Promise<WrappedKey> {
  return (innerOf.get(kms) ?? new MemoryKms()).encrypt(patterned(32), CALL);
}

const innerOf = new WeakMap<KmsClient, MemoryKms>();

interface Bench {
  readonly inner: MemoryKms;
  readonly guarded: GuardedKmsClient;
  readonly clock: ManualClock;
  readonly sink: RecordingMetricsSink;
  /** The longest wait that was possible before each retry. */
  readonly limits: number[];
}

/** Waits of half of what is possible, on a clock that the test moves. */
function bench(options: Partial<GuardOptions> = {}): Bench {
  const [inner, clock, sink] = [new MemoryKms(), new ManualClock(), new RecordingMetricsSink()];
  const limits: number[] = [];
  const jitter = (limitMs: number): number => {
    limits.push(limitMs);
    return limitMs / 2;
  };
  const guarded = new GuardedKmsClient(inner, { clock, timers: clock, jitter, meter: new Meter(sink), timeoutMs: 9_000, ...options });
  innerOf.set(guarded, inner);
  return { inner, clock, sink, limits, guarded };
}

/** Lets promises settle that wait for nothing else. */
async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Moves the clock to whatever is waited for next, until `call` is over. */
async function through<T>({ clock }: Pick<Bench, 'clock'>, call: Promise<T>): Promise<T> {
  const state = { over: false };
  const watched = call.finally(() => {
    state.over = true;
  });
  watched.catch(() => undefined);
  await settle();
  while (!state.over) {
    const [next] = clock.timers;
    if (next === undefined) throw new Error('The call waits for nothing.');
    clock.advance(next);
    await settle();
  }
  return watched;
}

/** Fails the operation with these codes, one after the other, and then works. */
function failing({ inner }: Pick<Bench, 'inner'>, operation: string, ...codes: ErrorCode[]): KeyfoldError[] {
  const errors = codes.map((code) => new KeyfoldError(code, `Injected ${code}.`));
  let next = 0;
  inner.fault = (called) => {
    const error = called === operation ? errors[next++] : undefined;
    if (error !== undefined) throw error;
  };
  return errors;
}

function run(operation: string, kms: KmsClient, signal?: AbortSignal): Promise<unknown> {
  return CALLS[operation]?.(kms, signal) ?? Promise.reject(new Error(operation));
}

describe('what is retried', () => {
  const RETRIED: readonly ErrorCode[] = ['KMS_THROTTLED', 'KMS_UNAVAILABLE'];

  describe.each(Object.keys(CALLS))('%s', (operation) => {
    const retried = operation === 'rotateKey' ? ['KMS_THROTTLED'] : RETRIED;

    test.each(ERROR_CODES.filter((code) => !retried.includes(code)))('that fails with %s is made once', async (code) => {
      const each = bench();
      const [error] = failing(each, operation, code, code);
      if (operation === 'testConnection' && code !== 'ABORTED') expect(await run(operation, each.guarded)).toMatchObject({ roundTrip: false, problem: { code } });
      else expect(await rejection(run(operation, each.guarded))).toBe(error);
      expect(each.inner.calls.get(operation)).toBe(1);
      expect(each.clock.timers).toEqual([]);
      expect(each.sink.measurements.filter(({ name }) => name.endsWith('kms_retry_total'))).toEqual([]);
    });

    test.each(retried)('that fails twice with %s and then works has worked', async (code) => {
      const each = bench();
      failing(each, operation, code as ErrorCode, code as ErrorCode);
      await through(each, run(operation, each.guarded));
      expect(each.inner.calls.get(operation)).toBe(3);
      expect(each.clock.timers).toEqual([]);
    });

    test.each(retried)('that fails with %s for ever ends with the error of the third attempt', async (code) => {
      const each = bench();
      const errors = failing(each, operation, ...Array.from({ length: 9 }, () => code as ErrorCode));
      const outcome = await through(each, operation === 'testConnection' ? run(operation, each.guarded) : rejection(run(operation, each.guarded)));
      if (operation === 'testConnection') expect(outcome).toMatchObject({ roundTrip: false, problem: { code } });
      else expect(outcome).toBe(errors[2]);
      expect(each.inner.calls.get(operation)).toBe(3);
    });
  });

  test('a foreign error of a provider is KMS_UNAVAILABLE, and retried as such', async () => {
    const each = bench();
    each.inner.fault = () => {
      if (each.inner.calls.get('generateDataKey') === 1) throw new Error('socket');
    };
    await through(each, each.guarded.generateDataKey(CALL));
    expect(each.inner.calls.get('generateDataKey')).toBe(2);
  });

  test('an answer that no KMS may give is not asked for again', async () => {
    const each = bench();
    const decrypt = vi.spyOn(each.inner, 'decrypt').mockResolvedValue(patterned(31));
    expect(await codeOf(run('decrypt', each.guarded))).toBe('KMS_PROTOCOL_ERROR');
    expect(decrypt).toHaveBeenCalledOnce();
  });

  test('closing is never repeated', async () => {
    const each = bench();
    const close = vi.spyOn(each.inner, 'close').mockRejectedValue(new KeyfoldError('KMS_THROTTLED', 'Injected.'));
    expect(await codeOf(each.guarded.close())).toBe('KMS_THROTTLED');
    expect(close).toHaveBeenCalledOnce();
  });

  test('a rotation that does not answer is not repeated, and has all the time of the call', async () => {
    const each = bench();
    each.inner.fault = () => new Promise(() => undefined);
    const outcome = codeOf(each.guarded.rotateKey());
    expect(each.clock.timers).toEqual([9_000]);
    expect(await through(each, outcome)).toBe('KMS_UNAVAILABLE');
    expect(each.inner.calls.get('rotateKey')).toBe(1);
  });
});

describe('waits', () => {
  test('are drawn from 0 to a limit that doubles, and begins higher after KMS_THROTTLED', async () => {
    const unavailable = bench({ retry: { attempts: 6 } });
    failing(unavailable, 'encrypt', ...Array.from({ length: 5 }, () => 'KMS_UNAVAILABLE' as const));
    await through(unavailable, run('encrypt', unavailable.guarded));
    expect(unavailable.limits).toEqual([100, 200, 400, 800, 1_600]);
    const throttled = bench({ retry: { attempts: 6 }, timeoutMs: 60_000 });
    failing(throttled, 'encrypt', ...Array.from({ length: 5 }, () => 'KMS_THROTTLED' as const));
    await through(throttled, run('encrypt', throttled.guarded));
    expect(throttled.limits).toEqual([500, 1_000, 2_000, 4_000, 5_000]);
  });

  test('are what the options say', async () => {
    const each = bench({ retry: { attempts: 5, baseDelayMs: 10, throttledDelayMs: 30, maxDelayMs: 50 } });
    failing(each, 'encrypt', 'KMS_UNAVAILABLE', 'KMS_THROTTLED', 'KMS_UNAVAILABLE', 'KMS_THROTTLED');
    await through(each, run('encrypt', each.guarded));
    expect(each.limits).toEqual([10, 50, 40, 50]);
  });

  test('last as long as was drawn, and no attempt is made before', async () => {
    const each = bench();
    failing(each, 'encrypt', 'KMS_THROTTLED');
    const call = run('encrypt', each.guarded);
    await settle();
    expect(each.clock.timers).toEqual([250, 9_000]);
    each.clock.advance(249);
    await settle();
    expect(each.inner.calls.get('encrypt')).toBe(1);
    each.clock.advance(1);
    await call;
    expect(each.inner.calls.get('encrypt')).toBe(2);
  });

  test('of 0 take no timer', async () => {
    const each = bench({ retry: { baseDelayMs: 0 } });
    failing(each, 'encrypt', 'KMS_UNAVAILABLE', 'KMS_UNAVAILABLE');
    await run('encrypt', each.guarded);
    expect(each.inner.calls.get('encrypt')).toBe(3);
  });

  test('that would not end in time are not begun', async () => {
    const each = bench({ timeoutMs: 250 });
    const [error] = failing(each, 'encrypt', 'KMS_THROTTLED');
    expect(await rejection(run('encrypt', each.guarded))).toBe(error);
    const longer = bench({ timeoutMs: 251 });
    failing(longer, 'encrypt', 'KMS_THROTTLED');
    await through(longer, run('encrypt', longer.guarded));
  });

  test('end at once with ABORTED when the caller aborts, and leave nothing behind', async () => {
    const each = bench();
    failing(each, 'encrypt', 'KMS_THROTTLED');
    const gate = new AbortController();
    const remove = vi.spyOn(gate.signal, 'removeEventListener');
    const outcome = codeOf(run('encrypt', each.guarded, gate.signal));
    await settle();
    gate.abort();
    expect(await outcome).toBe('ABORTED');
    expect(each.inner.calls.get('encrypt')).toBe(1);
    expect([each.clock.timers, remove.mock.calls.length]).toEqual([[], 1]);
  });

  test('end with the error of the last attempt when the time of the call is up, though the wall clock was set back', async () => {
    const each = bench({ timeoutMs: 400, retry: { attemptTimeoutMs: 400 } });
    const [error] = failing(each, 'encrypt', 'KMS_THROTTLED', 'KMS_THROTTLED');
    const inner = each.inner.fault;
    each.inner.fault = (operation) => {
      each.clock.advance(200);
      each.clock.advance(-10_000);
      return inner?.(operation);
    };
    const outcome = rejection(run('encrypt', each.guarded));
    await settle();
    expect(each.clock.timers).toEqual([200, 250]);
    each.clock.advance(200);
    expect(await outcome).toBe(error);
    expect(each.clock.timers).toEqual([]);
  });

  test('are drawn evenly from 0 to the limit, both included', () => {
    const drawn = Array.from({ length: 3_000 }, () => systemJitter(2));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2]));
    // Each 1,000 times; eight standard deviations of 26.
    for (const value of [0, 1, 2]) expect(Math.abs(drawn.filter((each) => each === value).length - 1_000)).toBeLessThan(208);
    expect(systemJitter(0)).toBe(0);
  });
});

describe('an attempt that does not answer', () => {
  test.each(REPEATABLE)('of %s is given up after its share of the time, its signal aborted, and made again', async (operation) => {
    const each = bench();
    let hung = false;
    each.inner.fault = (called) => {
      if (called !== operation || hung) return undefined;
      hung = true;
      return new Promise(() => undefined);
    };
    await through(each, run(operation, each.guarded));
    expect(each.inner.calls.get(operation)).toBe(2);
    // 9,000 / 3, and half of 100.
    expect(each.clock.now() - new ManualClock().now()).toBe(3_050);
  });

  test("has its provider's signal aborted, and the key that it gives later zeroed", async () => {
    const each = bench();
    const key = patterned(32);
    const signals: (AbortSignal | undefined)[] = [];
    let answer: (key: Uint8Array) => void = () => undefined;
    vi.spyOn(each.inner, 'decrypt').mockImplementation((_, { signal }) => {
      signals.push(signal);
      if (signals.length === 2) return Promise.resolve(patterned(32, 'another'));
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    expect(await through(each, run('decrypt', each.guarded))).toEqual(patterned(32, 'another'));
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false]);
    answer(key);
    await settle();
    expect(key).toEqual(new Uint8Array(32));
  });

  test('may take all that is left of the call when none can follow', async () => {
    const each = bench({ retry: { attemptTimeoutMs: 1_000 } });
    each.inner.fault = () => new Promise(() => undefined);
    const outcome = rejection(run('encrypt', each.guarded));
    expect(each.clock.timers).toEqual([1_000, 9_000]);
    each.clock.advance(1_000);
    await settle();
    each.clock.advance(50);
    await settle();
    expect(each.clock.timers).toEqual([1_000, 7_950]);
    each.clock.advance(1_000);
    await settle();
    each.clock.advance(100);
    await settle();
    expect(each.clock.timers).toEqual([6_850]);
    each.clock.advance(6_850);
    const error = await outcome;
    expect(isKeyfoldError(error, 'KMS_UNAVAILABLE')).toBe(true);
    expect(String(error)).toContain('within 9000 ms');
    expect(each.clock.timers).toEqual([]);
  });

  test('is not begun when the end came with the end of the wait', async () => {
    const each = bench({ timeoutMs: 9_000 });
    failing(each, 'encrypt', 'KMS_THROTTLED');
    const outcome = codeOf(run('encrypt', each.guarded));
    await settle();
    // The wait and the call are over in the same moment.
    each.clock.advance(9_000);
    expect(await outcome).toBe('KMS_UNAVAILABLE');
    expect(each.inner.calls.get('encrypt')).toBe(1);
  });
});

describe('the end of a call', () => {
  test('is not put off when the wall clock was set back meanwhile', async () => {
    const each = bench({ retry: { attemptTimeoutMs: 9_000 } });
    each.inner.fault = () => new Promise(() => undefined);
    const outcome = codeOf(run('encrypt', each.guarded));
    each.clock.advance(-100_000);
    each.clock.advance(9_000);
    await settle();
    expect(each.clock.timers).toEqual([]);
    expect(await outcome).toBe('KMS_UNAVAILABLE');
    expect(each.inner.calls.get('encrypt')).toBe(1);
  });

  test('comes when the caller aborts, though an attempt that was given up has answered in between', async () => {
    const each = bench();
    let late: () => void = () => undefined;
    each.inner.fault = () =>
      new Promise((resolve) => {
        if (each.inner.calls.get('encrypt') === 1) late = resolve;
      });
    const gate = new AbortController();
    const outcome = codeOf(run('encrypt', each.guarded, gate.signal));
    each.clock.advance(3_000);
    await settle();
    each.clock.advance(50);
    await settle();
    expect(each.inner.calls.get('encrypt')).toBe(2);
    late();
    await settle();
    gate.abort();
    expect(await outcome).toBe('ABORTED');
    expect(each.clock.timers).toEqual([]);
  });
});

describe('what a caller passes in', () => {
  test('may be zeroed and changed at once: later attempts have the same', async () => {
    const each = bench();
    const kept = await each.inner.encrypt(patterned(32), CALL);
    const [key, wrapped, context] = [patterned(32), { ...kept, ciphertext: Uint8Array.from(kept.ciphertext) }, { ...CALL.context }];
    failing(each, 'encrypt', 'KMS_UNAVAILABLE');
    const wrapping = each.guarded.encrypt(key, { context });
    failing(each, 'decrypt', 'KMS_UNAVAILABLE');
    const unwrapping = each.guarded.decrypt(wrapped, { context });
    failing(each, 'generateDataKey', 'KMS_UNAVAILABLE');
    const making = each.guarded.generateDataKey({ context });
    key.fill(0);
    wrapped.ciphertext.fill(0);
    context.tenant = 'another';
    const [again, opened, made] = await through(each, Promise.all([wrapping, unwrapping, making]));
    each.inner.fault = undefined;
    expect(await each.inner.decrypt(again, CALL)).toEqual(patterned(32));
    expect(opened).toEqual(patterned(32));
    expect(await each.inner.decrypt(made.wrapped, CALL)).toEqual(made.plaintext);
  });

  test.each(['worked', 'failed'])('is zeroed, where it is a copy of a key, when the call has %s', async (how) => {
    const each = bench({ retry: { attempts: 1 } });
    const copies: Uint8Array[] = [];
    vi.spyOn(each.inner, 'encrypt').mockImplementation((key) => {
      copies.push(key);
      return how === 'worked' ? Promise.resolve({ provider: 'memory', keyId: 'test-key', keyVersion: '1', algorithm: 'a', ciphertext: patterned(40) }) : Promise.reject(new Error('no'));
    });
    const key = patterned(32);
    await each.guarded.encrypt(key, CALL).catch(() => undefined);
    expect(copies).toEqual([new Uint8Array(32)]);
    expect(key).toEqual(patterned(32));
  });

  test('that is no array of bytes is left to the provider to refuse', async () => {
    const each = bench();
    const encrypt = vi.spyOn(each.inner, 'encrypt').mockRejectedValue(new KeyfoldError('INVALID_ARGUMENT', 'Injected.'));
    expect(await codeOf(each.guarded.encrypt('text' as unknown as Uint8Array, CALL))).toBe('INVALID_ARGUMENT');
    expect(encrypt.mock.calls[0]?.[0]).toBe('text');
  });
});

describe('measuring', () => {
  test('tells every attempt, and every retry by the code that led to it', async () => {
    const each = bench();
    failing(each, 'encrypt', 'KMS_THROTTLED', 'KMS_UNAVAILABLE');
    await through(each, run('encrypt', each.guarded));
    const labels = { provider: 'memory', operation: 'encrypt' };
    const call = { name: 'heliosdb_kms_call_duration_seconds', value: 0 };
    const retry = { name: 'heliosdb_kms_retry_total', value: 1 };
    expect(each.sink.measurements).toEqual([
      { ...call, labels: { ...labels, outcome: 'failure' } },
      { ...retry, labels: { ...labels, code: 'KMS_THROTTLED' } },
      { ...call, labels: { ...labels, outcome: 'failure' } },
      { ...retry, labels: { ...labels, code: 'KMS_UNAVAILABLE' } },
      { ...call, labels: { ...labels, outcome: 'success' } },
    ]);
  });

  test('counts no retry that was aborted while it waited', async () => {
    const each = bench();
    failing(each, 'encrypt', 'KMS_THROTTLED');
    const gate = new AbortController();
    const outcome = codeOf(run('encrypt', each.guarded, gate.signal));
    await settle();
    gate.abort();
    await outcome;
    expect(each.sink.measurements.map(({ name }) => name)).toEqual(['heliosdb_kms_call_duration_seconds']);
  });
});

describe('listing key versions', () => {
  const version = (id: string): KeyVersion => ({ id, createdAt: undefined, state: 'enabled', primary: false });

  test('is not resumed once a version is out, so that none is missing unnoticed', async () => {
    const each = bench();
    const list = vi.spyOn(each.inner, 'listKeyVersions').mockImplementation(async function* () {
      yield await Promise.resolve(version('2'));
      throw new KeyfoldError('KMS_THROTTLED', 'Injected.');
    });
    const seen: string[] = [];
    const outcome = codeOf(
      (async () => {
        for await (const { id } of each.guarded.listKeyVersions()) seen.push(id);
      })(),
    );
    expect(await outcome).toBe('KMS_THROTTLED');
    expect([seen, list.mock.calls.length, each.clock.timers]).toEqual([['2'], 1, []]);
  });

  test('ends every iteration that it gave up', async () => {
    const each = bench();
    const ended: boolean[] = [];
    vi.spyOn(each.inner, 'listKeyVersions').mockImplementation((options) => {
      const at = ended.push(false) - 1;
      options?.signal?.addEventListener('abort', () => {
        ended[at] = true;
      });
      return { [Symbol.asyncIterator]: () => ({ next: () => (at === 1 ? Promise.resolve({ done: true, value: undefined }) : new Promise(() => undefined)) }) };
    });
    await through(each, collect(each.guarded.listKeyVersions()));
    expect(ended).toEqual([true, true]);
  });
});

describe('testing the connection', () => {
  const health = (code?: string): KmsHealth => ({ reachable: true, permitted: true, keyEnabled: true, roundTrip: code === undefined, ...(code !== undefined && { problem: { code, message: 'Injected.' } }) });

  test.each(['KMS_THROTTLED', 'KMS_UNAVAILABLE'])('is repeated when it reports %s', async (code) => {
    const each = bench();
    const tests = vi.spyOn(each.inner, 'testConnection').mockResolvedValueOnce(health(code)).mockResolvedValue(health());
    expect(await through(each, each.guarded.testConnection())).toEqual(health());
    expect(tests).toHaveBeenCalledTimes(2);
  });

  test('gives the last report, with all that it says, when none was better', async () => {
    const each = bench();
    vi.spyOn(each.inner, 'testConnection').mockResolvedValue(health('KMS_THROTTLED'));
    expect(await through(each, each.guarded.testConnection())).toEqual(health('KMS_THROTTLED'));
  });

  test.each(['ACCESS_DENIED', 'KEY_DISABLED', 'NO_SUCH_CODE'])('is made once when it reports %s', async (code) => {
    const each = bench();
    const tests = vi.spyOn(each.inner, 'testConnection').mockResolvedValue(health(code));
    expect(await each.guarded.testConnection()).toEqual(health(code));
    expect(tests).toHaveBeenCalledOnce();
  });
});

describe('retry options', () => {
  test.each<[string, unknown]>([
    ['no attempt', { attempts: 0 }],
    ['eleven attempts', { attempts: 11 }],
    ['half an attempt', { attempts: 1.5 }],
    ['attempts that are a text', { attempts: '3' }],
    ['an attempt of 0 ms', { attemptTimeoutMs: 0 }],
    ['an attempt longer than a timer', { attemptTimeoutMs: 2 ** 31 }],
    ['a negative wait', { baseDelayMs: -1 }],
    ['a wait that is no number', { throttledDelayMs: Number.NaN }],
    ['waits without a limit', { maxDelayMs: Number.POSITIVE_INFINITY }],
    ['a wait above a minute', { maxDelayMs: 60_001 }],
    ['an unknown member', { retries: 3 }],
    ['nothing', null],
  ])('are refused with %s', (_, retry) => {
    expect(thrownBy(() => bench({ retry: retry as object }))).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('at their limits are taken', () => {
    for (const retry of [{ attempts: 10, attemptTimeoutMs: 2 ** 31 - 1, baseDelayMs: 60_000, throttledDelayMs: 60_000, maxDelayMs: 60_000 }, { attempts: 1, attemptTimeoutMs: 1, baseDelayMs: 0, throttledDelayMs: 0, maxDelayMs: 0 }]) {
      expect(bench({ retry }).guarded).toBeInstanceOf(GuardedKmsClient);
    }
  });

  test('are not needed: timers and randomness of the machine', async () => {
    const [inner, clock] = [new MemoryKms(), new ManualClock()];
    const guarded = new GuardedKmsClient(inner, { clock, meter: new Meter(undefined), timeoutMs: 10_000, retry: { baseDelayMs: 2 } });
    failing({ inner }, 'encrypt', 'KMS_UNAVAILABLE', 'KMS_UNAVAILABLE');
    await guarded.encrypt(patterned(32), CALL);
    expect(inner.calls.get('encrypt')).toBe(3);
  });
});
