import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toHex } from '../src/bytes.ts';
import type { KeyRecord, WrappedKey } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { openRecord } from '../src/sealing/open-record.ts';
import { signKeyRecord } from '../src/sealing/record-mac.ts';
import { vaultKeyBinding, vaultKeySubject } from '../src/sealing/record-subject.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKeyRecordStore } from '../src/testing/memory-key-record-store.ts';
import type { BlindIndexPolicy } from '../src/vault/blind-index.ts';
import { KeyVault, type VaultUse } from '../src/vault/key-vault.ts';
import { dekIdOfKey, recordPrefix, vaultRecordKey } from '../src/vault/record-name.ts';
import { FixedKms, type Recipe, type Summary, bytesOf, casesOf, expectBytes, outcome, suiteNames } from './support/own-vectors.ts';
import { fieldRecordOf, wrapOf } from './support/records.ts';

const KEK = { provider: 'local', keyId: 'k1' };

/** A service whose wraps are the keys themselves. */
class OpenKms extends FixedKms {
  constructor() {
    super(KEK, new Uint8Array(0));
  }

  override decrypt(wrapped?: WrappedKey): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.from(wrapped?.ciphertext ?? []));
  }
}

interface Key {
  /** Default `field`. */
  readonly use?: VaultUse;
  readonly id: string;
  readonly dek: Recipe;
}

/** A vault that has these keys and no others. */
async function vaultOf(tenant: string, keys: readonly Key[]): Promise<KeyVault> {
  const records = new MemoryKeyRecordStore();
  // An identity outside its limits is for the vault itself to refuse.
  const vault = new KeyVault({ records, kms: new OpenKms(), tenant, clock: new ManualClock() });
  for (const { use = 'field', id, dek } of keys) {
    const identity = { use, tenant, scope: 'default', dekId: bytesOf(id) };
    const record = fieldRecordOf({ use, dekId: identity.dekId, binding: vaultKeyBinding(identity), wraps: [wrapOf({ ...KEK, ciphertext: bytesOf(dek) })] });
    await records.create(vaultRecordKey(identity), signKeyRecord(createSecretKey(bytesOf(dek)), record));
  }
  return vault;
}

describe('sealed fields of vectors/v1', () => {
  interface Input {
    readonly keys: readonly Key[];
    readonly tenant: string;
    readonly table: string;
    readonly column: string;
    readonly row?: string;
    readonly content: 'text' | 'bytes';
    readonly mode: 'strict' | 'migrating';
    readonly text?: string;
    readonly binary?: Recipe;
  }
  interface Opened {
    readonly plaintext: Uint8Array;
    readonly legacy: boolean;
  }
  const { valid, invalid } = casesOf<Input, { plaintext: Summary; legacy: boolean }>('field', 'field');

  /** At once, and again when the key is in memory. */
  async function open({ keys, tenant, table, column, row, content, mode, text, binary }: Input): Promise<Opened> {
    const vault = await vaultOf(tenant, keys);
    const policy = { table, column, mode, bind: row === undefined ? 'column' : 'row' } as const;
    const asBytes = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value);
    const opened = async (): Promise<{ value: string | Uint8Array; legacy: boolean }[]> => {
      if (text === undefined) {
        const sealed = vault.column({ ...policy, encoding: 'binary', content });
        const stored = bytesOf(binary ?? '');
        return [await sealed.openAsync(stored, { row }), sealed.open(stored, { row })];
      }
      const sealed = vault.column({ ...policy, encoding: 'text', content });
      return [await sealed.openAsync(text, { row }), sealed.open(text, { row })];
    };
    const [first, second] = await opened();
    expect(second).toEqual(first);
    return { plaintext: asBytes(first?.value ?? ''), legacy: first?.legacy ?? false };
  }

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const { plaintext, legacy } = await open(input);
    expectBytes(plaintext, output.plaintext);
    expect(legacy).toBe(output.legacy);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => open(input))).toEqual({ refused: refusal });
  });
});

