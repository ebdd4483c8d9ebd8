import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { KeyfoldError } from '../src/errors.ts';
import { encodeContext, wrapContext } from '../src/format/context.ts';
import { parseKeyRecord } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { rewrapRecord } from '../src/rotation/rewrap-record.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { inspectKeyRecord } from '../src/sealing/open-record.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { KeyVault } from '../src/vault/key-vault.ts';
import { vaultRecordKey } from '../src/vault/record-name.ts';
import { flipBit, patterned, thrownBy } from './support/bytes.ts';
import { codeOf } from './support/checkpoints.ts';
import { DAY, HOUR, calls, columnOf, idsOf, keysIn, overwrite, resignedBy, states, vaultBench, type VaultBench } from './support/vault.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function outage(code: 'KMS_UNAVAILABLE' | 'KMS_THROTTLED' | 'STORAGE_FAILURE' | 'ACCESS_DENIED' = 'KMS_UNAVAILABLE'): () => never {
  return () => {
    throw new KeyfoldError(code, 'out of order');
  };
}

const NOT_LOADED = { code: 'KEY_NOT_LOADED' };

describe('the first key of a vault', () => {
  test('costs one call to the KMS, and everything after it none', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('sk_live');
    expect(bench.column.open(sealed)).toEqual({ value: 'sk_live', legacy: false });
    await bench.vault.prime();
    await bench.column.sealAsync('x');
    await bench.column.openAsync(sealed);
    await bench.vault.load();
    expect(calls(bench)).toEqual({ made: 1, unwrapped: 0 });
    expect([...bench.kms.calls.keys()]).toEqual(['generateDataKey']);
  });

  test('is made once for all who wait', async () => {
    const bench = vaultBench();
    await Promise.all([bench.vault.prime(), bench.vault.prime(), bench.column.sealAsync('a'), bench.column.sealAsync('b')]);
    expect(calls(bench)).toEqual({ made: 1, unwrapped: 0 });
  });

  test('has a record of use 02, suite 01, without object id and metadata, bound to the wrap context', async () => {
    const { vault, column, records, clock, kms } = vaultBench();
    await vault.prime();
    const [key = ''] = await keysIn(records);
    const { record, rest } = parseKeyRecord((await records.get(key))?.bytes ?? new Uint8Array(0));
    expect(rest.byteLength).toBe(0);
    expect(record).toMatchObject({ suite: 1, use: 'field', state: 'active', generation: 1, created: clock.now(), objectId: new Uint8Array(16) });
    expect(record.sealedMetadata.byteLength).toBe(0);
    const dek = Buffer.from(record.dekId).toString('hex');
    expect(column.dekIdOf(column.seal('x'))).toBe(dek);
    const context = encodeContext({ purpose: 'wrap', use: 'field', tenant: 'acme', scope: 'default', dek });
    expect(Buffer.from(record.binding)).toEqual(createHash('sha256').update(context).digest());
    const [wrap] = record.wraps;
    if (wrap === undefined) throw new Error('no wrap');
    expect(await kms.decrypt(wrap, { context: wrapContext('field', 'acme', 'default', record.dekId) })).toEqual(kms.deks[0]);
  });

  test('stands under use, digest of the tenant and DEK id', async () => {
    const tenants = ['acme', 'ACME', 'é', 'e\u0301', '../etc', 'a/b', '%', '\u0000', '日本', 'x'.repeat(256)];
    const bench = vaultBench();
    for (const tenant of tenants) {
      const { vault } = bench.another({ tenant });
      await vault.prime();
      const digest = createHash('sha256').update(Buffer.from(tenant)).digest('hex');
      const [info] = await vault.records('field');
      expect(info?.key).toBe(`field/${digest}/${Buffer.from(info?.identity.dekId ?? []).toString('hex')}`);
      expect(info?.key).toMatch(/^[a-z0-9/-]+$/);
    }
    expect(new Set(await keysIn(bench.records)).size).toBe(tenants.length);
  });

  test('leaves no DEK behind in memory that was handed over', async () => {
    const { vault, kms } = vaultBench();
    const made: Uint8Array[] = [];
    const generate = kms.generateDataKey.bind(kms);
    vi.spyOn(kms, 'generateDataKey').mockImplementation(async (options) => {
      const answer = await generate(options);
      made.push(answer.plaintext);
      return answer;
    });
    await vault.prime();
    expect(made.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true]);
  });

  test('is not used when its record could not be stored', async () => {
    const { vault, column, records } = vaultBench();
    vi.spyOn(records, 'create').mockRejectedValueOnce(new KeyfoldError('STORAGE_FULL', 'full'));
    expect(await codeOf(vault.prime())).toBe('STORAGE_FULL');
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
    await vault.prime();
    expect(column.open(column.seal('x')).value).toBe('x');
  });

  test('is not used when the KMS cannot make it', async () => {
    const { vault, kms, column } = vaultBench();
    kms.fault = outage();
    expect(await codeOf(vault.prime())).toBe('KMS_UNAVAILABLE');
    expect(await codeOf(column.sealAsync('x'))).toBe('KMS_UNAVAILABLE');
    kms.fault = undefined;
    await vault.prime();
    expect(column.seal('x')).toMatch(/^kf1:/);
  });
});

