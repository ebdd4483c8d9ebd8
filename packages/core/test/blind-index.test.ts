import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { NORMALISATIONS, blindIndexInfo, normalise } from '../src/format/blind-index.ts';
import { parseKeyRecord } from '../src/format/key-record.ts';
import type { BlindIndex, BlindIndexPolicy } from '../src/vault/blind-index.ts';
import type { KeyVault } from '../src/vault/key-vault.ts';
import { patterned, secretKey, thrownBy } from './support/bytes.ts';
import { codeOf } from './support/checkpoints.ts';
import { rawContext } from './support/fields.ts';
import { expand } from './support/reference.ts';
import { blindIndexKey } from '../src/sealing/blind-index-key.ts';
import { DAY, calls, keysIn, states, vaultBench } from './support/vault.ts';

const POLICY = { table: 'user', column: 'email', index: 'email_eq', normalisation: 'nfc-lower', encoding: 'text' } as const;

/** Computed by another program from the specification. */
const KNOWN = {
  key: '0d15887a6f3ae90a0bf3c1aedbfb7ff655d8761d4bf211cac1859d552f7023c7',
  value: '59036e8504eaf913657ce99e014c9708',
};

/** An index value as its specification has it. */
function reference(root: Uint8Array, tenant: string, text: string, change: { normalisation?: string; version?: string } = {}): string {
  const entries = rawContext([
    ['column', 'email'],
    ['index', 'email_eq'],
    ['normalisation', change.normalisation ?? 'nfc-lower'],
    ['table', 'user'],
    ['tenant', tenant],
    ['version', change.version ?? '1'],
  ]);
  const key = expand(root, Buffer.concat([Buffer.from('keyfold/blind-index/v1\0'), entries]), 32);
  return createHmac('sha256', key).update(text).digest('hex').slice(0, 32);
}

function indexOf(vault: KeyVault, change: Partial<BlindIndexPolicy<'text'>> = {}): BlindIndex<string> {
  return vault.blindIndex({ ...POLICY, ...change });
}

describe('a blind index', () => {
  test('is the first half of an HMAC under a key that is derived for tenant, table, column, index, normalisation and version', async () => {
    const { vault, kms } = vaultBench();
    const index = indexOf(vault);
    await vault.prime();
    const root = kms.deks.at(-1) ?? new Uint8Array(0);
    expect(index.of('Ann@Example.com')).toBe(reference(root, 'acme', 'ann@example.com'));
    expect(index.of('ÉVA')).toBe(reference(root, 'acme', 'éva'));
    const binary = vault.blindIndex({ ...POLICY, encoding: 'binary' });
    expect(Buffer.from(binary.of('a')).toString('hex')).toBe(reference(root, 'acme', 'a'));
    expect(binary.of('a').byteLength).toBe(16);
    expect(indexOf(vault, { version: 12 }).of('a')).toBe(reference(root, 'acme', 'a', { version: '12' }));
    expect(indexOf(vault, { normalisation: 'none' }).of('A')).toBe(reference(root, 'acme', 'A', { normalisation: 'none' }));
  });

  test('has known answers', () => {
    const root = secretKey(Uint8Array.from({ length: 32 }, (_, i) => i));
    const name = { tenant: 'acme', table: 'user', column: 'email', index: 'email_eq', normalisation: 'nfc-lower', version: 1 } as const;
    expect(Buffer.from(blindIndexKey(root, name).export()).toString('hex')).toBe(KNOWN.key);
    expect(createHmac('sha256', blindIndexKey(root, name)).update('ann@example.com').digest('hex').slice(0, 32)).toBe(KNOWN.value);
    expect(Buffer.from(blindIndexInfo(name)).toString('hex')).toMatch(/^6b6579666f6c642f626c696e642d696e6465782f763100/);
  });

  test('differs by tenant, table, column, index, normalisation and version', async () => {
    const { vault } = vaultBench();
    const base = indexOf(vault);
    const others = ([{ table: 'x' }, { column: 'x' }, { index: 'x' }, { normalisation: 'nfc' }, { version: 2 }] as const).map((change) => indexOf(vault, change));
    await vault.prime();
    expect(new Set([base, ...others].map((index) => index.of('a'))).size).toBe(6);
  });

  test('has a root of its own: a record of use 03, made by one call to the KMS and never a field key', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    expect(calls(bench).made).toBe(1);
    indexOf(bench.vault);
    await bench.vault.prime();
    await bench.vault.prime();
    expect(calls(bench)).toEqual({ made: 2, unwrapped: 0 });
    const uses = await Promise.all((await keysIn(bench.records)).map(async (key) => parseKeyRecord((await bench.records.get(key))?.bytes ?? new Uint8Array(0)).record.use));
    expect(uses).toEqual(['field', 'index-root']);
    expect((await keysIn(bench.records)).map((key) => key.split('/')[0])).toEqual(['field', 'index-root']);
  });

  test('is the same in every process', async () => {
    const bench = vaultBench();
    const other = bench.another();
    const [one, two] = [indexOf(bench.vault), indexOf(other.vault)];
    await bench.vault.prime();
    await other.vault.prime();
    expect(one.of('a')).toBe(two.of('a'));
    expect(one.candidates('a')).toEqual([one.of('a')]);
  });

  test('refuses to be used before prime()', () => {
    const { vault } = vaultBench();
    expect(thrownBy(() => indexOf(vault).of('a'))).toMatchObject({ code: 'KEY_NOT_LOADED' });
    expect(thrownBy(() => indexOf(vault).candidates('a'))).toMatchObject({ code: 'KEY_NOT_LOADED' });
  });

  test('keeps its root however old it is and however much it is used', async () => {
    const { vault, clock } = vaultBench({ maxSeals: 3, maxKeyAgeMs: DAY });
    const index = indexOf(vault);
    await vault.prime();
    const value = index.of('a');
    for (let i = 0; i < 10; i++) index.of(String(i));
    clock.advance(400 * DAY);
    await vault.prime();
    expect(index.of('a')).toBe(value);
    expect(await states(vault, 'index-root')).toEqual(['active']);
  });
});

