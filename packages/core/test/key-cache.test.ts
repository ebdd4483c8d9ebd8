import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretBytes } from '../src/crypto/secret-bytes.ts';
import { KeyfoldError, isKeyfoldError } from '../src/errors.ts';
import { KeyCache, type KeyLease, keyIdentity } from '../src/keys/key-cache.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { thrownBy } from './support/bytes.ts';
import { codeOf, rejection } from './support/checkpoints.ts';

const anybody = (): void => undefined;

/** Loads that the test counts, and ends when it likes. */
class Loads {
  count = 0;
  /** The memory of every key that was loaded. */
  readonly memory: Uint8Array[] = [];
  #pending: { settle: () => void; fail: (error: Error) => void }[] = [];

  readonly now = (): Promise<SecretBytes> => {
    this.count++;
    return Promise.resolve(this.#key());
  };

  readonly later = (): Promise<SecretBytes> => {
    this.count++;
    return new Promise((resolve, reject) => {
      this.#pending.push({
        settle: () => {
          resolve(this.#key());
        },
        fail: reject,
      });
    });
  };

  settle(index = 0): void {
    this.#pending.splice(index, 1)[0]?.settle();
  }

  fail(error: Error): void {
    this.#pending.shift()?.fail(error);
  }

  #key(): SecretBytes {
    const bytes = new Uint8Array(32).fill(0x55);
    this.memory.push(bytes);
    return SecretBytes.adopt(bytes);
  }

  isZero(index: number): boolean {
    return this.memory[index]?.every((byte) => byte === 0) ?? false;
  }
}

async function use(cache: KeyCache, identity: string, load: () => Promise<SecretBytes>): Promise<void> {
  (await cache.acquire(identity, anybody, load)).release();
}

