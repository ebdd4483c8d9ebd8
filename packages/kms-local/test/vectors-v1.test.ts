import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SecretBytes, isKeyfoldError, toHex, type WrappedKey } from '@keyfold/core/provider';
import { describe, expect, test } from 'vitest';
import { bytesOf, casesOf, type Recipe } from '../../../vectors/cases.mjs';
import type { KekSet } from '../src/kek-set.ts';
import { openKeyring, parseKeyring, sealKeyring } from '../src/keyring-format.ts';
import { unlockKey } from '../src/keyring-key.ts';
import { LocalKms } from '../src/local-kms.ts';
import type { LocalKmsClient } from '../src/local-kms-client.ts';
import type { OpenOptions } from '../src/options.ts';
import { collect, tempDirectory } from './support/keyring.ts';

/** The code of what `run` rejects with. */
async function refusalOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    if (isKeyfoldError(error)) return error.code;
    throw error;
  }
  throw new Error('expected a refusal');
}

function privateFile(bytes: Uint8Array): string {
  const path = join(tempDirectory(), 'keyring.kf');
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

describe('local keyrings of vectors/v1', () => {
  interface Input {
    readonly file: Recipe;
    readonly key?: Recipe;
    readonly password?: string;
    readonly passwordBytes?: Recipe;
    readonly minimumGeneration?: number;
  }
  interface Version {
    readonly id: string;
    readonly state: string;
    readonly created: number;
    readonly key: string | null;
  }
  interface Output {
    readonly keyId: string;
    readonly generation: number;
    readonly primary: string;
    readonly versions: readonly Version[];
  }
  const { valid, invalid } = casesOf<Input, Output>('local-keyring', 'local-keyring');
  const optionsOf = ({ key, password, passwordBytes, minimumGeneration }: Input): OpenOptions => ({
    ...(key === undefined ? { password: password ?? bytesOf(passwordBytes ?? '') } : { key: bytesOf(key) }),
    ...(minimumGeneration === undefined ? {} : { minimumGeneration }),
  });

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const sealed = parseKeyring(bytesOf(input.file));
    const keks = openKeyring(sealed, await unlockKey(optionsOf(input), sealed.header.kdf));
    expect({ keyId: sealed.header.keyId, generation: sealed.header.generation, primary: keks.primary }).toEqual({
      keyId: output.keyId,
      generation: output.generation,
      primary: output.primary,
    });
    expect(keks.versions.map(({ id, state, createdAt, key }) => ({ id, state, created: createdAt, key: key?.expose(toHex) ?? null }))).toEqual(output.versions);

    const client = await LocalKms.open(privateFile(bytesOf(input.file)), optionsOf(input));
    const versions = await collect(client.listKeyVersions());
    expect(versions.map(({ id, state }) => [id, state])).toEqual(output.versions.map(({ id, state }) => [id, state]).reverse());
    await client.close();
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await refusalOf(LocalKms.open(privateFile(bytesOf(input.file)), optionsOf(input)))).toBe(refusal);
  });
});

describe('wraps by local keyrings of vectors/v1', () => {
  interface Input {
    readonly keyring: {
      readonly keyId: string;
      readonly primary: string;
      readonly versions: readonly { readonly id: string; readonly state: KekSet['versions'][number]['state']; readonly key: string | null }[];
    };
    readonly wrap: Omit<WrappedKey, 'ciphertext'> & { readonly wrapped: Recipe };
    readonly context: readonly (readonly [string, string])[];
  }
  const { valid, invalid } = casesOf<Input, { key: string }>('local-wrap', 'local-wrap');

  async function open({ keyId, primary, versions }: Input['keyring']): Promise<LocalKmsClient> {
    const key = new Uint8Array(32);
    const keks = {
      primary,
      versions: versions.map((version) => ({ ...version, createdAt: 0, key: version.key === null ? undefined : SecretBytes.adopt(bytesOf(version.key)) })),
    };
    const header = { keyId, generation: 1, kdf: { name: 'none' } } as const;
    const unlocked = await unlockKey({ key }, header.kdf);
    return LocalKms.open(privateFile(sealKeyring(header, keks, unlocked)), { key });
  }

  async function unwrap({ keyring, wrap: { wrapped, ...names }, context }: Input): Promise<Uint8Array> {
    const client = await open(keyring);
    try {
      return await client.decrypt({ ...names, ciphertext: bytesOf(wrapped) }, { context: Object.fromEntries(context) });
    } finally {
      await client.close();
    }
  }

  test.each(valid)('$id: $description', async ({ input, output }) => {
    expect(toHex(await unwrap(input))).toBe(output.key);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await refusalOf(unwrap(input))).toBe(refusal);
  });
});