describe('synchronous calls', () => {
  test('refuse to seal before prime()', () => {
    expect(thrownBy(() => vaultBench().column.seal('x'))).toMatchObject(NOT_LOADED);
  });

  test('refuse to open a value whose key is not loaded, and say how to load it', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const { vault, column } = bench.another();
    expect(thrownBy(() => column.open(sealed))).toMatchObject(NOT_LOADED);
    const id = column.dekIdOf(sealed) ?? '';
    expect(() => column.open(sealed)).toThrow(`load(["${id}"])`);
    await vault.load([id, id]);
    expect(column.open(sealed).value).toBe('x');
    expect(calls(bench)).toEqual({ made: 1, unwrapped: 1 });
  });

  test('open what openAsync has opened, with one unwrap for all who waited', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = ['a', 'b', 'c'].map((value) => bench.column.seal(value));
    const { column } = bench.another();
    const opened = await Promise.all(sealed.map((value) => column.openAsync(value)));
    expect(opened.map(({ value }) => value)).toEqual(['a', 'b', 'c']);
    expect(sealed.map((value) => column.open(value).value)).toEqual(['a', 'b', 'c']);
    expect(calls(bench)).toEqual({ made: 1, unwrapped: 1 });
  });

  test('open everything of the scope after load()', async () => {
    const bench = vaultBench();
    const sealed: string[] = [];
    for (let i = 0; i < 20; i++) {
      await bench.vault.roll('field');
      sealed.push(bench.column.seal(String(i)));
    }
    expect(new Set(idsOf(bench.column, sealed)).size).toBe(20);
    const { vault, column } = bench.another();
    await vault.load();
    expect(sealed.map((value) => column.open(value).value)).toEqual(sealed.map((_, i) => String(i)));
  });

  test('are refused after close()', async () => {
    const { vault, column } = vaultBench();
    await vault.prime();
    const sealed = column.seal('x');
    vault.close();
    vault.close();
    expect(thrownBy(() => column.seal('x'))).toMatchObject({ code: 'CLOSED' });
    expect(thrownBy(() => column.open(sealed))).toMatchObject({ code: 'CLOSED' });
    expect(thrownBy(() => vault.blindIndex({ table: 't', column: 'c', index: 'i', normalisation: 'none', encoding: 'text' }))).toMatchObject({ code: 'CLOSED' });
    for (const run of [vault.prime(), vault.load(), vault.load(['00'.repeat(16)]), vault.roll('field'), vault.records('field'), column.openAsync(sealed)]) {
      expect(await codeOf(run)).toBe('CLOSED');
    }
  });

  test('are refused when the vault is closed while a key is on its way', async () => {
    const { vault, kms, column } = vaultBench();
    kms.fault = () => {
      vault.close();
    };
    expect(await codeOf(vault.prime())).toBe('CLOSED');
    expect(thrownBy(() => column.seal('x'))).toMatchObject({ code: 'CLOSED' });
  });
});

describe('a key that does not belong to the value', () => {
  test('an id without a record gives one generic error', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    await bench.records.delete(key, (await bench.records.get(key))?.version ?? '');
    const { vault, column } = bench.another();
    expect(await codeOf(column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(vault.load([column.dekIdOf(sealed) ?? '']))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(vault.load(['no id']))).toBe('INTEGRITY_FAILURE');
    expect(await codeOf(vault.load(['AB'.repeat(16)]))).toBe('INTEGRITY_FAILURE');
  });

  test.each([
    ['tenant', { tenant: 'other' }],
    ['scope', { scope: 'other' }],
  ])('a value of another %s does not open, and no KMS is asked', async (_, change) => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const { column } = bench.another(change);
    expect(await codeOf(column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
    expect(calls(bench).unwrapped).toBe(0);
  });

  test("a record under another tenant's name does not open", async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [info] = await bench.vault.records('field');
    if (info === undefined) throw new Error('no record');
    const bytes = (await bench.records.get(info.key))?.bytes ?? new Uint8Array(0);
    await bench.records.create(vaultRecordKey({ ...info.identity, tenant: 'other' }), bytes);
    expect(await codeOf(bench.another({ tenant: 'other' }).column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
    expect(calls(bench).unwrapped).toBe(0);
  });

  test('scopes of one tenant have keys of their own', async () => {
    const bench = vaultBench();
    const other = bench.another({ scope: 'other' });
    await bench.vault.prime();
    await other.vault.prime();
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 0 });
    expect(await states(bench.vault)).toEqual(['active']);
    expect(await states(other.vault)).toEqual(['active']);
    expect(await keysIn(bench.records)).toHaveLength(2);
  });
});

