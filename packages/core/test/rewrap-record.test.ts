import { describe, expect, test, vi } from 'vitest';
import { KeyfoldError } from '../src/errors.ts';
import { wrapContext } from '../src/format/context.ts';
import { type WrappedKey, parseKeyRecord } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import type { KeyRecordStore, StoredKeyRecord } from '../src/ports/key-record-store.ts';
import type { KmsClient } from '../src/ports/kms-client.ts';
import { type RewrapOptions, type RewrapResult, rewrapRecord } from '../src/rotation/rewrap-record.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { MemoryKeyRecordStore } from '../src/testing/memory-key-record-store.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, type Sealed, codeOf, open, rejection, resigned, seal } from './support/checkpoints.ts';
import { same } from './support/reference.ts';

const KEY = 'job-7/chk-42.kfk';
const PLAINTEXT = patterned(500);

interface Bench {
  readonly kms: LeakyKms;
  readonly records: MemoryKeyRecordStore;
  readonly sealed: Sealed;
  readonly options: RewrapOptions;
  /** The record as it stands now. */
  readonly stored: () => Promise<Uint8Array>;
  /** Whether the record as it stands now opens the data, by these keys and past every cache. */
  readonly opens: (kms?: KmsClient | readonly KmsClient[]) => Promise<boolean>;
}

async function bench(change: Partial<RewrapOptions> = {}, kms = new LeakyKms()): Promise<Bench> {
  const records = new MemoryKeyRecordStore();
  const sealed = await seal(kms, PLAINTEXT, { metadata: { job: 'j' } });
  await records.create(KEY, Buffer.concat([sealed.record, sealed.data]));
  const stored = async (): Promise<Uint8Array> => (await records.get(KEY))?.bytes ?? new Uint8Array(0);
  return {
    kms,
    records,
    sealed,
    stored,
    options: { records, key: KEY, identity: IDENTITY, policy: keyPolicy([kms]), target: kms, cache: new KeyCache(), ...change },
    opens: async (by = kms) => {
      const bytes = await stored();
      return same(await open(bytes, parseKeyRecord(bytes).rest, { kms: by }), PLAINTEXT);
    },
  };
}

function versions(bytes: Uint8Array): string[] {
  return parseKeyRecord(bytes).record.wraps.map((wrap) => `${wrap.keyId}/${wrap.keyVersion}`);
}

async function wrapFor(sealed: Sealed, kms: MemoryKms, key = sealed.dekBytes): Promise<WrappedKey> {
  const { dekId } = parseKeyRecord(sealed.record).record;
  return kms.encrypt(key, { context: wrapContext('checkpoint', IDENTITY.tenant, IDENTITY.checkpoint, dekId) });
}

/** Replaces the stored record by one with other wraps, signed with its DEK. */
async function store({ records, sealed }: Bench, wraps: readonly WrappedKey[]): Promise<void> {
  const before = await records.get(KEY);
  const record = resigned(sealed, (parsed) => ({ ...parsed, wraps }));
  await records.compareAndSwap(KEY, before?.version ?? '', Buffer.concat([record, sealed.data]));
}

/** Counts every operation of store and KMS, and crashes before or after one of them. */
class Crashes {
  readonly log: string[] = [];
  #at: string | undefined;

  arm(at: string): void {
    this.#at = at;
  }

  async around<T>(operation: string, run: () => Promise<T>): Promise<T> {
    this.log.push(operation);
    this.#strike(`before ${this.log.length}`);
    const result = await run();
    this.#strike(`after ${this.log.length}`);
    return result;
  }

  #strike(point: string): void {
    if (point === this.#at) throw new Error(`crash ${point}`);
  }
}

class CrashingStore implements KeyRecordStore {
  readonly #inner: KeyRecordStore;
  readonly #crashes: Crashes;

  constructor(inner: KeyRecordStore, crashes: Crashes) {
    this.#inner = inner;
    this.#crashes = crashes;
  }

  get(...call: Parameters<KeyRecordStore['get']>): Promise<StoredKeyRecord | undefined> {
    return this.#crashes.around('get', () => this.#inner.get(...call));
  }

