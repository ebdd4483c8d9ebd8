import { inspect } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { KeyfoldError, isKeyfoldError } from '../src/errors.ts';
import { GuardedKmsClient } from '../src/kms/guarded-kms-client.ts';
import type { KeyVersion, KmsClient, WrappedKey } from '../src/ports/kms-client.ts';
import { Meter } from '../src/ports/metrics-sink.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { RecordingMetricsSink } from '../src/testing/recording-sinks.ts';
import { patterned, thrownBy } from './support/bytes.ts';
import { codeOf, collect, rejection } from './support/checkpoints.ts';

const CALL = { context: { purpose: 'wrap', use: 'checkpoint', tenant: 't', scope: 's', dek: '00'.repeat(16) } };
const WRAP: WrappedKey = { provider: 'memory', keyId: 'test-key', keyVersion: '1', algorithm: 'a', ciphertext: patterned(40) };
const TIMEOUT = 50;

const OPERATIONS: readonly (readonly [keyof KmsClient, (kms: KmsClient, signal?: AbortSignal) => Promise<unknown>])[] = [
  ['encrypt', (kms, signal) => kms.encrypt(patterned(32), { ...CALL, signal })],
  ['decrypt', (kms, signal) => kms.decrypt(WRAP, { ...CALL, signal })],
  ['generateDataKey', (kms, signal) => kms.generateDataKey({ ...CALL, signal })],
  ['currentKeyVersion', (kms, signal) => kms.currentKeyVersion({ signal })],
  ['listKeyVersions', (kms, signal) => collect(kms.listKeyVersions({ signal }))],
  ['rotateKey', (kms, signal) => kms.rotateKey({ signal })],
];

interface Bench {
  readonly inner: MemoryKms;
  readonly guarded: GuardedKmsClient;
  readonly clock: ManualClock;
  readonly sink: RecordingMetricsSink;
}

function bench(timeoutMs = TIMEOUT): Bench {
  const [inner, clock, sink] = [new MemoryKms(), new ManualClock(), new RecordingMetricsSink()];
  return { inner, clock, sink, guarded: new GuardedKmsClient(inner, { clock, meter: new Meter(sink), timeoutMs, retry: { attempts: 1 } }) };
}

/** Runs `act` and gives whatever was rejected meanwhile and heard by nobody. */
async function unheard(act: () => Promise<void>): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const hear = (reason: unknown): void => {
    reasons.push(reason);
  };
  process.on('unhandledRejection', hear);
  await act();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  process.off('unhandledRejection', hear);
  return reasons;
}

