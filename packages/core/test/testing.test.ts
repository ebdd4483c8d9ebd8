import { describe, expect, test } from 'vitest';
import { KeyfoldError } from '../src/errors.ts';
import { ManualClock, MemoryKeyRecordStore, MemoryKms, RecordingAuditSink, RecordingMetricsSink } from '../src/testing.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { codeOf, collect } from './support/checkpoints.ts';

const CONTEXT = { purpose: 'wrap', use: 'checkpoint', tenant: 't', scope: 's', dek: '00'.repeat(16) };
const CALL = { context: CONTEXT };

describe('MemoryKms', () => {
  test('gives back what it wrapped, under the same context alone', async () => {
    const kms = new MemoryKms();
    const { plaintext, wrapped } = await kms.generateDataKey(CALL);
    expect(plaintext.byteLength).toBe(32);
    expect(await kms.decrypt(wrapped, CALL)).toEqual(plaintext);
    expect(await kms.decrypt(await kms.encrypt(patterned(64), CALL), CALL)).toEqual(patterned(64));
    expect(await codeOf(kms.decrypt(wrapped, { context: { ...CONTEXT, tenant: 'u' } }))).toBe('INVALID_CIPHERTEXT');
    expect(await codeOf(kms.decrypt({ ...wrapped, ciphertext: flipBit(wrapped.ciphertext, 700) }, CALL))).toBe('INVALID_CIPHERTEXT');
  });

  test('really wraps: the key is not in the wrap', async () => {
    const { plaintext, wrapped } = await new MemoryKms().generateDataKey(CALL);
    expect(Buffer.from(wrapped.ciphertext).includes(Buffer.from(plaintext))).toBe(false);
  });

  test('keeps apart two instances of one name', async () => {
    const { wrapped } = await new MemoryKms('k').generateDataKey(CALL);
    expect(await codeOf(new MemoryKms('k').decrypt(wrapped, CALL))).toBe('INVALID_CIPHERTEXT');
  });

  test('rotates: new wraps use the new version, old ones still open', async () => {
    const kms = new MemoryKms();
    const old = await kms.generateDataKey(CALL);
    expect(await kms.rotateKey()).toMatchObject({ id: '2', primary: true, state: 'enabled' });
    expect((await kms.generateDataKey(CALL)).wrapped.keyVersion).toBe('2');
    expect((await kms.currentKeyVersion()).id).toBe('2');
    expect((await collect(kms.listKeyVersions())).map(({ id, primary }) => [id, primary])).toEqual([['2', true], ['1', false]]);
    expect(await kms.decrypt(old.wrapped, CALL)).toEqual(old.plaintext);
  });

  test.each([{ keyId: 'other' }, { provider: 'local' }, { keyVersion: '2' }, { keyVersion: '0' }, { keyVersion: '' }, { keyVersion: '01' }, { keyVersion: ' 1' }, { keyVersion: '1e0' }])(
    'knows no key named %j',
    async (name) => {
      const kms = new MemoryKms();
      const { wrapped } = await kms.generateDataKey(CALL);
      expect(await codeOf(kms.decrypt({ ...wrapped, ...name }, CALL))).toBe('KEY_NOT_FOUND');
    },
  );

  test('counts calls and fails when told to', async () => {
    const kms = new MemoryKms();
    await kms.testConnection();
    kms.fault = (operation) => {
      if (operation === 'rotateKey') throw new KeyfoldError('ROTATION_LIMIT', 'Injected.');
    };
    expect(await codeOf(kms.rotateKey())).toBe('ROTATION_LIMIT');
    await kms.currentKeyVersion();
    expect(Object.fromEntries(kms.calls)).toEqual({ testConnection: 1, rotateKey: 1, currentKeyVersion: 1 });
    expect((await kms.currentKeyVersion()).id).toBe('1');
  });

  test('refuses callers who have aborted, without counting them', async () => {
    const kms = new MemoryKms();
    const signal = AbortSignal.abort();
    for (const run of [kms.generateDataKey({ ...CALL, signal }), kms.rotateKey({ signal }), kms.testConnection({ signal }), collect(kms.listKeyVersions({ signal }))]) {
      expect(await codeOf(run)).toBe('ABORTED');
    }
    expect(kms.calls.size).toBe(0);
  });

  test('says that it is healthy and what it can do, and closes', async () => {
    const kms = new MemoryKms();
    expect(await kms.testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
    expect(kms.capabilities).toEqual({ authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true });
    await expect(kms.close()).resolves.toBeUndefined();
  });
});

describe('a MemoryKms that fails or is closed', () => {
  test.each([
    ['KMS_UNAVAILABLE', { reachable: false, permitted: false, keyEnabled: false }],
    ['ACCESS_DENIED', { reachable: true, permitted: false, keyEnabled: false }],
    ['KEY_DISABLED', { reachable: true, permitted: true, keyEnabled: false }],
    ['KMS_THROTTLED', { reachable: true, permitted: true, keyEnabled: true }],
  ] as const)('reports %s from testConnection()', async (code, flags) => {
    const kms = new MemoryKms();
    kms.fault = () => {
      throw new KeyfoldError(code, 'Injected.');
    };
    expect(await kms.testConnection()).toEqual({ ...flags, roundTrip: false, problem: { code, message: 'Injected.' } });
  });

  test('hands on what is no Keyfold error', async () => {
    const kms = new MemoryKms();
    const failure = new TypeError('a fault of the test');
    kms.fault = () => {
      throw failure;
    };
    await expect(kms.testConnection()).rejects.toBe(failure);
  });

  test('gives faults the signal of the caller', async () => {
    const kms = new MemoryKms();
    const { signal } = new AbortController();
    const seen: unknown[] = [];
    kms.fault = (operation, given) => void seen.push(operation, given);
    await kms.generateDataKey({ ...CALL, signal });
    expect(seen).toEqual(['generateDataKey', signal]);
  });

  test('answers nothing once it is closed', async () => {
    const kms = new MemoryKms();
    const { wrapped } = await kms.generateDataKey(CALL);
    await kms.close();
    await kms.close();
    for (const run of [kms.encrypt(patterned(32), CALL), kms.decrypt(wrapped, CALL), kms.generateDataKey(CALL), kms.currentKeyVersion(), collect(kms.listKeyVersions()), kms.rotateKey(), kms.testConnection()]) {
      expect(await codeOf(run)).toBe('CLOSED');
    }
  });

  test.each([0, 65])('wraps no key of %i bytes', async (bytes) => {
    expect(await codeOf(new MemoryKms().encrypt(new Uint8Array(bytes), CALL))).toBe('INVALID_ARGUMENT');
  });

  test('asks nobody about the wrap of another key, and refuses another algorithm', async () => {
    const kms = new MemoryKms();
    const { wrapped } = await kms.generateDataKey(CALL);
    expect(await codeOf(kms.decrypt({ ...wrapped, keyId: 'other' }, CALL))).toBe('KEY_NOT_FOUND');
    expect(kms.calls.get('decrypt')).toBeUndefined();
    expect(await codeOf(kms.decrypt({ ...wrapped, algorithm: 'other' }, CALL))).toBe('INVALID_CIPHERTEXT');
  });
});

describe('MemoryKeyRecordStore', () => {
  test('keeps bytes of its own', async () => {
    const store = new MemoryKeyRecordStore();
    const bytes = Uint8Array.of(1, 2);
    await store.create('a', bytes);
    bytes.fill(0);
    const first = await store.get('a');
    expect(first?.bytes).toEqual(Uint8Array.of(1, 2));
    first?.bytes.fill(0);
    expect((await store.get('a'))?.bytes).toEqual(Uint8Array.of(1, 2));
    expect(await store.get('b')).toBeUndefined();
  });

  test('creates once', async () => {
    const store = new MemoryKeyRecordStore();
    await store.create('a', Uint8Array.of(1));
    expect(await codeOf(store.create('a', Uint8Array.of(2)))).toBe('ALREADY_EXISTS');
    expect((await store.get('a'))?.bytes).toEqual(Uint8Array.of(1));
  });

  test('replaces and deletes in exactly the version that is named, and never creates', async () => {
    const store = new MemoryKeyRecordStore();
    expect(await codeOf(store.compareAndSwap('a', '1', Uint8Array.of(1)))).toBe('CONFLICT');
    expect(await codeOf(store.delete('a', '1'))).toBe('CONFLICT');
    await store.create('a', Uint8Array.of(1));
    const old = (await store.get('a'))?.version ?? '';
    await store.compareAndSwap('a', old, Uint8Array.of(2));
    expect(await codeOf(store.compareAndSwap('a', old, Uint8Array.of(3)))).toBe('CONFLICT');
    expect(await codeOf(store.delete('a', old))).toBe('CONFLICT');
    const current = await store.get('a');
    expect(current?.bytes).toEqual(Uint8Array.of(2));
    await store.delete('a', current?.version ?? '');
    expect(await store.get('a')).toBeUndefined();
  });

  test('gives a record that is made anew another version than it had before', async () => {
    const store = new MemoryKeyRecordStore();
    await store.create('a', Uint8Array.of(1));
    const old = (await store.get('a'))?.version ?? '';
    await store.delete('a', old);
    await store.create('a', Uint8Array.of(1));
    expect(await codeOf(store.compareAndSwap('a', old, Uint8Array.of(2)))).toBe('CONFLICT');
  });

  test('lets one of two writers win', async () => {
    const store = new MemoryKeyRecordStore();
    await store.create('a', Uint8Array.of(1));
    const version = (await store.get('a'))?.version ?? '';
    const outcomes = await Promise.allSettled([store.compareAndSwap('a', version, Uint8Array.of(2)), store.delete('a', version)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('lists keys by prefix', async () => {
    const store = new MemoryKeyRecordStore();
    for (const key of ['b/2', 'a/1', 'b/1']) await store.create(key, Uint8Array.of(1));
    expect(await collect(store.list())).toEqual(['a/1', 'b/1', 'b/2']);
    expect(await collect(store.list({ prefix: 'b/' }))).toEqual(['b/1', 'b/2']);
  });

  test('refuses callers who have aborted, and changes nothing', async () => {
    const store = new MemoryKeyRecordStore();
    await store.create('a', Uint8Array.of(1));
    const { version } = (await store.get('a')) ?? { version: '' };
    const options = { signal: AbortSignal.abort() };
    const runs = [
      store.get('a', options),
      store.create('b', Uint8Array.of(1), options),
      store.compareAndSwap('a', version, Uint8Array.of(2), options),
      store.delete('a', version, options),
      collect(store.list(options)),
    ];
    expect(await Promise.all(runs.map(codeOf))).toEqual(Array(5).fill('ABORTED'));
    expect(await collect(store.list())).toEqual(['a']);
    expect((await store.get('a'))?.bytes).toEqual(Uint8Array.of(1));
  });
});

describe('ManualClock', () => {
  test('stands still until it is moved', () => {
    const clock = new ManualClock(5);
    expect([clock.now(), clock.now()]).toEqual([5, 5]);
    clock.advance(10);
    clock.advance(-3);
    expect(clock.now()).toBe(12);
    expect(new ManualClock().now()).toBe(1_700_000_000_000);
  });

  test('lets timers go off when it is moved, in their order, and never before', () => {
    const clock = new ManualClock();
    const off: string[] = [];
    clock.after(20, () => off.push('second'));
    clock.after(10, () => off.push('first'));
    clock.after(31, () => off.push('third'));
    expect(clock.timers).toEqual([10, 20, 31]);
    clock.advance(-100);
    clock.advance(9);
    expect([off, clock.timers]).toEqual([[], [1, 11, 22]]);
    clock.advance(21);
    expect([off, clock.timers]).toEqual([['first', 'second'], [1]]);
  });

  test('lets no timer go off that was cancelled, even by one of the same moment', () => {
    const clock = new ManualClock();
    const off: string[] = [];
    clock.after(10, () => {
      off.push('first');
      cancel();
    });
    const cancel = clock.after(10, () => off.push('second'));
    clock.advance(10);
    expect([off, clock.timers]).toEqual([['first'], []]);
  });
});

describe('the recording sinks', () => {
  test('keep what they are given, in order', () => {
    const [audit, metrics] = [new RecordingAuditSink(), new RecordingMetricsSink()];
    const event = { time: 1, action: 'key.rotate', outcome: 'success', tenant: 't', scope: 's' } as const;
    audit.record(event);
    metrics.increment('a_total', { l: 'v' });
    metrics.increment('a_total', {}, 5);
    metrics.observe('b_seconds', 0.5, {});
    expect(audit.events).toEqual([event]);
    expect(metrics.measurements).toEqual([
      { name: 'a_total', value: 1, labels: { l: 'v' } },
      { name: 'a_total', value: 5, labels: {} },
      { name: 'b_seconds', value: 0.5, labels: {} },
    ]);
  });
});