  list(...call: Parameters<KeyRecordStore['list']>): AsyncIterable<string> {
    return this.#inner.list(...call);
  }

  create(...call: Parameters<KeyRecordStore['create']>): Promise<void> {
    return this.#crashes.around('create', () => this.#inner.create(...call));
  }

  compareAndSwap(...call: Parameters<KeyRecordStore['compareAndSwap']>): Promise<void> {
    return this.#crashes.around('compareAndSwap', () => this.#inner.compareAndSwap(...call));
  }

  delete(...call: Parameters<KeyRecordStore['delete']>): Promise<void> {
    return this.#crashes.around('delete', () => this.#inner.delete(...call));
  }
}

/** Lets the KMS's calls of a rewrap crash as the store's do. */
function crashing(kms: LeakyKms, crashes: Crashes): void {
  const [encrypt, decrypt, current] = [kms.encrypt.bind(kms), kms.decrypt.bind(kms), kms.currentKeyVersion.bind(kms)];
  vi.spyOn(kms, 'encrypt').mockImplementation((...call) => crashes.around('encrypt', () => encrypt(...call)));
  vi.spyOn(kms, 'decrypt').mockImplementation((...call) => crashes.around('decrypt', () => decrypt(...call)));
  vi.spyOn(kms, 'currentKeyVersion').mockImplementation((...call) => crashes.around('currentKeyVersion', () => current(...call)));
}