describe('a vault that starts again', () => {
  test('goes on with the newest active key', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    bench.clock.advance(1_000);
    await bench.vault.roll('field');
    const id = bench.column.dekIdOf(bench.column.seal('x'));
    const { vault, column } = bench.another();
    await vault.prime();
    expect(column.dekIdOf(column.seal('y'))).toBe(id);
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 1 });
  });

  test('ignores what else is in the store', async () => {
    const bench = vaultBench();
    const digest = createHash('sha256').update('acme').digest('hex');
    await bench.records.create(`field/${digest}/README`, patterned(10));
    await bench.records.create(`field/${digest}/${'AB'.repeat(16)}`, patterned(10));
    await bench.records.create(`field/${digest}/${'ab'.repeat(16)}`, patterned(10));
    await bench.vault.prime();
    expect(await states(bench.vault)).toEqual(['active']);
  });

  test('is not led astray by a store that lists more than it was asked for, or not yet what was written', async () => {
    const bench = vaultBench();
    await bench.records.create('elsewhere', patterned(10));
    const list = bench.records.list.bind(bench.records);
    const lagging = vi.spyOn(bench.records, 'list').mockImplementation(async function* () {
      for await (const key of list()) if (key === 'elsewhere') yield key;
    });
    await bench.vault.prime();
    const id = bench.column.dekIdOf(bench.column.seal('x'));
    lagging.mockImplementation(() => list());
    await bench.vault.load();
    expect(await states(bench.vault)).toEqual(['active']);
    expect(bench.column.dekIdOf(bench.column.seal('x'))).toBe(id);
  });

  test('does not take a failure of its own for a record that is none', () => {
    expect(inspectKeyRecord(patterned(100))).toBeUndefined();
    expect(() => inspectKeyRecord(undefined as unknown as Uint8Array)).toThrow(TypeError);
  });

  test('decides between keys of the same millisecond by their ids', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    // Two processes that did not see each other: the second has an empty list at its first look.
    const second = bench.another();
    vi.spyOn(bench.records, 'list').mockImplementationOnce(async function* () {
      await Promise.resolve();
      yield* [];
    });
    await second.vault.prime();
    const ids = (await keysIn(bench.records)).map((key) => key.slice(-32)).sort();
    expect(ids).toHaveLength(2);
    const third = bench.another();
    await third.vault.prime();
    expect(third.column.dekIdOf(third.column.seal('x'))).toBe(ids[1]);
    expect(second.column.dekIdOf(second.column.seal('x'))).toBe(ids[1]);
    expect(await states(third.vault)).toEqual(['active', 'decrypt-only']);
  });
});

describe('a key that reaches its age', () => {
  test('seals until 30 days, and not a millisecond longer', async () => {
    const { vault, column, clock } = vaultBench({ maxMemoryAgeMs: 90 * DAY, recheckMs: 90 * DAY });
    await vault.prime();
    const old = column.seal('old');
    clock.advance(30 * DAY - 1);
    expect(column.dekIdOf(column.seal('x'))).toBe(column.dekIdOf(old));
    clock.advance(1);
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
    expect(() => column.seal('x')).toThrow('Await prime()');
    expect(column.open(old).value).toBe('old');
    const fresh = await column.sealAsync('new');
    expect(column.dekIdOf(fresh)).not.toBe(column.dekIdOf(old));
    expect(column.open(old).value).toBe('old');
  });

  test('is replaced by prime() when a tenth is left, and becomes decrypt-only', async () => {
    const bench = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    const { vault, column, clock } = bench;
    await vault.prime();
    const old = column.seal('old');
    clock.advance(27 * DAY - 1);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).toBe(column.dekIdOf(old));
    clock.advance(HOUR);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).not.toBe(column.dekIdOf(old));
    expect((await vault.records('field')).map(({ state, generation }) => [state, generation])).toEqual([['active', 1], ['decrypt-only', 2]]);
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 0 });
    expect(column.open(old).value).toBe('old');
  });

  test('is not created anew when another process has replaced it', async () => {
    const bench = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    const other = bench.another();
    await bench.vault.prime();
    await other.vault.prime();
    bench.clock.advance(28 * DAY);
    await other.vault.prime();
    await bench.vault.prime();
    expect(bench.column.dekIdOf(bench.column.seal('x'))).toBe(other.column.dekIdOf(other.column.seal('x')));
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 2 });
  });

  test('is dated by its record, not by when a process met it', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    bench.clock.advance(29 * DAY);
    const { vault, column } = bench.another();
    await vault.prime();
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 1 });
    expect(column.seal('x')).toMatch(/^kf1:/);
  });
});