describe('blind indexes of vectors/v1', () => {
  interface Input extends Omit<BlindIndexPolicy<'text'>, 'encoding'> {
    readonly root: Recipe;
    readonly tenant: string;
    readonly text?: string;
    readonly binary?: Recipe;
  }
  const { valid, invalid } = casesOf<Input, { value: string }>('blind-index', 'blind-index');

  async function valuesOf({ root, tenant, text, binary, ...policy }: Input): Promise<string[]> {
    const id = '000102030405060708090a0b0c0d0e0f';
    // prime() sees to the keys of fields as well.
    const vault = await vaultOf(tenant, [{ id, dek: root }, { use: 'index-root', id, dek: root }]);
    const value = text ?? bytesOf(binary ?? '');
    const asText = vault.blindIndex({ ...policy, encoding: 'text' });
    const asBytes = vault.blindIndex({ ...policy, encoding: 'binary' });
    await vault.prime();
    return [asText.of(value), toHex(asBytes.of(value)), ...asText.candidates(value)];
  }

  test.each(valid)('$id: $description', async ({ input, output }) => {
    expect(await valuesOf(input)).toEqual([output.value, output.value, output.value]);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => valuesOf(input))).toEqual({ refused: refusal });
  });
});

describe("vaults' key records of vectors/v1", () => {
  interface Input {
    readonly dek: Recipe;
    readonly kek: Pick<WrappedKey, 'provider' | 'keyId'>;
    readonly use: KeyRecord['use'];
    readonly tenant: string;
    readonly scope: string;
    readonly suites: readonly number[];
    readonly record: Recipe;
  }
  interface Output {
    readonly state: string;
    readonly dekId: string;
    readonly generation: number;
    readonly created: number;
    readonly binding: string;
  }
  const all = casesOf<Input, Output>('key-record', 'key-record');
  const ofVaults = <Case extends { readonly input: Input }>(cases: readonly Case[]): Case[] => cases.filter(({ input }) => input.use !== 'checkpoint');

  async function open({ dek, kek, use, tenant, scope, suites, record }: Input): Promise<KeyRecord> {
    if (use === 'checkpoint') throw new Error('no record of a vault');
    const bytes = bytesOf(record);
    const subject = vaultKeySubject({ use, tenant, scope, dekId: bytes.slice(24, 40) });
    const opened = await openRecord(bytes, subject, {
      policy: keyPolicy([new FixedKms(kek, bytesOf(dek))], { suites: suiteNames(suites) }),
      cache: new KeyCache(),
    });
    return opened.parsed.record;
  }

  test.each(ofVaults(all.valid))('$id: $description', async ({ input, output }) => {
    const { state, dekId, generation, created, binding } = await open(input);
    expect({ state, dekId: toHex(dekId), generation, created, binding: toHex(binding) }).toEqual({
      state: output.state,
      dekId: output.dekId,
      generation: output.generation,
      created: output.created,
      binding: output.binding,
    });
  });

  test.each(ofVaults(all.invalid))('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => open(input))).toEqual({ refused: refusal });
  });
});

describe("names of vaults' records of vectors/v1", () => {
  interface Input {
    readonly use: VaultUse;
    readonly tenant: string;
    readonly name: string;
  }
  const { valid, invalid } = casesOf<Input, { dekId: string }>('vault-record', 'vault-record');
  const dekIdIn = ({ use, tenant, name }: Input): Uint8Array | undefined => dekIdOfKey(name, recordPrefix({ use, tenant }));

  test.each(valid)('$id: $description', ({ input, output }) => {
    expect(vaultRecordKey({ ...input, dekId: bytesOf(output.dekId) })).toBe(input.name);
    expect(dekIdIn(input)).toEqual(bytesOf(output.dekId));
  });

  test.each(invalid)('$id is ignored: $reason', ({ input }) => {
    expect(dekIdIn(input)).toBeUndefined();
  });
});
