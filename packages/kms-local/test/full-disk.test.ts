import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { LocalKms, createLocalKeyFile } from '../src/index.ts';
import { context, filesOf, place, refusal, runWorker } from './support/keyring.ts';
import { remount, testOnTmpfs, tmpfs } from './support/tmpfs.ts';

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, new Uint8Array(4_096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

testOnTmpfs('a full disk is STORAGE_FULL, nothing half-written stays, and the keyring still works', async () => {
  const directory = tmpfs('size=64k');
  const path = join(directory, 'keyring.kf');
  const { key } = place();
  const client = await LocalKms.create(path, { key });
  const { plaintext, wrapped } = await client.generateDataKey({ context });
  fill(join(directory, 'filler'));
  const before = Object.keys(filesOf(directory));
  await refusal('STORAGE_FULL', client.rotateKey());
  await refusal('STORAGE_FULL', client.disableKeyVersion('1'));
  await refusal('STORAGE_FULL', LocalKms.create(join(directory, 'second.kf'), { key }));
  await refusal('STORAGE_FULL', createLocalKeyFile(join(directory, 'key')));
  expect(Object.keys(filesOf(directory))).toEqual(before);
  expect(await client.decrypt(wrapped, { context })).toEqual(plaintext);
  expect(await (await LocalKms.open(path, { key })).testConnection()).toMatchObject({ roundTrip: true });
  rmSync(join(directory, 'filler'));
  expect(await client.rotateKey()).toMatchObject({ id: '2' });
});

testOnTmpfs('a file system without free inodes is STORAGE_FULL at each step, and a later try succeeds', async () => {
  const { key } = place();
  // Root, then so many files and links: each run gets one step further before the inodes end.
  const outcomes: string[] = [];
  for (let inodes = 2; inodes <= 12; inodes++) {
    const directory = tmpfs(`nr_inodes=${inodes}`);
    const path = join(directory, 'keyring.kf');
    try {
      const client = await LocalKms.create(path, { key });
      await client.rotateKey();
      await client.rotateKey();
      await client.destroyKeyVersion('1');
      outcomes.push('done');
    } catch (error) {
      outcomes.push((error as { code: string }).code);
    }
    remount(directory, 'nr_inodes=100');
    const names = Object.keys(filesOf(directory));
    expect(names.filter((name) => name.includes('~'))).toEqual([]);
    const client = names.length === 0 ? await LocalKms.create(path, { key }) : await LocalKms.open(path, { key });
    await client.rotateKey();
  }
  expect(new Set(outcomes)).toEqual(new Set(['STORAGE_FULL', 'done']));
});

testOnTmpfs('a read-only file system is STORAGE_DENIED for changes, and reading goes on even when a change was left half-way', async () => {
  const directory = tmpfs('size=1m');
  const path = join(directory, 'keyring.kf');
  const { key } = place();
  await runWorker({ path, key, actions: ['create'] });
  const { signal } = await runWorker({ path, key, actions: ['open', 'rotate'], killAt: 2 });
  expect(signal).toBe('SIGKILL');
  remount(directory, 'ro');
  const client = await LocalKms.open(path, { key });
  expect(await client.testConnection()).toMatchObject({ roundTrip: true });
  expect(await client.currentKeyVersion()).toMatchObject({ id: '1' });
  await refusal('STORAGE_DENIED', client.rotateKey());
  await client.close();
  remount(directory, 'rw');
  expect(await (await LocalKms.open(path, { key })).currentKeyVersion()).toMatchObject({ id: '2' });
});