describe('a key that reaches its number of values', () => {
  test('seals so many and no more', async () => {
    const { vault, column } = vaultBench({ maxSeals: 100 });
    await vault.prime();
    const ids = new Set(Array.from({ length: 100 }, () => column.dekIdOf(column.seal('x'))));
    expect(ids.size).toBe(1);
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
    await vault.prime();
    expect(ids.has(column.dekIdOf(column.seal('x')))).toBe(false);
    expect(await states(vault)).toEqual(['active', 'decrypt-only']);
  });

  test('is replaced by prime() when a tenth is left', async () => {
    const { vault, column, clock } = vaultBench({ maxSeals: 100 });
    await vault.prime();
    const first = column.dekIdOf(column.seal('x'));
    for (let i = 1; i < 89; i++) column.seal('x');
    clock.advance(300_000);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).toBe(first);
    clock.advance(300_000);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).not.toBe(first);
  });

  test('is not taken up again by the process that used it up, even after it left memory', async () => {
    const { vault, column, clock } = vaultBench({ maxSeals: 3, maxMemoryAgeMs: HOUR });
    await vault.prime();
    const first = column.dekIdOf(column.seal('x'));
    column.seal('x');
    column.seal('x');
    clock.advance(2 * HOUR);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).not.toBe(first);
  });

  test('counts what this process sealed, not what others did', async () => {
    const bench = vaultBench({ maxSeals: 10 });
    const other = bench.another();
    await bench.vault.prime();
    await other.vault.prime();
    for (let i = 0; i < 8; i++) bench.column.seal('x');
    for (let i = 0; i < 8; i++) other.column.seal('x');
    expect(calls(bench).made).toBe(1);
  });

  test('is counted on when it is replaced and comes back', async () => {
    const bench = vaultBench({ maxSeals: 10 });
    await bench.vault.prime();
    const first = bench.column.dekIdOf(bench.column.seal('x'));
    await bench.vault.roll('field');
    await bench.vault.roll('field');
    expect(bench.column.dekIdOf(bench.column.seal('x'))).not.toBe(first);
    expect(await states(bench.vault)).toEqual(['active', 'decrypt-only', 'decrypt-only']);
  });
});

describe('when the KMS is down', () => {
  test('a moment of it is bridged by retries', async () => {
    const { vault, kms, metrics } = vaultBench({ kmsRetry: { baseDelayMs: 0 } });
    kms.fault = () => {
      if ((kms.calls.get('generateDataKey') ?? 0) < 3) outage()();
    };
    await vault.prime();
    expect(metrics.measurements.filter(({ name }) => name === 'heliosdb_kms_retry_total')).toHaveLength(2);
  });

  test('retries are three attempts in all unless told otherwise', async () => {
    const { vault, kms } = vaultBench({ kmsRetry: undefined, kmsTimeoutMs: 1_000 });
    kms.fault = outage();
    expect(await codeOf(vault.prime())).toBe('KMS_UNAVAILABLE');
    expect(kms.calls.get('generateDataKey')).toBe(3);
  });

  test('sealing and opening go on with the loaded keys until their time in memory is over', async () => {
    const { vault, column, kms, clock } = vaultBench();
    await vault.prime();
    const sealed = column.seal('x');
    kms.fault = outage();
    clock.advance(HOUR - 1);
    await vault.prime();
    expect(column.open(sealed).value).toBe('x');
    expect(column.open(column.seal('y')).value).toBe('y');
    clock.advance(1);
    expect(thrownBy(() => column.seal('z'))).toMatchObject(NOT_LOADED);
    expect(thrownBy(() => column.open(sealed))).toMatchObject(NOT_LOADED);
    expect(await codeOf(vault.prime())).toBe('KMS_UNAVAILABLE');
    expect(await codeOf(column.openAsync(sealed))).toBe('KMS_UNAVAILABLE');
    kms.fault = undefined;
    await vault.prime();
    expect(column.open(sealed).value).toBe('x');
  });

  test.each(['KMS_UNAVAILABLE', 'KMS_THROTTLED'] as const)('a key whose replacement is due goes on to its limit (%s)', async (code) => {
    const { vault, column, kms, clock } = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    await vault.prime();
    const first = column.dekIdOf(column.seal('x'));
    kms.fault = outage(code);
    clock.advance(28 * DAY);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).toBe(first);
    clock.advance(2 * DAY);
    expect(await codeOf(vault.prime())).toBe(code);
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
  });

  test('prime() asks again after ten seconds, not every time', async () => {
    const { vault, kms, clock, column } = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    await vault.prime();
    const first = column.dekIdOf(column.seal('x'));
    kms.fault = outage();
    clock.advance(28 * DAY);
    for (let i = 0; i < 5; i++) await vault.prime();
    expect(kms.calls.get('generateDataKey')).toBe(2);
    clock.advance(9_999);
    await vault.prime();
    expect(kms.calls.get('generateDataKey')).toBe(2);
    kms.fault = undefined;
    clock.advance(1);
    await vault.prime();
    expect(column.dekIdOf(column.seal('x'))).not.toBe(first);
  });

  test('a refusal is no outage', async () => {
    const { vault, kms, clock } = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    await vault.prime();
    kms.fault = outage('ACCESS_DENIED');
    clock.advance(28 * DAY);
    expect(await codeOf(vault.prime())).toBe('ACCESS_DENIED');
  });

  test('neither roll() nor its caller is told that all is well', async () => {
    const { vault, kms } = vaultBench();
    await vault.prime();
    kms.fault = outage();
    expect(await codeOf(vault.roll('field'))).toBe('KMS_UNAVAILABLE');
  });

  test('an outage of the store is sat out too', async () => {
    const { vault, records, clock, column } = vaultBench();
    await vault.prime();
    vi.spyOn(records, 'list').mockImplementation(outage('STORAGE_FAILURE'));
    clock.advance(300_000);
    await vault.prime();
    expect(column.seal('x')).toMatch(/^kf1:/);
  });
});

