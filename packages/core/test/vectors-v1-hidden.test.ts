import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toHex } from '../src/bytes.ts';
import { hkdfExpandSha512 } from '../src/crypto/hkdf.ts';
import { label } from '../src/format/context.ts';
import { HiddenNames, hiddenTenantName } from '../src/sealing/hidden-names.ts';
import { type Recipe, bytesOf, casesOf, orRefuse, outcome } from './support/own-vectors.ts';

describe('hidden names of vectors/v1', () => {
  interface Input {
    readonly dek: Recipe;
    readonly tenant: string;
    readonly id: string;
  }
  interface Output {
    readonly nameKey: string;
    readonly idKey: string;
    readonly record: string;
  }
  // Which ids a store refuses is its own affair: its tests run the invalid cases.
  const { valid } = casesOf<Input, Output>('hidden-name', 'hidden-name');

  test.each(valid)('$id: $description', ({ input, output }) => {
    const dek = createSecretKey(bytesOf(input.dek));
    const keyOf = (use: string): string => toHex(hkdfExpandSha512(dek, label(`keyfold/hidden-names-${use}-key/v1`), 32));
    expect([keyOf('mac'), keyOf('id')]).toEqual([output.nameKey, output.idKey]);
    expect(`${hiddenTenantName(input.tenant)}/${new HiddenNames(dek, input.tenant).nameOf(input.id)}.kfh`).toBe(output.record);
  });
});

describe('ids in front of records of vectors/v1', () => {
  interface Input {
    readonly dek: Recipe;
    readonly tenant: string;
    readonly object: string;
    readonly stored: Recipe;
  }
  const { valid, invalid } = casesOf<Input, { readonly id: string }>('hidden-name', 'hidden-id');

  /** What a store does with each object of the tenant whose suffix is that of records. */
  function idOf({ dek, tenant, object, stored }: Input): string {
    const root = `${hiddenTenantName(tenant)}/`;
    const name = object.startsWith(root) && object.endsWith('.kfh') ? object.slice(root.length, -'.kfh'.length) : undefined;
    return orRefuse(name === undefined ? undefined : new HiddenNames(createSecretKey(bytesOf(dek)), tenant).idOf(name, bytesOf(stored)));
  }

  test.each(valid)('$id: $description', ({ input, output }) => {
    expect(idOf(input)).toBe(output.id);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => idOf(input))).toEqual({ refused: refusal });
  });
});