/** Something settled from outside. */
function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void; readonly reject: (reason: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('GuardedKmsClient', () => {
  test('passes on what a KMS that works answers', async () => {
    const { inner, guarded } = bench();
    const { plaintext, wrapped } = await guarded.generateDataKey(CALL);
    expect(await guarded.decrypt(wrapped, CALL)).toEqual(plaintext);
    const again = await guarded.encrypt(plaintext, CALL);
    expect(await inner.decrypt(again, CALL)).toEqual(plaintext);
    expect((await guarded.rotateKey()).id).toBe('2');
    expect((await guarded.currentKeyVersion()).id).toBe('2');
    expect((await collect(guarded.listKeyVersions())).map(({ id }) => id)).toEqual(['2', '1']);
    expect(await guarded.testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
    expect([guarded.provider, guarded.keyId, guarded.capabilities]).toEqual([inner.provider, inner.keyId, inner.capabilities]);
  });

  test('closing it closes the client', async () => {
    const { inner, guarded } = bench();
    const close = vi.spyOn(inner, 'close');
    await guarded.close();
    expect(close).toHaveBeenCalledOnce();
    close.mockRejectedValue(new Error('socket'));
    expect(await codeOf(guarded.close())).toBe('KMS_UNAVAILABLE');
  });

  describe.each(OPERATIONS)('%s', (operation, run) => {
    test('that hangs ends with KMS_UNAVAILABLE when its time is up', async () => {
      vi.useFakeTimers();
      const { inner, guarded } = bench();
      inner.fault = () => new Promise<void>(() => undefined);
      const outcome = codeOf(run(guarded));
      await vi.advanceTimersByTimeAsync(TIMEOUT - 1);
      expect(vi.getTimerCount()).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(await outcome).toBe('KMS_UNAVAILABLE');
      expect(vi.getTimerCount()).toBe(0);
    });

    test('that hangs ends with ABORTED when its caller aborts', async () => {
      const { inner, guarded } = bench(60_000);
      const gate = new AbortController();
      inner.fault = () => new Promise<void>(() => undefined);
      const outcome = codeOf(run(guarded, gate.signal));
      gate.abort();
      expect(await outcome).toBe('ABORTED');
    });

    test('is not begun for a caller who has aborted', async () => {
      const { inner, guarded } = bench();
      expect(await codeOf(run(guarded, AbortSignal.abort()))).toBe('ABORTED');
      expect(inner.calls.size).toBe(0);
    });

    test('leaves neither timer nor listener behind', async () => {
      vi.useFakeTimers();
      const { inner, guarded } = bench();
      const { signal } = new AbortController();
      const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
      inner.fault = () => {
        throw new KeyfoldError('KMS_THROTTLED', 'Injected.');
      };
      expect(await codeOf(run(guarded, signal))).toBe('KMS_THROTTLED');
      expect(vi.getTimerCount()).toBe(0);
      expect(removed.mock.calls.length).toBe(added.mock.calls.length);
      expect(added).toHaveBeenCalled();
    });

    test('passes on a KeyfoldError as it is', async () => {
      const { inner, guarded } = bench();
      const refusal = new KeyfoldError('ACCESS_DENIED', 'Injected.');
      inner.fault = () => {
        throw refusal;
      };
      expect(await rejection(run(guarded))).toBe(refusal);
    });

    test('maps a foreign error to KMS_UNAVAILABLE and shows nothing that it carried', async () => {
      const { inner, guarded } = bench();
      const foreign = Object.assign(new Error('body: {"Plaintext":"hunter2"}'), {
        name: 'TimeoutError',
        code: 'ECONNRESET',
        request: { body: 'hunter2', headers: { authorization: 'hunter2' } },
        cause: new Error('hunter2'),
      });
      inner.fault = () => {
        throw foreign;
      };
      const error = await rejection(run(guarded));
      expect(isKeyfoldError(error, 'KMS_UNAVAILABLE')).toBe(true);
      const { message, stack, cause } = error as Error;
      expect(cause).toEqual({ name: 'TimeoutError', code: 'ECONNRESET' });
      expect([inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), message, stack].join()).not.toContain('hunter2');
    });

    test('is measured with labels from small fixed sets', async () => {
      const { inner, guarded, clock, sink } = bench();
      inner.fault = (called) => {
        clock.advance(250);
        if (called === operation) throw new Error('hunter2');
      };
      await rejection(run(guarded));
      expect(sink.measurements).toEqual([
        { name: 'heliosdb_kms_call_duration_seconds', value: 0.25, labels: { provider: 'memory', operation, outcome: 'failure' } },
      ]);
    });
  });

  test('measures calls that work, and none below zero when the clock is set back', async () => {
    const { inner, guarded, clock, sink } = bench();
    inner.fault = () => {
      clock.advance(-1_000);
    };
    await guarded.generateDataKey(CALL);
    expect(sink.measurements).toEqual([
      { name: 'heliosdb_kms_call_duration_seconds', value: 0, labels: { provider: 'memory', operation: 'generateDataKey', outcome: 'success' } },
    ]);
  });

  test("aborts the provider's signal when time is up, and when the caller aborts", async () => {
    vi.useFakeTimers();
    const { inner, guarded } = bench();
    const signals: (AbortSignal | undefined)[] = [];
    vi.spyOn(inner, 'currentKeyVersion').mockImplementation((options) => {
      signals.push(options?.signal);
      return new Promise(() => undefined);
    });
    const gate = new AbortController();
    const outcomes = [codeOf(guarded.currentKeyVersion()), codeOf(guarded.currentKeyVersion({ signal: gate.signal }))];
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false]);
    gate.abort();
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    expect(await Promise.all(outcomes)).toEqual(['KMS_UNAVAILABLE', 'ABORTED']);
  });

  test('a provider that throws instead of rejecting is mapped too, and its timer ended', async () => {
    vi.useFakeTimers();
    const { inner, guarded } = bench();
    for (const method of ['rotateKey', 'listKeyVersions'] as const) {
      vi.spyOn(inner, method).mockImplementation(() => {
        throw new TypeError('hunter2');
      });
    }
    expect(await codeOf(guarded.rotateKey())).toBe('KMS_UNAVAILABLE');
    expect(await codeOf(collect(guarded.listKeyVersions()))).toBe('KMS_UNAVAILABLE');
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, -1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])('refuses a timeout of %s ms', (timeoutMs) => {
    expect(isKeyfoldError(thrownBy(() => bench(timeoutMs)), 'CONFIG_INVALID')).toBe(true);
  });

  describe('an answer that no KMS may give', () => {
    test.each([0, 1, 31, 33, 64])('a key of %i bytes is zeroed and refused', async (length) => {
      const { inner, guarded, sink } = bench();
      const key = patterned(length);
      vi.spyOn(inner, 'decrypt').mockResolvedValue(key);
      expect(await codeOf(guarded.decrypt(WRAP, CALL))).toBe('KMS_PROTOCOL_ERROR');
      expect(key).toEqual(new Uint8Array(length));
      const dek = patterned(length);
      vi.spyOn(inner, 'generateDataKey').mockResolvedValue({ plaintext: dek, wrapped: WRAP });
      expect(await codeOf(guarded.generateDataKey(CALL))).toBe('KMS_PROTOCOL_ERROR');
      expect(dek).toEqual(new Uint8Array(length));
      expect(sink.measurements.map(({ labels }) => labels['outcome'])).toEqual(['failure', 'failure']);
    });

    test.each([{ provider: 'local' }, { keyId: 'another' }, { keyId: 'TEST-KEY' }])('a wrap named %j is refused, and the key that came with it zeroed', async (name) => {
      const { inner, guarded } = bench();
      vi.spyOn(inner, 'encrypt').mockResolvedValue({ ...WRAP, ...name });
      expect(await codeOf(guarded.encrypt(patterned(32), CALL))).toBe('KMS_PROTOCOL_ERROR');
      const plaintext = patterned(32);
      vi.spyOn(inner, 'generateDataKey').mockResolvedValue({ plaintext, wrapped: { ...WRAP, ...name } });
      expect(await codeOf(guarded.generateDataKey(CALL))).toBe('KMS_PROTOCOL_ERROR');
      expect(plaintext).toEqual(new Uint8Array(32));
    });

    test.each([undefined, null, 'a'.repeat(32), new ArrayBuffer(32), {}])('%s for a key or a wrap is refused', async (nonsense) => {
      const { inner, guarded } = bench();
      vi.spyOn(inner, 'decrypt').mockResolvedValue(nonsense as Uint8Array);
      expect(await codeOf(guarded.decrypt(WRAP, CALL))).toBe('KMS_PROTOCOL_ERROR');
      vi.spyOn(inner, 'encrypt').mockResolvedValue(nonsense as WrappedKey);
      expect(await codeOf(guarded.encrypt(patterned(32), CALL))).toBe('KMS_PROTOCOL_ERROR');
      vi.spyOn(inner, 'generateDataKey').mockResolvedValue(nonsense as Awaited<ReturnType<MemoryKms['generateDataKey']>>);
      expect(await codeOf(guarded.generateDataKey(CALL))).toBe('KMS_PROTOCOL_ERROR');
    });
  });

  describe('an answer that comes too late', () => {
    test('is dropped and its key zeroed', async () => {
      vi.useFakeTimers();
      const { inner, guarded } = bench();
      const [late, lateDek] = [deferred<Uint8Array>(), deferred<{ plaintext: Uint8Array; wrapped: WrappedKey }>()];
      vi.spyOn(inner, 'decrypt').mockReturnValue(late.promise);
      vi.spyOn(inner, 'generateDataKey').mockReturnValue(lateDek.promise);
      const outcomes = [codeOf(guarded.decrypt(WRAP, CALL)), codeOf(guarded.generateDataKey(CALL))];
      await vi.advanceTimersByTimeAsync(TIMEOUT);
      expect(await Promise.all(outcomes)).toEqual(['KMS_UNAVAILABLE', 'KMS_UNAVAILABLE']);
      const [key, dek] = [patterned(32), patterned(32)];
      late.resolve(key);
      lateDek.resolve({ plaintext: dek, wrapped: WRAP });
      await vi.advanceTimersByTimeAsync(0);
      expect([key, dek]).toEqual([new Uint8Array(32), new Uint8Array(32)]);
    });

    test('after an abort is dropped and its key zeroed', async () => {
      const { inner, guarded } = bench(60_000);
      const late = deferred<Uint8Array>();
      vi.spyOn(inner, 'decrypt').mockReturnValue(late.promise);
      const gate = new AbortController();
      const outcome = codeOf(guarded.decrypt(WRAP, { ...CALL, signal: gate.signal }));
      gate.abort();
      expect(await outcome).toBe('ABORTED');
      const key = patterned(32);
      late.resolve(key);
      await late.promise;
      await Promise.resolve();
      expect(key).toEqual(new Uint8Array(32));
    });

    test.each(OPERATIONS)('of %s is heard by somebody, whether it is an error, an answer or nonsense', async (operation, run) => {
      const reasons = await unheard(async () => {
        for (const settle of ['reject', 'resolve'] as const) {
          const { inner, guarded } = bench(1);
          const late = deferred<undefined>();
          inner.fault = () => late.promise;
          if (operation !== 'listKeyVersions') vi.spyOn(inner, operation as 'decrypt').mockImplementation(() => late.promise as unknown as Promise<Uint8Array>);
          expect(await codeOf(run(guarded))).toBe('KMS_UNAVAILABLE');
          if (settle === 'reject') late.reject(new Error('late'));
          else late.resolve(undefined);
        }
      });
      expect(reasons).toEqual([]);
    });
  });

  describe('listing key versions', () => {
    const version = (id: string): KeyVersion => ({ id, createdAt: undefined, state: 'enabled', primary: false });

    test('closes the inner iteration when broken off, and aborts its signal', async () => {
      const { inner, guarded } = bench();
      let closed = false;
      let given: AbortSignal | undefined;
      vi.spyOn(inner, 'listKeyVersions').mockImplementation(async function* (options) {
        given = options?.signal;
        try {
          for (let id = 3; ; id--) yield await Promise.resolve(version(String(id)));
        } finally {
          closed = true;
        }
      });
      for await (const { id } of guarded.listKeyVersions()) {
        expect(given?.aborted).toBe(false);
        if (id === '2') break;
      }
      expect([closed, given?.aborted]).toEqual([true, true]);
    });

    test('bounds every step: one that hangs ends the listing, though return() would hang behind it', async () => {
      const { inner, guarded } = bench();
      vi.spyOn(inner, 'listKeyVersions').mockImplementation(async function* () {
        yield version('1');
        await new Promise(() => undefined);
      });
      const seen: string[] = [];
      const run = async (): Promise<void> => {
        for await (const { id } of guarded.listKeyVersions()) seen.push(id);
      };
      expect(await codeOf(run())).toBe('KMS_UNAVAILABLE');
      expect(seen).toEqual(['1']);
    });

    test('maps what the iteration throws midway', async () => {
      const { inner, guarded } = bench();
      vi.spyOn(inner, 'listKeyVersions').mockImplementation(async function* () {
        yield await Promise.resolve(version('1'));
        throw new Error('hunter2');
      });
      expect(await codeOf(collect(guarded.listKeyVersions()))).toBe('KMS_UNAVAILABLE');
    });

    test('takes an iterator without return(), and one whose return() throws or rejects', async () => {
      const returns: (undefined | (() => Promise<IteratorResult<KeyVersion>>))[] = [
        undefined,
        () => {
          throw new Error('hunter2');
        },
        () => Promise.reject(new Error('hunter2')),
      ];
      const reasons = await unheard(async () => {
        for (const close of returns) {
          const { inner, guarded } = bench();
          vi.spyOn(inner, 'listKeyVersions').mockReturnValue({
            [Symbol.asyncIterator]: () => ({
              next: () => Promise.resolve({ done: false, value: version('1') }),
              ...(close && { return: close }),
            }),
          });
          for await (const { id } of guarded.listKeyVersions()) {
            expect(id).toBe('1');
            break;
          }
        }
      });
      expect(reasons).toEqual([]);
    });
  });

  describe('testing the connection', () => {
    test('reports a KMS that hangs or fails instead of rejecting', async () => {
      const { inner, guarded } = bench(5);
      inner.fault = () => new Promise<void>(() => undefined);
      expect(await guarded.testConnection()).toMatchObject({ reachable: false, roundTrip: false, problem: { code: 'KMS_UNAVAILABLE' } });
      inner.fault = () => {
        throw new Error('hunter2');
      };
      const health = await guarded.testConnection();
      expect(health.problem?.code).toBe('KMS_UNAVAILABLE');
      expect(JSON.stringify(health)).not.toContain('hunter2');
    });

    test('rejects when its caller aborts', async () => {
      const { guarded } = bench();
      expect(await codeOf(guarded.testConnection({ signal: AbortSignal.abort() }))).toBe('ABORTED');
    });
  });
});