describe('keys in memory', () => {
  test('are unwrapped anew by prime() after half of their time', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    bench.clock.advance(HOUR / 2 - 1);
    await bench.vault.prime();
    expect(calls(bench).unwrapped).toBe(0);
    bench.clock.advance(300_000);
    await bench.vault.prime();
    expect(calls(bench).unwrapped).toBe(1);
    bench.clock.advance(HOUR / 2 - 1);
    expect(bench.column.open(sealed).value).toBe('x');
    expect(bench.column.open(bench.column.seal('y')).value).toBe('y');
  });

  test('that only open are unwrapped anew when they are in use, and forgotten when they are not', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const used = bench.column.seal('used');
    await bench.vault.roll('field');
    const idle = bench.column.seal('idle');
    await bench.vault.roll('field');
    const { vault, column } = bench.another();
    await vault.prime();
    await vault.load([used, idle].map((value) => column.dekIdOf(value) ?? ''));
    for (let i = 0; i < 7; i++) {
      column.open(used);
      bench.clock.advance(10 * 60_000);
      await vault.prime();
    }
    expect(column.open(used).value).toBe('used');
    expect(thrownBy(() => column.open(idle))).toMatchObject(NOT_LOADED);
  });

  test('are kept when they cannot be unwrapped anew for an outage, and prime() fails for anything else', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    bench.kms.fault = outage();
    bench.clock.advance(HOUR / 2);
    await bench.vault.prime();
    expect(bench.column.open(sealed).value).toBe('x');
    bench.kms.fault = outage('ACCESS_DENIED');
    bench.clock.advance(300_000);
    expect(await codeOf(bench.vault.prime())).toBe('ACCESS_DENIED');
  });

  test('go when their record is gone: a shredded key opens nothing after the next look', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    await bench.records.delete(key, (await bench.records.get(key))?.version ?? '');
    expect(bench.column.open(sealed).value).toBe('x');
    bench.clock.advance(300_000);
    await bench.vault.prime();
    expect(thrownBy(() => bench.column.open(sealed))).toMatchObject(NOT_LOADED);
    expect(await codeOf(bench.column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
    expect(bench.column.dekIdOf(bench.column.seal('y'))).not.toBe(bench.column.dekIdOf(sealed));
  });

  test('are so many at most, the least recently used going first', async () => {
    const bench = vaultBench();
    const sealed: string[] = [];
    for (const value of ['a', 'b', 'c']) {
      await bench.vault.roll('field');
      sealed.push(bench.column.seal(value));
    }
    const [a = '', b = '', c = ''] = sealed;
    const { column } = bench.another({ maxKeysInMemory: 2 });
    await column.openAsync(a);
    await column.openAsync(b);
    column.open(a);
    await column.openAsync(c);
    expect(column.open(a).value).toBe('a');
    expect(column.open(c).value).toBe('c');
    expect(thrownBy(() => column.open(b))).toMatchObject(NOT_LOADED);
  });

  test('do not outlive a clock that was set back', async () => {
    const { vault, column, clock } = vaultBench();
    await vault.prime();
    clock.advance(-1);
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
    await vault.prime();
    expect(column.open(column.seal('x')).value).toBe('x');
  });

  test('are looked after at once when the clock was set back behind the last look', async () => {
    const bench = vaultBench();
    const other = bench.another();
    await bench.vault.prime();
    bench.clock.advance(600_000);
    await bench.vault.prime();
    await other.vault.roll('field');
    bench.clock.advance(-300_000);
    await bench.vault.prime();
    expect(bench.column.dekIdOf(bench.column.seal('x'))).not.toBe(undefined);
    expect(await states(bench.vault)).toEqual(['active', 'decrypt-only']);
    expect((await bench.vault.records('field'))[0]?.identity.dekId).toEqual(Uint8Array.from(Buffer.from(bench.column.dekIdOf(bench.column.seal('x')) ?? '', 'hex')));
  });

  test('show themselves nowhere', async () => {
    const { vault, column, kms } = vaultBench();
    await vault.prime();
    const { inspect } = await import('node:util');
    const shown = inspect([vault, column], { depth: 20, showHidden: true }) + JSON.stringify([vault, column]);
    for (const dek of kms.deks) {
      for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) expect(shown).not.toContain(Buffer.from(dek).toString(form));
    }
  });
});

describe('an unwrapped DEK', () => {
  test('is zeroed as soon as it was imported, opened or refused', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const [key = ''] = await keysIn(bench.records);
    const given: Uint8Array[] = [];
    const decrypt = bench.kms.decrypt.bind(bench.kms);
    vi.spyOn(bench.kms, 'decrypt').mockImplementation(async (wrap, options) => {
      const dek = await decrypt(wrap, options);
      given.push(dek);
      return dek;
    });
    await bench.another().vault.prime();
    await overwrite(bench.records, key, (bytes) => flipBit(bytes, bytes.byteLength * 8 - 1));
    expect(await codeOf(bench.another().vault.prime())).toBe('INTEGRITY_FAILURE');
    expect(given.map((dek) => dek.every((byte) => byte === 0))).toEqual([true, true]);
  });
});

