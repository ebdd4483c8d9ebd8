import type { SuiteName } from '@keyfold/core';
import { isKeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { bytesOf, casesOf, summary, type Recipe, type Summary } from '../../../vectors/cases.mjs';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import type { CheckpointReceipt } from '../src/encrypted/receipt.ts';
import { VisibleNames } from '../src/encrypted/visible-names.ts';
import { dataName, encodeId, idOfRecord, recordName } from '../src/object-names.ts';
import { MemoryObjectStore } from '../src/object-stores/memory-object-store.ts';
import { rejection } from './support/expect-code.ts';
import { KeyringKms, type Keyring } from './support/keyring-kms.ts';

const SUITES = new Map<number, SuiteName>([
  [1, 'cobblestone-256'],
  [2, 'aes-256-cbc-hmac-sha256'],
  [3, 'aes-256-gcm'],
]);

async function refusalOf(run: Promise<unknown> | (() => unknown)): Promise<string> {
  const error = await rejection(run);
  if (isKeyfoldError(error)) return error.code;
  throw error;
}

describe('checkpoints of vectors/v1', () => {
  interface Input {
    readonly keyrings: readonly Keyring[];
    readonly tenant: string;
    readonly checkpoint: string;
    readonly suites: readonly number[];
    readonly record: Recipe;
    readonly data: Recipe | null;
    readonly receipt?: CheckpointReceipt;
    readonly minimumGeneration?: number;
  }
  interface Output {
    readonly generation: number;
    readonly objectId: string;
    readonly commitment: string;
    readonly metadata: unknown;
    readonly plaintext: Summary;
  }
  const { valid, invalid } = casesOf<Input, Output>('checkpoint', 'checkpoint');

  /** A store over what the case has, as somebody put it there. */
  async function openStore({ keyrings, tenant, checkpoint, suites, record, data }: Input): Promise<EncryptedCheckpointStore> {
    const objects = new MemoryObjectStore();
    const bytes = bytesOf(record);
    const objectId = Buffer.from(bytes.subarray(8, 24)).toString('hex');
    await objects.put(recordName(checkpoint), bytes);
    if (data !== null && objectId.length === 32) await objects.put(dataName(checkpoint, objectId), bytesOf(data));
    const [kms, ...acceptedKms] = keyrings.map((keyring) => new KeyringKms(keyring));
    if (kms === undefined) throw new Error('a case without keyrings');
    const acceptedAlgorithms = suites.flatMap((suite) => SUITES.get(suite) ?? []);
    const [algorithm = 'aes-256-gcm'] = acceptedAlgorithms;
    return EncryptedCheckpointStore.open({ objects, kms, acceptedKms, tenant, encryption: { algorithm, acceptedAlgorithms }, testKms: false });
  }

  const expecting = ({ receipt, minimumGeneration }: Input): { expect?: CheckpointReceipt; minimumGeneration?: number } => ({
    ...(receipt === undefined ? {} : { expect: receipt }),
    ...(minimumGeneration === undefined ? {} : { minimumGeneration }),
  });

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const store = await openStore(input);
    expect(summary(await store.load(input.checkpoint, expecting(input)))).toEqual(output.plaintext);
    expect(await store.readMetadata(input.checkpoint)).toEqual(output.metadata);
    const { generation, objectId, commitment } = output;
    expect(await store.load(input.checkpoint, { expect: { generation, objectId, commitment } })).toBeDefined();
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    const store = await openStore(input);
    expect(await refusalOf(store.load(input.checkpoint, expecting(input)))).toBe(refusal);
  });
});

describe('object names of vectors/v1', () => {
  const ids = casesOf<{ id: string }, { name: string }>('object-name', 'object-name');
  const names = casesOf<{ name: string }, { id: string }>('object-name', 'object-name-decode');

  test.each(ids.valid)('$id: $description', ({ input, output }) => {
    expect(encodeId(input.id)).toBe(output.name);
    expect(idOfRecord(`${output.name}.kfk`)).toBe(input.id);
  });

  test.each(ids.invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await refusalOf(() => encodeId(input.id))).toBe(refusal);
  });

  test.each(names.invalid)('$id belongs to nobody: $reason', ({ input }) => {
    expect(idOfRecord(`${input.name}.kfk`)).toBeUndefined();
  });

  const kinds = casesOf<{ name: string }, { kind: string; id: string; objectId?: string }>('object-name', 'object-kind');
  const visible = new VisibleNames();

  test.each(kinds.valid)('$id: $description', ({ input, output: { id, ...output } }) => {
    expect(visible.parse(input.name)).toEqual({ ...output, stem: id });
  });

  test.each(kinds.invalid)('$id belongs to nobody: $reason', ({ input }) => {
    expect(visible.parse(input.name)).toEqual({ kind: 'other' });
  });
});
