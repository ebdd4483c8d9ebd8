import { createSecretKey } from 'node:crypto';
import { KeyfoldError } from '@keyfold/core/provider';
import { expect, it } from 'vitest';
import { LocalKms } from '../src/index.ts';
import { KeyringFile } from '../src/keyring-file.ts';
import { KeyringPaths } from '../src/keyring-paths.ts';
import { KeyringSession } from '../src/keyring-session.ts';
import { place, refusal } from './support/keyring.ts';

async function session(): Promise<KeyringSession> {
  const { path, key } = place();
  await (await LocalKms.create(path, { key })).close();
  const file = new KeyringFile(new KeyringPaths(path));
  return KeyringSession.start({ file, key: createSecretKey(key), minimumGeneration: 1 });
}

it('closing overwrites every key in memory', async () => {
  const opened = await session();
  const keys = opened.keks.versions.map(({ key }) => key);
  expect(keys.map((key) => key?.disposed)).toEqual([false]);
  await opened.close();
  expect(keys.map((key) => key?.disposed)).toEqual([true]);
  await refusal('CLOSED', () => opened.keks);
});

it('reading the file again overwrites the keys that were read before', async () => {
  const opened = await session();
  const [before] = opened.keks.versions;
  await opened.reload();
  expect(before?.key?.disposed).toBe(true);
  expect(opened.keks.versions[0]?.key?.disposed).toBe(false);
});

it('a file that has not changed is not read again', async () => {
  const opened = await session();
  const before = opened.keks;
  await opened.refresh();
  expect(opened.keks).toBe(before);
});

it('a change that is refused leaves the keys usable', async () => {
  const opened = await session();
  const refused = (): never => {
    throw new KeyfoldError('ROTATION_LIMIT', 'no');
  };
  await refusal('ROTATION_LIMIT', opened.update(refused, undefined));
  expect(opened.keks.versions[0]?.key?.disposed).toBe(false);
  expect(opened.generation).toBe(1);
});

it('closing waits for a change under way, and overwrites the keys that it made, too', async () => {
  const opened = await session();
  const change = opened.update((keks) => keks, undefined);
  await opened.close();
  const { versions } = await change;
  expect(versions.map(({ key }) => key?.disposed)).toEqual([true]);
});