describe('a record that was tampered with', () => {
  async function tampered(change: (bytes: Uint8Array, bench: VaultBench) => Uint8Array): Promise<VaultBench & { sealed: string }> {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    await overwrite(bench.records, key, (bytes) => change(bytes, bench));
    return { ...bench, sealed };
  }

  test('at any bit opens nothing', async () => {
    const { records, another, sealed } = await tampered((bytes) => bytes);
    const [key = ''] = await keysIn(records);
    const bytes = (await records.get(key))?.bytes ?? new Uint8Array(0);
    // The state byte, ids, dates, binding, wrap and MAC: each is read by somebody.
    for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
      await overwrite(records, key, () => flipBit(bytes, bit));
      expect(await codeOf(another().column.openAsync(sealed)), `bit ${bit}`).toMatch(/^INTEGRITY_FAILURE$|^KEY_NOT_ALLOWED$|^KEY_NOT_FOUND$/);
    }
  });

  test('with anything behind it opens nothing, and no KMS is asked', async () => {
    const bench = await tampered((bytes) => Buffer.concat([bytes, Buffer.of(0)]));
    expect(await codeOf(bench.another().column.openAsync(bench.sealed))).toBe('INTEGRITY_FAILURE');
    expect(calls(bench).unwrapped).toBe(0);
  });

  test('to be active again is not believed', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const first = bench.column.dekIdOf(bench.column.seal('x')) ?? '';
    bench.clock.advance(1_000);
    await bench.vault.roll('field');
    const retired = (await keysIn(bench.records)).find((key) => key.endsWith(first)) ?? '';
    const active = (await keysIn(bench.records)).find((key) => !key.endsWith(first)) ?? '';
    await overwrite(bench.records, retired, (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 7 ? 1 : byte)));
    // Somebody who shreds the active key cannot bring the retired one back to sealing.
    await bench.records.delete(active, (await bench.records.get(active))?.version ?? '');
    expect(await codeOf(bench.another().vault.prime())).toBe('INTEGRITY_FAILURE');
    bench.clock.advance(300_000);
    expect(await codeOf(bench.vault.prime())).toBe('INTEGRITY_FAILURE');
  });

  test('to be newer stops prime() rather than deciding', async () => {
    const bench = await tampered((bytes) => flipBit(bytes, 55 * 8 + 7));
    expect(await codeOf(bench.another().vault.prime())).toBe('INTEGRITY_FAILURE');
  });

  test('that is an older copy of itself opens: documented', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    const before = (await bench.records.get(key))?.bytes ?? new Uint8Array(0);
    await bench.vault.roll('field');
    await overwrite(bench.records, key, () => before);
    expect((await bench.another().column.openAsync(sealed)).value).toBe('x');
  });

  test('is not asked of the KMS again until the next look', async () => {
    const bench = await tampered((bytes) => flipBit(bytes, bytes.byteLength * 8 - 1));
    const { column } = bench.another();
    for (let i = 0; i < 5; i++) expect(await codeOf(column.openAsync(bench.sealed))).toBe('INTEGRITY_FAILURE');
    expect(calls(bench).unwrapped).toBe(1);
    bench.clock.advance(300_000);
    expect(await codeOf(column.openAsync(bench.sealed))).toBe('INTEGRITY_FAILURE');
    expect(calls(bench).unwrapped).toBe(2);
  });

  test('is remembered among a thousand at most', async () => {
    const bench = await tampered((bytes) => flipBit(bytes, bytes.byteLength * 8 - 1));
    const [key = ''] = await keysIn(bench.records);
    const { column } = bench.another();
    const bytes = (await bench.records.get(key))?.bytes ?? new Uint8Array(0);
    const planted = (i: number): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      new DataView(copy.buffer).setUint32(copy.byteLength - 4, i);
      return copy;
    };
    for (let i = 0; i < 1_002; i++) {
      await overwrite(bench.records, key, () => planted(i));
      expect(await codeOf(column.openAsync(bench.sealed))).toBe('INTEGRITY_FAILURE');
    }
    expect(calls(bench).unwrapped).toBe(1_002);
    await overwrite(bench.records, key, () => planted(1_001));
    await codeOf(column.openAsync(bench.sealed));
    expect(calls(bench).unwrapped).toBe(1_002);
    await overwrite(bench.records, key, () => planted(0));
    await codeOf(column.openAsync(bench.sealed));
    expect(calls(bench).unwrapped).toBe(1_003);
  });

  test('to be of another use opens nothing, even if its own key signed it', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    await overwrite(bench.records, key, resignedBy(bench.kms.deks[0], (record) => ({ ...record, use: 'audit' })));
    expect(await codeOf(bench.another().column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
    await overwrite(bench.records, key, resignedBy(bench.kms.deks[0], (record) => ({ ...record, use: 'field' })));
    expect((await bench.another().column.openAsync(sealed)).value).toBe('x');
  });

  test('by the owner of another key opens nothing', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const [key = ''] = await keysIn(bench.records);
    await overwrite(bench.records, key, resignedBy(patterned(32, 'mine'), (record) => record));
    expect(await codeOf(bench.another().column.openAsync(sealed))).toBe('INTEGRITY_FAILURE');
  });
});