describe('a rewrap', () => {
  test('after a rotation moves the record to the new version and changes nothing else', async () => {
    const { kms, options, sealed, stored, opens } = await bench();
    const before = parseKeyRecord(sealed.record).record;
    await kms.rotateKey();
    const result = await rewrapRecord(options);
    const { record, rest } = parseKeyRecord(await stored());
    expect(result).toEqual({
      outcome: 'rewrapped',
      generation: before.generation + 2,
      dekId: before.dekId,
      removed: [{ provider: 'memory', keyId: 'test-key', keyVersion: '1', algorithm: 'memory-wrap-v1' }],
      wrap: { provider: 'memory', keyId: 'test-key', keyVersion: '2', algorithm: 'memory-wrap-v1' },
    } satisfies RewrapResult);
    expect(versions(await stored())).toEqual(['test-key/2']);
    expect({ ...record, wraps: [] }).toEqual({ ...before, generation: before.generation + 2, wraps: [] });
    expect(record.sealedMetadata).toEqual(before.sealedMetadata);
    expect(same(rest, sealed.data)).toBe(true);
    expect(await opens()).toBe(true);
  });

  test('leaves a record alone that is there already, after asking the KMS whether it opens', async () => {
    const { kms, options, stored } = await bench();
    const before = await stored();
    const result = await rewrapRecord(options);
    expect(result).toMatchObject({ outcome: 'unchanged', generation: 1, removed: [], wrap: { keyVersion: '1' } });
    expect(same(await stored(), before)).toBe(true);
    expect(kms.calls.get('encrypt')).toBeUndefined();
    expect(kms.calls.get('decrypt')).toBe(2);
  });

  test('asks the KMS even when the key is cached', async () => {
    const { kms, options } = await bench();
    await rewrapRecord(options);
    await rewrapRecord(options);
    expect(kms.calls.get('decrypt')).toBe(3);
  });

  test('makes readers ask the KMS again for a record that is put back with its old wrap', async () => {
    const { kms, options, sealed } = await bench();
    await kms.rotateKey();
    await rewrapRecord(options);
    expect(options.cache.size).toBe(0);
    kms.calls.clear();
    await open(sealed.record, sealed.data, { kms, cache: options.cache });
    expect(kms.calls.get('decrypt')).toBe(1);
  });

  test('run again changes nothing', async () => {
    const { kms, options, stored } = await bench();
    await kms.rotateKey();
    await rewrapRecord(options);
    const after = await stored();
    expect(await rewrapRecord(options)).toMatchObject({ outcome: 'unchanged', generation: 3 });
    expect(same(await stored(), after)).toBe(true);
  });

  test('believes a primary version that the caller knows already', async () => {
    const { kms, options, stored } = await bench();
    const targetVersion = await kms.rotateKey();
    expect(await rewrapRecord({ ...options, targetVersion })).toMatchObject({ outcome: 'rewrapped' });
    expect(kms.calls.get('currentKeyVersion')).toBeUndefined();
    expect(versions(await stored())).toEqual(['test-key/2']);
  });

  test('moves a record to another KMS, after which the old one is not needed', async () => {
    const target = new MemoryKms('new');
    const { kms, options, opens, stored } = await bench();
    const result = await rewrapRecord({ ...options, policy: keyPolicy([kms, target]), target });
    expect(result.removed.map(({ keyId }) => keyId)).toEqual(['test-key']);
    expect(versions(await stored())).toEqual(['new/1']);
    expect(await opens(target)).toBe(true);
    expect(await codeOf(opens(kms))).toBe('KEY_NOT_ALLOWED');
  });

  test('keeps wraps by keys outside the policy, and their order', async () => {
    const target = new MemoryKms('new');
    const foreign = new MemoryKms('escrow');
    const made = await bench();
    const { kms, options, sealed, stored, opens } = made;
    await store(made, [await wrapFor(sealed, foreign), ...parseKeyRecord(sealed.record).record.wraps]);
    foreign.calls.clear();
    await rewrapRecord({ ...options, policy: keyPolicy([kms, target]), target });
    expect(versions(await stored())).toEqual(['escrow/1', 'new/1']);
    expect(foreign.calls.size).toBe(0);
    expect(await opens(foreign)).toBe(true);
  });

  test('takes the old wraps away where an earlier run left both', async () => {
    const made = await bench();
    const { kms, options, sealed, stored, opens } = made;
    await kms.rotateKey();
    await store(made, [...parseKeyRecord(sealed.record).record.wraps, await wrapFor(sealed, kms)]);
    const result = await rewrapRecord(options);
    expect(result).toMatchObject({ outcome: 'rewrapped', generation: 2, removed: [{ keyVersion: '1' }] });
    expect(versions(await stored())).toEqual(['test-key/2']);
    expect(await opens()).toBe(true);
  });

  test('replaces the wrap where the KMS wraps again under a version that is there', async () => {
    const { kms, options, stored, opens } = await bench();
    // A version that the KMS names and does not use: as after a rotation that others see late.
    const targetVersion = { ...(await kms.currentKeyVersion()), id: '2' };
    const result = await rewrapRecord({ ...options, targetVersion });
    expect(result).toMatchObject({ outcome: 'rewrapped', generation: 2, removed: [], wrap: { keyVersion: '1' } });
    expect(versions(await stored())).toEqual(['test-key/1']);
    expect(await opens()).toBe(true);
  });

  test('wraps anew, each time, by a KMS that does not tell its versions', async () => {
    const kms = new LeakyKms();
    const [generate, encrypt, decrypt, current] = [kms.generateDataKey.bind(kms), kms.encrypt.bind(kms), kms.decrypt.bind(kms), kms.currentKeyVersion.bind(kms)];
    vi.spyOn(kms, 'generateDataKey').mockImplementation(async (...call) => {
      const made = await generate(...call);
      return { ...made, wrapped: { ...made.wrapped, keyVersion: '' } };
    });
    vi.spyOn(kms, 'encrypt').mockImplementation(async (...call) => ({ ...(await encrypt(...call)), keyVersion: '' }));
    vi.spyOn(kms, 'decrypt').mockImplementation((wrapped, options) => decrypt({ ...wrapped, keyVersion: '1' }, options));
    vi.spyOn(kms, 'currentKeyVersion').mockImplementation(async (...call) => ({ ...(await current(...call)), id: '' }));
    const { options, stored, opens, sealed } = await bench({}, kms);
    const before = parseKeyRecord(sealed.record).record.wraps;
    for (const generation of [2, 3]) {
      expect(await rewrapRecord(options)).toMatchObject({ outcome: 'rewrapped', generation, removed: [], wrap: { keyVersion: '' } });
      expect(versions(await stored())).toEqual(['test-key/']);
      expect(await opens()).toBe(true);
    }
    expect(parseKeyRecord(await stored()).record.wraps).not.toEqual(before);
  });

  test('releases the key on every way out', async () => {
    const { kms, options } = await bench();
    await kms.rotateKey();
    const cache = new KeyCache({ maxEntries: 0 });
    const acquire = vi.spyOn(cache, 'acquire');
    await rewrapRecord({ ...options, cache });
    kms.fault = (operation) => {
      if (operation === 'currentKeyVersion') throw new KeyfoldError('ACCESS_DENIED', 'Injected.');
    };
    expect(await codeOf(rewrapRecord({ ...options, cache }))).toBe('ACCESS_DENIED');
    const leases = await Promise.all(acquire.mock.results.map(({ value }) => value as ReturnType<KeyCache['acquire']>));
    expect(leases.map((lease) => lease.key.disposed)).toEqual([true, true]);
  });

  test('leaves no copy of the DEK that it had unwrapped to compare', async () => {
    const { kms, options } = await bench();
    await kms.rotateKey();
    const decrypt = vi.spyOn(kms, 'decrypt');
    options.cache.close();
    const cache = new KeyCache({ maxEntries: 0 });
    await rewrapRecord({ ...options, cache });
    const keys = await Promise.all(decrypt.mock.results.map(({ value }) => value as Promise<Uint8Array>));
    expect(keys).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});

describe('a rewrap is refused', () => {
  test('where there is no record, and creates none', async () => {
    const { options, records } = await bench();
    expect(await codeOf(rewrapRecord({ ...options, key: 'absent' }))).toBe('NOT_FOUND');
    expect(await records.get('absent')).toBeUndefined();
  });

  test('to a target that the policy would not open', async () => {
    const { options, stored, kms } = await bench();
    const before = await stored();
    const target = new MemoryKms('elsewhere');
    expect(await codeOf(rewrapRecord({ ...options, target }))).toBe('INVALID_ARGUMENT');
    expect([same(await stored(), before), target.calls.size, kms.calls.get('decrypt')]).toEqual([true, 0, undefined]);
  });

  test('for a record by keys outside the policy, which are not contacted', async () => {
    const { options, kms } = await bench();
    const other = new MemoryKms('other');
    kms.calls.clear();
    expect(await codeOf(rewrapRecord({ ...options, policy: keyPolicy([other]), target: other }))).toBe('KEY_NOT_ALLOWED');
    expect([kms.calls.size, other.calls.size]).toEqual([0, 0]);
  });

  test('for a record that does not authenticate, or is of another tenant or checkpoint', async () => {
    const { options, records, sealed, kms } = await bench();
    await kms.rotateKey();
    for (const identity of [{ ...IDENTITY, tenant: 'other' }, { ...IDENTITY, checkpoint: 'other' }]) {
      expect(await codeOf(rewrapRecord({ ...options, identity }))).toBe('INTEGRITY_FAILURE');
    }
    const damaged = flipBit(sealed.record, 55 * 8);
    await records.create('damaged', damaged);
    expect(await codeOf(rewrapRecord({ ...options, key: 'damaged' }))).toBe('INTEGRITY_FAILURE');
    expect(same((await records.get('damaged'))?.bytes ?? new Uint8Array(0), damaged)).toBe(true);
    expect(kms.calls.get('encrypt')).toBeUndefined();
  });

  test('for a record that is full', async () => {
    const made = await bench();
    const { kms, options, sealed, stored } = made;
    const wraps = await Promise.all(Array.from({ length: 15 }, (_, index) => wrapFor(sealed, new MemoryKms(`escrow-${index}`))));
    await store(made, [...parseKeyRecord(sealed.record).record.wraps, ...wraps]);
    const before = await stored();
    await kms.rotateKey();
    expect(await codeOf(rewrapRecord(options))).toBe('LIMIT_EXCEEDED');
    expect(same(await stored(), before)).toBe(true);
  });

  test.each(['provider', 'keyId'] as const)('when the KMS names another %s than its own in the wrap', async (field) => {
    const { kms, options, stored } = await bench();
    const before = await stored();
    await kms.rotateKey();
    const encrypt = kms.encrypt.bind(kms);
    vi.spyOn(kms, 'encrypt').mockImplementation(async (...call) => ({ ...(await encrypt(...call)), [field]: 'another' }));
    expect(await codeOf(rewrapRecord(options))).toBe('KMS_PROTOCOL_ERROR');
    expect(same(await stored(), before)).toBe(true);
  });
});

describe('a KMS that wraps wrongly never reaches the record', () => {
  test.each([
    ['the wrap of another key', (sealed: Sealed, kms: MemoryKms) => wrapFor(sealed, kms, patterned(32)), 'INTEGRITY_FAILURE'],
    ['the wrap of a key of another length', (sealed: Sealed, kms: MemoryKms) => wrapFor(sealed, kms, patterned(16)), 'INTEGRITY_FAILURE'],
    ['a wrap of zeros', (sealed: Sealed, kms: MemoryKms) => wrapFor(sealed, kms, new Uint8Array(32)), 'INTEGRITY_FAILURE'],
    ['a wrap under another context', (sealed: Sealed, kms: MemoryKms) => kms.encrypt(sealed.dekBytes, { context: { purpose: 'wrap' } }), 'INVALID_CIPHERTEXT'],
    ['a wrap that it cannot open', async (sealed: Sealed, kms: MemoryKms) => ({ ...(await wrapFor(sealed, kms)), ciphertext: patterned(104) }), 'INVALID_CIPHERTEXT'],
  ] as const)('%s', async (_, lie, code) => {
    const { kms, options, sealed, stored, records } = await bench();
    const before = await stored();
    await kms.rotateKey();
    const wrong = await lie(sealed, kms);
    vi.spyOn(kms, 'encrypt').mockResolvedValue(wrong);
    const swap = vi.spyOn(records, 'compareAndSwap');
    expect(await codeOf(rewrapRecord(options))).toBe(code);
    expect(swap).not.toHaveBeenCalled();
    expect(same(await stored(), before)).toBe(true);
  });

  test('and a wrap that is there already and does not give the key keeps the others from being removed', async () => {
    const made = await bench();
    const { kms, options, sealed, stored } = made;
    await kms.rotateKey();
    await store(made, [...parseKeyRecord(sealed.record).record.wraps, await wrapFor(sealed, kms, patterned(32))]);
    const before = await stored();
    expect(await codeOf(rewrapRecord(options))).toBe('INTEGRITY_FAILURE');
    expect(same(await stored(), before)).toBe(true);
  });
});

describe('a crash during a rewrap', () => {
  const STEPS = ['get', 'decrypt', 'currentKeyVersion', 'encrypt', 'decrypt', 'compareAndSwap', 'get', 'compareAndSwap'];

  test('can happen at these steps', async () => {
    const { kms, records, options } = await bench();
    await kms.rotateKey();
    const crashes = new Crashes();
    crashing(kms, crashes);
    await rewrapRecord({ ...options, records: new CrashingStore(records, crashes) });
    expect(crashes.log).toEqual(STEPS);
  });

  const points = STEPS.flatMap((step, index) => (['before', 'after'] as const).map((when) => [when, step, index + 1] as const));
  test.each(points)('%s %s (step %i) leaves a record that opens, and a rerun completes', async (when, _, step) => {
    const { kms, records, options, stored, opens, sealed } = await bench();
    await kms.rotateKey();
    const crashes = new Crashes();
    crashes.arm(`${when} ${step}`);
    crashing(kms, crashes);
    const crash = await rejection(rewrapRecord({ ...options, records: new CrashingStore(records, crashes) }));
    expect(String(crash)).toContain('crash');
    vi.restoreAllMocks();
    expect(await opens()).toBe(true);
    await rewrapRecord({ ...options, cache: new KeyCache() });
    expect(versions(await stored())).toEqual(['test-key/2']);
    expect(await opens()).toBe(true);
    expect(same(parseKeyRecord(await stored()).rest, sealed.data)).toBe(true);
  });
});

describe('a rewrap beside other writers', () => {
  test('of two at once one wins, the other conflicts or finds it done, and the record opens', async () => {
    const { kms, options, stored, opens } = await bench();
    await kms.rotateKey();
    const outcomes = await Promise.allSettled([1, 2].map(() => rewrapRecord({ ...options, cache: new KeyCache() })));
    const told = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.outcome : (outcome.reason as KeyfoldError).code));
    expect(told).toContain('rewrapped');
    expect(told.filter((one) => !['rewrapped', 'unchanged', 'CONFLICT'].includes(one))).toEqual([]);
    expect(told).not.toEqual(['rewrapped', 'rewrapped']);
    expect(await opens()).toBe(true);
    await rewrapRecord(options);
    expect(versions(await stored())).toEqual(['test-key/2']);
  });

  test('of many at once, at whatever pace, the record always opens and ends at the new version', async () => {
    for (let pace = 0; pace < 8; pace++) {
      const { kms, options, stored, opens } = await bench();
      await kms.rotateKey();
      const started = [0, 1, 2].map(async (index) => {
        for (let turn = 0; turn < index * pace; turn++) await Promise.resolve();
        return rewrapRecord({ ...options, cache: new KeyCache() });
      });
      for (const outcome of await Promise.allSettled(started)) {
        if (outcome.status === 'rejected') expect((outcome.reason as KeyfoldError).code).toBe('CONFLICT');
      }
      expect(await opens()).toBe(true);
      await rewrapRecord(options);
      expect(versions(await stored())).toEqual(['test-key/2']);
    }
  });

  const deletions = ['before 1', 'before 4', 'before 6', 'before 7', 'before 8'];
  test.each(deletions)('a record that is deleted %s stays deleted', async (point) => {
    const { kms, records, options } = await bench();
    await kms.rotateKey();
    const steps = new Crashes();
    const strike = vi.spyOn(steps, 'around').mockImplementation(async (operation, run) => {
      steps.log.push(operation);
      if (point === `before ${steps.log.length}`) {
        const current = await records.get(KEY);
        await records.delete(KEY, current?.version ?? '');
      }
      return run();
    });
    crashing(kms, steps);
    const code = await codeOf(rewrapRecord({ ...options, records: new CrashingStore(records, steps) }));
    expect(code).toBe(point === 'before 1' ? 'NOT_FOUND' : 'CONFLICT');
    expect(strike).toHaveBeenCalled();
    expect(await records.get(KEY)).toBeUndefined();
  });

  test('a record that reads back otherwise than it was written is a conflict, and keeps its old wrap', async () => {
    const { kms, records, options, stored, opens } = await bench();
    await kms.rotateKey();
    const get = records.get.bind(records);
    const swap = vi.spyOn(records, 'compareAndSwap');
    vi.spyOn(records, 'get').mockImplementation(async (...call) => {
      const found = await get(...call);
      if (swap.mock.calls.length === 0 || found === undefined) return found;
      const bytes = Uint8Array.from(found.bytes);
      bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return { ...found, bytes };
    });
    expect(await codeOf(rewrapRecord(options))).toBe('CONFLICT');
    expect(swap).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
    expect(versions(await stored())).toEqual(['test-key/1', 'test-key/2']);
    expect(await opens()).toBe(true);
  });

  test('a record that another writer replaced is left as that writer left it', async () => {
    const made = await bench();
    const { kms, options, sealed, stored, records } = made;
    await kms.rotateKey();
    const encrypt = kms.encrypt.bind(kms);
    vi.spyOn(kms, 'encrypt').mockImplementation(async (...call) => {
      const wrap = await encrypt(...call);
      vi.restoreAllMocks();
      await store(made, [await wrapFor(sealed, kms)]);
      return wrap;
    });
    expect(await codeOf(rewrapRecord({ ...options, records }))).toBe('CONFLICT');
    expect(parseKeyRecord(await stored()).record.generation).toBe(1);
    expect(versions(await stored())).toEqual(['test-key/2']);
  });

  test('an abort between its writes leaves a record that opens', async () => {
    const { kms, records, options, opens, stored } = await bench();
    await kms.rotateKey();
    const gate = new AbortController();
    const swap = records.compareAndSwap.bind(records);
    vi.spyOn(records, 'compareAndSwap').mockImplementation(async (...call) => {
      await swap(...call);
      gate.abort();
    });
    expect(await codeOf(rewrapRecord({ ...options, signal: gate.signal }))).toBe('ABORTED');
    vi.restoreAllMocks();
    expect(await opens()).toBe(true);
    await rewrapRecord(options);
    expect(versions(await stored())).toEqual(['test-key/2']);
  });
});