describe('the candidates of a search', () => {
  test('are of the current version and the former ones', async () => {
    const { vault, kms } = vaultBench();
    const index = indexOf(vault, { version: 3, previousVersions: [2, 1] });
    await vault.prime();
    const root = kms.deks.at(-1) ?? new Uint8Array(0);
    expect(index.candidates('A')).toEqual(['3', '2', '1'].map((version) => reference(root, 'acme', 'a', { version })));
    expect(index.of('A')).toBe(index.candidates('A')[0]);
  });

  test('are of the current root and the former ones, also in a process that starts later', async () => {
    const bench = vaultBench();
    const index = indexOf(bench.vault);
    await bench.vault.prime();
    const before = index.of('a');
    bench.clock.advance(1_000);
    await bench.vault.roll('index-root');
    expect(index.of('a')).not.toBe(before);
    expect(index.candidates('a')).toEqual([index.of('a'), before]);
    expect(await states(bench.vault, 'index-root')).toEqual(['active', 'decrypt-only']);
    const later = bench.another();
    const other = indexOf(later.vault);
    await later.vault.prime();
    expect(other.candidates('a')).toEqual(index.candidates('a'));
  });

  test('are refused when not every root is loaded: rows would be missed', async () => {
    const bench = vaultBench();
    indexOf(bench.vault);
    await bench.vault.prime();
    await bench.vault.roll('index-root');
    const { vault } = bench.another({ maxKeysInMemory: 1 });
    const index = indexOf(vault);
    await vault.prime();
    expect(thrownBy(() => index.candidates('a'))).toMatchObject({ code: 'KEY_NOT_LOADED' });
    expect(index.of('a')).toMatch(/^[0-9a-f]{32}$/);
  });

  test('of a vault with a damaged root are none: prime() fails', async () => {
    const bench = vaultBench();
    indexOf(bench.vault);
    await bench.vault.prime();
    await bench.vault.roll('index-root');
    const [, former] = await bench.vault.records('index-root');
    const stored = await bench.records.get(former?.key ?? '');
    const damaged = Uint8Array.from(stored?.bytes ?? []);
    damaged.set([1], damaged.byteLength - 1);
    await bench.records.compareAndSwap(former?.key ?? '', stored?.version ?? '', damaged);
    const { vault } = bench.another();
    indexOf(vault);
    expect(await codeOf(vault.prime())).toBe('INTEGRITY_FAILURE');
  });
});

describe('what a blind index takes for equal', () => {
  const equal = (normalisation: (typeof NORMALISATIONS)[number], a: string, b: string): boolean =>
    Buffer.from(normalise(a, normalisation)).equals(normalise(b, normalisation));

  test.each([
    ['e\u0301', 'é', false, true, true],
    ['A', 'a', false, false, true],
    ['É', 'e\u0301', false, false, true],
    ['J\u030c', 'ǰ', false, false, true],
    ['ΟΔΟΣ', 'οδος', false, false, true],
    ['ﬁ', 'fi', false, false, false],
    ['ß', 'ss', false, false, false],
    ['a', 'a ', false, false, false],
    ['\ufeffa', 'a', false, false, false],
    ['\u212a', 'K', false, true, true],
  ] as const)('%j and %j: none %s, nfc %s, nfc-lower %s', (a, b, none, nfc, lower) => {
    expect([equal('none', a, b), equal('nfc', a, b), equal('nfc-lower', a, b)]).toEqual([none, nfc, lower]);
  });

  test('bytes are taken as they are, and only without normalisation', async () => {
    const { vault } = vaultBench();
    const index = indexOf(vault, { normalisation: 'none' });
    await vault.prime();
    const bytes = patterned(10);
    expect(index.of(bytes)).toMatch(/^[0-9a-f]{32}$/);
    expect(bytes).toEqual(patterned(10));
    expect(index.of(Buffer.from('é'))).toBe(index.of('é'));
    for (const normalisation of ['nfc', 'nfc-lower'] as const) {
      expect(thrownBy(() => indexOf(vault, { normalisation }).of(bytes))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  test.each([['number', 7], ['null', null], ['lone surrogate', '\ud800'], ['array', [1]]])('no %s', async (_, value) => {
    const { vault } = vaultBench();
    const indexes = NORMALISATIONS.map((normalisation) => indexOf(vault, { normalisation }));
    await vault.prime();
    for (const index of indexes) expect(thrownBy(() => index.of(value as unknown as string))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('the policy of a blind index', () => {
  test.each([
    ['an unknown normalisation', { normalisation: 'nfkc' }],
    ['a normalisation from the prototype', { normalisation: 'toString' }],
    ['an unknown encoding', { encoding: 'base64' }],
    ['version 0', { version: 0 }],
    ['half a version', { version: 1.5 }],
    ['a version that is a string', { version: '1' }],
    ['a former version of 0', { previousVersions: [0] }],
    ['an empty table', { table: '' }],
    ['an empty column', { column: '' }],
    ['an empty index', { index: '' }],
    ['an index with a lone surrogate', { index: '\ud800' }],
  ])('is refused with %s', (_, change) => {
    const { vault } = vaultBench();
    expect(thrownBy(() => vault.blindIndex({ ...POLICY, ...(change as object) }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