describe('which keys may unwrap', () => {
  test('is decided by the configuration: other wraps are not contacted', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const stranger = new MemoryKms('stranger');
    const { vault, column } = bench.another({ kms: stranger });
    expect(await codeOf(column.openAsync(sealed))).toBe('KEY_NOT_ALLOWED');
    expect(await codeOf(vault.prime())).toBe('KEY_NOT_ALLOWED');
    expect(stranger.calls.size).toBe(0);
  });

  test('includes those named besides', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    const { column } = bench.another({ kms: new MemoryKms('new'), acceptedKms: [bench.kms] });
    expect((await column.openAsync(sealed)).value).toBe('x');
  });

  test('excludes keys for which anybody could make a wrap, unless that is accepted', () => {
    const { records, kms } = vaultBench();
    const rsa = Object.assign(new MemoryKms('rsa'), { capabilities: { ...kms.capabilities, authenticatedWraps: false } });
    expect(thrownBy(() => new KeyVault({ records, kms: rsa, tenant: 'acme' }))).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(new KeyVault({ records, kms: rsa, tenant: 'acme', requireAuthenticatedWraps: false })).toBeInstanceOf(KeyVault);
  });
});

describe('the configuration of a vault', () => {
  test.each([
    ['an age of 0', { maxKeyAgeMs: 0 }, 'CONFIG_INVALID'],
    ['an age that is no number', { maxKeyAgeMs: Number.NaN }, 'CONFIG_INVALID'],
    ['half a seal', { maxSeals: 0.5 }, 'CONFIG_INVALID'],
    ['an endless number of seals', { maxSeals: Number.POSITIVE_INFINITY }, 'CONFIG_INVALID'],
    ['a time in memory below 1', { maxMemoryAgeMs: -1 }, 'CONFIG_INVALID'],
    ['no room in memory', { maxKeysInMemory: 0 }, 'CONFIG_INVALID'],
    ['a negative pause', { recheckMs: -5 }, 'CONFIG_INVALID'],
    ['a KMS timeout of 0', { kmsTimeoutMs: 0 }, 'CONFIG_INVALID'],
    ['retries without an attempt', { kmsRetry: { attempts: 0 } }, 'CONFIG_INVALID'],
    ['an option that it does not know', { ['maxKeyAge' as string]: 5 }, 'CONFIG_INVALID'],
    ['an empty tenant', { tenant: '' }, 'INVALID_ARGUMENT'],
    ['a tenant with a lone surrogate', { tenant: '\udc00' }, 'INVALID_ARGUMENT'],
    ['an empty scope', { scope: '' }, 'INVALID_ARGUMENT'],
    ['a scope of 1,025 bytes', { scope: 's'.repeat(1_025) }, 'INVALID_ARGUMENT'],
  ])('is refused with %s', (_, change, code) => {
    expect(thrownBy(() => vaultBench(change))).toMatchObject({ code });
  });

  test('has a clock and limits without being asked', async () => {
    const { records, kms } = vaultBench();
    const vault = new KeyVault({ records, kms, tenant: 'acme' });
    await vault.prime();
    const [info] = await vault.records('field');
    expect(info?.created).toBeGreaterThan(1_700_000_000_000);
    expect(columnOf(vault).seal('x')).toMatch(/^kf1:/);
  });
});

