import { createSecretKey } from 'node:crypto';
import { HiddenNames, type SuiteName, isKeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { type Recipe, type Summary, bytesOf, casesOf, summary } from '../../../vectors/cases.mjs';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { HiddenCheckpointNames, nameKeyObject } from '../src/encrypted/hidden-checkpoint-names.ts';
import type { CheckpointReceipt } from '../src/encrypted/receipt.ts';
import { MemoryObjectStore } from '../src/object-stores/memory-object-store.ts';
import { rejection } from './support/expect-code.ts';
import { KeyringKms, type Keyring } from './support/keyring-kms.ts';

const ALGORITHMS: readonly SuiteName[] = ['cobblestone-256', 'aes-256-cbc-hmac-sha256', 'aes-256-gcm'];

interface Stored {
  readonly keyrings: readonly Keyring[];
  readonly tenant: string;
  readonly objects: Readonly<Record<string, Recipe>>;
}

async function refusalOf(run: Promise<unknown> | (() => unknown)): Promise<string> {
  const error = await rejection(run);
  if (isKeyfoldError(error)) return error.code;
  throw error;
}

/** Notes the names of what is read. */
class WatchedObjectStore extends MemoryObjectStore {
  readonly #read: string[];

  constructor(read: string[]) {
    super();
    this.#read = read;
  }

  override read(name: string, options: Parameters<MemoryObjectStore['read']>[1]): ReturnType<MemoryObjectStore['read']> {
    this.#read.push(name);
    return super.read(name, options);
  }
}

/** A store over objects that somebody put there. */
async function openStore({ keyrings, tenant, objects: stored }: Stored, read: string[] = []): Promise<EncryptedCheckpointStore> {
  const objects = new WatchedObjectStore(read);
  for (const [name, recipe] of Object.entries(stored)) await objects.put(name, bytesOf(recipe));
  const [kms, ...acceptedKms] = keyrings.map((keyring) => new KeyringKms(keyring));
  if (kms === undefined) throw new Error('a case without keyrings');
  const encryption = { algorithm: 'aes-256-gcm', acceptedAlgorithms: ALGORITHMS } as const;
  return EncryptedCheckpointStore.open({ objects, kms, acceptedKms, tenant, encryption, hideNames: true, testKms: false });
}

describe('hidden names of vectors/v1', () => {
  interface Input {
    readonly dek: Recipe;
    readonly tenant: string;
    readonly id: string;
    readonly objectId: string;
  }
  interface Output {
    readonly nameKeyObject: string;
    readonly record: string;
    readonly data: string;
    readonly mark: string;
  }
  const { valid, invalid } = casesOf<Input, Output>('hidden-name', 'hidden-name');
  const namesOf = ({ dek, tenant }: Input): HiddenCheckpointNames =>
    new HiddenCheckpointNames(new HiddenNames(createSecretKey(bytesOf(dek)), tenant), tenant);

  test.each(valid)('$id: $description', ({ input, output }) => {
    const names = namesOf(input);
    const stem = names.stem(input.id);
    expect(names.record(stem)).toBe(output.record);
    expect(names.data(stem, input.objectId)).toBe(output.data);
    expect(names.mark(stem, input.objectId)).toBe(output.mark);
    expect(nameKeyObject(input.tenant)).toBe(output.nameKeyObject);
    expect(names.isOwn(output.nameKeyObject)).toBe(true);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await refusalOf(() => namesOf(input).stem(input.id))).toBe(refusal);
  });
});

describe('objects with hidden names of vectors/v1', () => {
  const { valid, invalid } = casesOf<{ tenant: string; name: string }, { kind: string; name?: string; objectId?: string }>('hidden-name', 'hidden-object');
  const names = (tenant: string): HiddenCheckpointNames => new HiddenCheckpointNames(new HiddenNames(createSecretKey(new Uint8Array(32)), tenant), tenant);

  test.each(valid)('$id: $description', ({ input, output: { kind, name = '', ...output } }) => {
    const of = names(input.tenant);
    expect(of.isOwn(input.name)).toBe(kind === 'name-key');
    expect(of.parse(input.name)).toEqual(kind === 'name-key' ? { kind: 'other' } : { ...output, kind, stem: of.root + name });
  });

  test.each(invalid)('$id belongs to nobody: $reason', ({ input }) => {
    expect(names(input.tenant).parse(input.name)).toEqual({ kind: 'other' });
    expect(names(input.tenant).isOwn(input.name)).toBe(false);
  });
});

describe('name keys of vectors/v1', () => {
  interface Input extends Omit<Stored, 'objects'> {
    readonly stored: Recipe;
    readonly id: string;
  }
  const { valid, invalid } = casesOf<Input, { record: string }>('hidden-checkpoint', 'hidden-name-key');
  const storedOf = (input: Input): Stored => ({ ...input, objects: { [nameKeyObject(input.tenant)]: input.stored } });

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const read: string[] = [];
    const store = await openStore(storedOf(input), read);
    expect(await refusalOf(store.load(input.id))).toBe('NOT_FOUND');
    expect(read).toEqual([nameKeyObject(input.tenant), output.record]);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await refusalOf(openStore(storedOf(input)))).toBe(refusal);
  });
});

describe('checkpoints with hidden names of vectors/v1', () => {
  interface Input extends Stored {
    readonly checkpoint: string;
    readonly receipt?: CheckpointReceipt;
  }
  interface Output extends CheckpointReceipt {
    readonly metadata: unknown;
    readonly plaintext: Summary;
  }
  const { valid, invalid } = casesOf<Input, Output>('hidden-checkpoint', 'hidden-checkpoint');
  const expecting = ({ receipt }: Input): { expect?: CheckpointReceipt } => (receipt === undefined ? {} : { expect: receipt });

  test.each(valid)('$id: $description', async ({ input, output: { metadata, plaintext, ...receipt } }) => {
    const store = await openStore(input);
    expect(summary(await store.load(input.checkpoint, expecting(input)))).toEqual(plaintext);
    expect(await store.load(input.checkpoint, { expect: receipt })).toBeDefined();
    expect(await store.readMetadata(input.checkpoint)).toEqual(metadata);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    const load = async (): Promise<unknown> => (await openStore(input)).load(input.checkpoint, expecting(input));
    expect(await refusalOf(load())).toBe(refusal);
  });
});

describe('listings of hidden names of vectors/v1', () => {
  const { valid } = casesOf<Stored, { ids: string[]; damaged: boolean }>('hidden-checkpoint', 'hidden-list');

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const store = await openStore(input);
    const ids: string[] = [];
    const listed = async (): Promise<void> => {
      for await (const id of store.list()) ids.push(id);
    };
    if (output.damaged) expect(await refusalOf(listed())).toBe('INTEGRITY_FAILURE');
    else await listed();
    expect(ids.toSorted()).toEqual(output.ids);
  });
});