/** Lets everything run that waits for nothing but its turn. */
async function turns(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('KeyCache', () => {
  test('serves a key again without loading it again', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    for (let i = 0; i < 5; i++) await use(cache, 'a', loads.now);
    expect([loads.count, cache.size]).toEqual([1, 1]);
    expect(loads.isZero(0)).toBe(false);
  });

  test('holds 100 keys unless told otherwise, and the least recently used goes first, zeroed', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    for (let i = 0; i < 100; i++) await use(cache, `key ${i}`, loads.now);
    await use(cache, 'key 0', loads.now);
    await use(cache, 'key 100', loads.now);
    expect(cache.size).toBe(100);
    expect([loads.isZero(0), loads.isZero(1), loads.isZero(2)]).toEqual([false, true, false]);
    await use(cache, 'key 0', loads.now);
    expect(loads.count).toBe(101);
    await use(cache, 'key 1', loads.now);
    expect(loads.count).toBe(102);
    expect(loads.isZero(2)).toBe(true);
  });

  test('never holds more than its number of keys, whatever is asked of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 4 }), fc.array(fc.nat({ max: 8 }), { maxLength: 40 }), async (maxEntries, identities) => {
        const [cache, loads] = [new KeyCache({ maxEntries }), new Loads()];
        for (const identity of identities) {
          await use(cache, String(identity), loads.now);
          expect(cache.size).toBeLessThanOrEqual(maxEntries);
        }
        const kept = loads.memory.filter((_, index) => !loads.isZero(index));
        expect(kept).toHaveLength(cache.size);
        cache.close();
        expect(loads.memory.every((_, index) => loads.isZero(index))).toBe(true);
      }),
    );
  });

  test('holds no key with maxEntries 0: each is zeroed when released', async () => {
    const [cache, loads] = [new KeyCache({ maxEntries: 0 }), new Loads()];
    const lease = await cache.acquire('a', anybody, loads.now);
    expect([cache.size, loads.isZero(0)]).toEqual([0, false]);
    lease.release();
    expect(loads.isZero(0)).toBe(true);
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(2);
  });

  test('keeps a key for 5 minutes unless told otherwise', async () => {
    const clock = new ManualClock();
    const [cache, loads] = [new KeyCache({ clock }), new Loads()];
    await use(cache, 'a', loads.now);
    clock.advance(299_999);
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(1);
    clock.advance(1);
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(2);
    expect(loads.isZero(0)).toBe(true);
  });

  test('counts the age of a key from its unwrap, not from its last use', async () => {
    const clock = new ManualClock();
    const [cache, loads] = [new KeyCache({ clock, maxAgeMs: 10 }), new Loads()];
    for (let i = 0; i < 5; i++) {
      await use(cache, 'a', loads.now);
      clock.advance(4);
    }
    expect(loads.count).toBe(2);
  });

  test('loads anew when the clock went backwards', async () => {
    const clock = new ManualClock();
    const [cache, loads] = [new KeyCache({ clock }), new Loads()];
    await use(cache, 'a', loads.now);
    clock.advance(-1);
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(2);
    expect(loads.isZero(0)).toBe(true);
  });

  test('keeps nothing with maxAgeMs 0', async () => {
    const [cache, loads] = [new KeyCache({ maxAgeMs: 0 }), new Loads()];
    await use(cache, 'a', loads.now);
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(2);
  });

  test('lends one unwrap exactly maxUses times, one after another', async () => {
    const [cache, loads] = [new KeyCache({ maxUses: 3 }), new Loads()];
    for (let i = 0; i < 10; i++) await use(cache, 'a', loads.now);
    expect(loads.count).toBe(4);
  });

  test('lends one unwrap exactly maxUses times to 50 who ask at once', async () => {
    const [cache, loads] = [new KeyCache({ maxUses: 3 }), new Loads()];
    const leases = await Promise.all(Array.from({ length: 50 }, () => cache.acquire('a', anybody, loads.now)));
    const uses = new Map<SecretBytes, number>();
    for (const { key } of leases) uses.set(key, (uses.get(key) ?? 0) + 1);
    expect(loads.count).toBe(17);
    expect([...uses.values()]).toEqual([...Array<number>(16).fill(3), 2]);
    for (const lease of leases) lease.release();
    const left = loads.memory.filter((_, index) => !loads.isZero(index));
    expect(left).toHaveLength(1);
    cache.clear();
    expect(loads.memory.every((_, index) => loads.isZero(index))).toBe(true);
  });

  test('lends one unwrap until maxBytes were opened under it', async () => {
    const [cache, loads] = [new KeyCache({ maxBytes: 100 }), new Loads()];
    const open = async (bytes: number): Promise<void> => {
      const lease = await cache.acquire('a', anybody, loads.now);
      lease.addBytes(bytes);
      lease.release();
    };
    await open(99);
    await open(1);
    expect(loads.count).toBe(1);
    await open(1);
    expect(loads.count).toBe(2);
  });

  test('loads once for 50 who ask at once', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    const asking = Array.from({ length: 50 }, () => cache.acquire('a', anybody, loads.later));
    await turns();
    loads.settle();
    const leases = await Promise.all(asking);
    expect(loads.count).toBe(1);
    expect(new Set(leases.map((lease) => lease.key)).size).toBe(1);
  });

  test('loads apart what has different identities', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    await Promise.all(['a', 'b', 'c'].map((identity) => use(cache, identity, loads.now)));
    expect([loads.count, cache.size]).toEqual([3, 3]);
  });

  test('does not keep a failure: all who waited get it, and the next loads again', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    const asking = Array.from({ length: 5 }, () => cache.acquire('a', anybody, loads.later));
    await turns();
    const outage = new KeyfoldError('KMS_UNAVAILABLE', 'Injected.');
    loads.fail(outage);
    expect(await Promise.all(asking.map((one) => rejection(one)))).toEqual(Array(5).fill(outage));
    await use(cache, 'a', loads.now);
    expect(loads.count).toBe(2);
  });

  test('passes on what a load throws at once', async () => {
    const broken = new Error('broken');
    const load = (): never => {
      throw broken;
    };
    expect(await rejection(new KeyCache().acquire('a', anybody, load))).toBe(broken);
  });

  describe('asks the permit', () => {
    const refusal = new KeyfoldError('KEY_NOT_ALLOWED', 'Injected.');
    const nobody = (): never => {
      throw refusal;
    };

    test('before a load', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      expect(await rejection(cache.acquire('a', nobody, loads.now))).toBe(refusal);
      expect(loads.count).toBe(0);
    });

    test('on every hit', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      await use(cache, 'a', loads.now);
      for (let i = 0; i < 3; i++) expect(await rejection(cache.acquire('a', nobody, loads.now))).toBe(refusal);
      cache.clear();
      expect(loads.isZero(0)).toBe(true);
    });

    test('again after a joined load, and gives the reserved lease back when refused', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      let permitted = true;
      const permit = (): void => {
        if (!permitted) throw refusal;
      };
      const refused = cache.acquire('a', permit, loads.later);
      const accepted = cache.acquire('a', anybody, loads.later);
      permitted = false;
      await turns();
      loads.settle();
      expect(await rejection(refused)).toBe(refusal);
      const lease = await accepted;
      cache.evict('a');
      expect(loads.isZero(0)).toBe(false);
      lease.release();
      expect(loads.isZero(0)).toBe(true);
    });
  });

  describe('with signals', () => {
    test('an aborted caller is refused before anything is loaded', async () => {
      const loads = new Loads();
      expect(await codeOf(new KeyCache().acquire('a', anybody, loads.now, AbortSignal.abort()))).toBe('ABORTED');
      expect(loads.count).toBe(0);
    });

    test("one caller's abort ends that caller's wait and not the load of the others", async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const gate = new AbortController();
      const leaving = cache.acquire('a', anybody, loads.later, gate.signal);
      const staying = cache.acquire('a', anybody, loads.later, new AbortController().signal);
      gate.abort();
      expect(await codeOf(leaving)).toBe('ABORTED');
      await turns();
      loads.settle();
      const lease = await staying;
      expect(loads.count).toBe(1);
      expect(lease.key.disposed).toBe(false);
      // The one who left holds no lease: the key goes with the last who stayed.
      cache.evict('a');
      lease.release();
      expect(loads.isZero(0)).toBe(true);
    });

    test('when all have left, the load is kept for the next, and zeroed on eviction', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const gate = new AbortController();
      const leaving = [1, 2].map(() => cache.acquire('a', anybody, loads.later, gate.signal));
      gate.abort();
      for (const one of leaving) expect(await codeOf(one)).toBe('ABORTED');
      await turns();
      loads.settle();
      await turns();
      await use(cache, 'a', loads.now);
      expect(loads.count).toBe(1);
      cache.evict('a');
      expect(loads.isZero(0)).toBe(true);
    });

    test('when all have left and nothing is kept, the key is zeroed on arrival', async () => {
      const [cache, loads] = [new KeyCache({ maxEntries: 0 }), new Loads()];
      const gate = new AbortController();
      const leaving = cache.acquire('a', anybody, loads.later, gate.signal);
      gate.abort();
      expect(await codeOf(leaving)).toBe('ABORTED');
      await turns();
      loads.settle();
      await turns();
      expect(loads.isZero(0)).toBe(true);
    });

    test('a load that fails after its callers left goes unheard', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const unhandled: unknown[] = [];
      const hear = (reason: unknown): void => {
        unhandled.push(reason);
      };
      process.on('unhandledRejection', hear);
      const gate = new AbortController();
      const leaving = cache.acquire('a', anybody, loads.later, gate.signal);
      gate.abort();
      expect(await codeOf(leaving)).toBe('ABORTED');
      await turns();
      loads.fail(new Error('late'));
      await turns();
      process.off('unhandledRejection', hear);
      expect(unhandled).toEqual([]);
    });

    test('a signal that fires after the lease was given changes nothing', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const gate = new AbortController();
      const lease = await cache.acquire('a', anybody, loads.now, gate.signal);
      gate.abort();
      await turns();
      expect(lease.key.disposed).toBe(false);
      cache.clear();
      lease.release();
      expect(loads.isZero(0)).toBe(true);
    });
  });

  describe('evicting', () => {
    test('zeroes a key that nobody holds at once', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      await use(cache, 'a', loads.now);
      cache.evict('a');
      expect([cache.size, loads.isZero(0)]).toEqual([0, true]);
    });

    test('zeroes a key on loan when the last lease is released, and not before', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const leases: KeyLease[] = [];
      for (let i = 0; i < 3; i++) leases.push(await cache.acquire('a', anybody, loads.now));
      cache.evict('a');
      for (const lease of leases) {
        expect(loads.isZero(0)).toBe(false);
        lease.release();
      }
      expect(loads.isZero(0)).toBe(true);
    });

    test('what is not there changes nothing', () => {
      const cache = new KeyCache();
      cache.evict('a');
      expect(cache.size).toBe(0);
    });

    test('during a load serves those who wait, keeps nothing, and zeroes when they are done', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const asking = [1, 2].map(() => cache.acquire('a', anybody, loads.later));
      await turns();
      cache.evict('a');
      loads.settle();
      const [one, two] = await Promise.all(asking);
      expect(cache.size).toBe(0);
      one?.release();
      expect(loads.isZero(0)).toBe(false);
      two?.release();
      expect(loads.isZero(0)).toBe(true);
    });

    test('during a load makes those who ask afterwards load anew', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const before = cache.acquire('a', anybody, loads.later);
      await turns();
      cache.evict('a');
      const after = cache.acquire('a', anybody, loads.later);
      await turns();
      expect(loads.count).toBe(2);
      // The later one arrives first; the earlier must not take its place.
      loads.settle(1);
      const kept = await after;
      loads.settle();
      const stale = await before;
      expect(stale.key).not.toBe(kept.key);
      expect((await cache.acquire('a', anybody, loads.now)).key).toBe(kept.key);
      stale.release();
      expect([loads.isZero(0), loads.isZero(1)]).toEqual([false, true]);
    });

    test('during a load that then fails leaves the later load alone', async () => {
      const [cache, loads] = [new KeyCache(), new Loads()];
      const before = cache.acquire('a', anybody, loads.later);
      await turns();
      cache.evict('a');
      const after = cache.acquire('a', anybody, loads.later);
      await turns();
      loads.fail(new KeyfoldError('KMS_UNAVAILABLE', 'Injected.'));
      expect(await codeOf(before)).toBe('KMS_UNAVAILABLE');
      const joined = cache.acquire('a', anybody, loads.later);
      await turns();
      loads.settle();
      expect((await after).key).toBe((await joined).key);
      expect(loads.count).toBe(2);
    });
  });

  test('a lease that is released twice counts once', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    const [one, two] = [await cache.acquire('a', anybody, loads.now), await cache.acquire('a', anybody, loads.now)];
    cache.evict('a');
    one.release();
    one.release();
    expect(loads.isZero(0)).toBe(false);
    two.release();
    expect(loads.isZero(0)).toBe(true);
  });

  test('clear forgets every key and goes on working', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    for (const identity of ['a', 'b']) await use(cache, identity, loads.now);
    cache.clear();
    expect([cache.size, loads.isZero(0), loads.isZero(1)]).toEqual([0, true, true]);
    await use(cache, 'a', loads.now);
    expect(cache.size).toBe(1);
  });

  test('close forgets every key for good', async () => {
    const [cache, loads] = [new KeyCache(), new Loads()];
    await use(cache, 'a', loads.now);
    const waiting = cache.acquire('b', anybody, loads.later);
    await turns();
    cache.close();
    expect(await codeOf(cache.acquire('a', anybody, loads.now))).toBe('CLOSED');
    loads.settle();
    (await waiting).release();
    expect([cache.size, loads.isZero(0), loads.isZero(1)]).toEqual([0, true, true]);
  });

  test.each([
    ['maxEntries', -1],
    ['maxEntries', Number.NaN],
    ['maxEntries', '5'],
    ['maxAgeMs', -1],
    ['maxUses', 0],
    ['maxUses', Number.NEGATIVE_INFINITY],
    ['maxBytes', -0.5],
    ['maxBytes', null],
  ])('refuses %s: %s', (name, value) => {
    expect(isKeyfoldError(thrownBy(() => new KeyCache({ [name]: value })), 'CONFIG_INVALID')).toBe(true);
  });
});

describe('keyIdentity', () => {
  test('gives different lists of parts different strings, wherever the boundaries are', () => {
    const list = fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('', '1:', '0:', ':', '1:a')), { maxLength: 5 });
    fc.assert(
      fc.property(list, list, (a, b) => {
        expect(keyIdentity(a) === keyIdentity(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(keyIdentity(['ab', 'c'])).not.toBe(keyIdentity(['a', 'bc']));
    expect(keyIdentity(['a', ''])).not.toBe(keyIdentity(['', 'a']));
    expect(keyIdentity([])).not.toBe(keyIdentity(['']));
  });
});