describe('what a vault tells', () => {
  test('the audit log hears of keys that are made, unwrapped and retired', async () => {
    const bench = vaultBench({ scope: 'secrets' });
    await bench.vault.prime();
    const id = bench.column.dekIdOf(bench.column.seal('x'));
    bench.clock.advance(5);
    await bench.vault.roll('field');
    await bench.another().vault.load([id ?? '']);
    expect(bench.audit.events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      'key.create success',
      'key.create success',
      'key.retire success',
      'key.load success',
    ]);
    expect(bench.audit.events[3]).toMatchObject({ tenant: 'acme', scope: 'secrets', dek: id, kek: { provider: 'memory', keyId: 'test-key', keyVersion: '1' }, time: bench.clock.now() });
    expect(Object.keys(bench.audit.events[3]?.kek ?? {}).sort()).toEqual(['keyId', 'keyVersion', 'provider']);
  });

  test('failures are audited with their code', async () => {
    const bench = vaultBench();
    bench.kms.fault = outage();
    await codeOf(bench.vault.prime());
    bench.kms.fault = undefined;
    await bench.vault.prime();
    const [key = ''] = await keysIn(bench.records);
    await overwrite(bench.records, key, (bytes) => flipBit(bytes, bytes.byteLength * 8 - 1));
    await codeOf(bench.another().vault.prime());
    expect(bench.audit.events.map(({ action, outcome, code }) => [action, outcome, code])).toEqual([
      ['key.create', 'failure', 'KMS_UNAVAILABLE'],
      ['key.create', 'success', undefined],
      ['key.load', 'failure', 'INTEGRITY_FAILURE'],
    ]);
  });

  test('a sink that does not take an event stops the key from being used', async () => {
    const { vault, column, audit } = vaultBench();
    vi.spyOn(audit, 'record').mockImplementationOnce(() => {
      throw new Error('disk');
    });
    expect(await codeOf(vault.prime())).toBe('AUDIT_FAILED');
    expect(thrownBy(() => column.seal('x'))).toMatchObject(NOT_LOADED);
    await vault.prime();
    expect(column.seal('x')).toMatch(/^kf1:/);
  });

  test('metrics count keys and calls', async () => {
    const { vault, metrics } = vaultBench({ metricsPrefix: 'app' });
    await vault.prime();
    await vault.roll('field');
    const counted = metrics.measurements.filter(({ name }) => name === 'app_data_key_total').map(({ labels }) => labels);
    expect(counted).toEqual([
      { use: 'field', event: 'created' },
      { use: 'field', event: 'created' },
      { use: 'field', event: 'retired' },
    ]);
    expect(metrics.measurements.some(({ name }) => name === 'app_kms_call_duration_seconds')).toBe(true);
  });

  test('its records show state, dates and wraps, and no wrapped key', async () => {
    const { vault, clock } = vaultBench();
    await vault.prime();
    const [info] = await vault.records('field');
    expect(info).toMatchObject({
      identity: { use: 'field', tenant: 'acme', scope: 'default' },
      state: 'active',
      created: clock.now(),
      generation: 1,
      wraps: [{ provider: 'memory', keyId: 'test-key', keyVersion: '1', algorithm: 'memory-wrap-v1' }],
    });
    expect(JSON.stringify(info)).not.toContain('ciphertext');
  });
});

describe('rewrap of a vault key', () => {
  test('changes the record and no value', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const sealed = bench.column.seal('x');
    await bench.kms.rotateKey();
    const [info] = await bench.vault.records('field');
    if (info === undefined) throw new Error('no record');
    const options = { records: bench.records, key: info.key, identity: info.identity, policy: keyPolicy([bench.kms]), target: bench.kms, cache: new KeyCache() };
    expect(await rewrapRecord(options)).toMatchObject({ outcome: 'rewrapped', generation: 3, removed: [{ keyVersion: '1' }], wrap: { keyVersion: '2' } });
    expect(await rewrapRecord(options)).toMatchObject({ outcome: 'unchanged' });
    const { vault, column } = bench.another();
    expect((await column.openAsync(sealed)).value).toBe('x');
    await vault.prime();
    expect(column.dekIdOf(column.seal('y'))).toBe(column.dekIdOf(sealed));
    expect((await vault.records('field')).map(({ wraps }) => wraps.map(({ keyVersion }) => keyVersion))).toEqual([['2']]);
  });

  test('is refused under another tenant, scope, use or DEK id, and for a record that is not there', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const [info] = await bench.vault.records('field');
    if (info === undefined) throw new Error('no record');
    const options = { records: bench.records, key: info.key, policy: keyPolicy([bench.kms]), target: bench.kms, cache: new KeyCache() };
    const { identity } = info;
    for (const wrong of [
      { ...identity, tenant: 'other' },
      { ...identity, scope: 'other' },
      { ...identity, use: 'index-root' as const },
      { ...identity, use: 'audit' as const },
      { ...identity, dekId: patterned(16) },
      { tenant: 'acme', checkpoint: 'default' },
    ]) {
      expect(await codeOf(rewrapRecord({ ...options, identity: wrong }))).toBe('INTEGRITY_FAILURE');
    }
    expect(await codeOf(rewrapRecord({ ...options, identity, key: 'none' }))).toBe('NOT_FOUND');
    expect(bench.kms.calls.get('encrypt')).toBeUndefined();
  });

  test('loses to a retirement that came first, and the other way round', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const [info] = await bench.vault.records('field');
    if (info === undefined) throw new Error('no record');
    await bench.kms.rotateKey();
    const options = { records: bench.records, key: info.key, identity: info.identity, policy: keyPolicy([bench.kms]), target: bench.kms, cache: new KeyCache() };
    const outcomes = await Promise.allSettled([bench.vault.roll('field'), rewrapRecord(options)]);
    expect(outcomes[0].status).toBe('fulfilled');
    if (outcomes[1].status === 'rejected') expect(outcomes[1].reason).toMatchObject({ code: 'CONFLICT' });
    expect(bench.column.open(bench.column.seal('x')).value).toBe('x');
    // Whoever lost, the next look ends it.
    bench.clock.advance(300_000);
    await bench.vault.prime();
    expect(await states(bench.vault)).toEqual(['active', 'decrypt-only']);
  });
});
