import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CheckpointStore } from '../src/checkpoint-store.ts';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { FileSystemObjectStore } from '../src/object-stores/file-system-object-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { fixedKms } from './fixtures/fixed-kms.mjs';
import { buildForWorkers } from './object-stores/worker.ts';
import { digest, gathered, inChunks, patterned } from './support/bytes.ts';
import { runWorker } from './support/checkpoint-worker.ts';
import { expectCode } from './support/expect-code.ts';
import { smallDisk } from './support/small-disk.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const STORES: readonly [string, (root: string) => Promise<CheckpointStore>][] = [
  ['plain', (root) => Promise.resolve(new PlainCheckpointStore({ objects: new FileSystemObjectStore(root) }))],
  ['encrypted', (root) => EncryptedCheckpointStore.open({ objects: new FileSystemObjectStore(root), kms: fixedKms('shared'), tenant: 'acme' })],
];

function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
}

describe.each(STORES)('a full disk under the %s store', (_, open) => {
  test('is STORAGE_FULL, leaves nothing half-written, and keeps what was there', async (context) => {
    const root = smallDisk(context);
    const store = await open(root);
    await store.save('small', patterned(1_000));
    await store.save('large', patterned(1_500_000));
    const before = filesIn(root);
    const big = patterned(6_000_000);
    for (const data of [big, inChunks(big, 70_000)]) await expectCode(store.save('new', data), 'STORAGE_FULL', /Free some space/);
    await expectCode(store.save('large', big, { overwrite: true }), 'STORAGE_FULL');
    await expectCode(store.save('small', big, { overwrite: true }), 'STORAGE_FULL');
    expect(filesIn(root)).toEqual(before);
    expect((await gathered(store.list())).sort()).toEqual(['large', 'small']);
    expect(await store.load('small')).toEqual(patterned(1_000));
    expect(digest(await store.load('large'))).toBe(digest(patterned(1_500_000)));
    await store.save('new', patterned(1_000_000));
    expect(digest(await store.load('new'))).toBe(digest(patterned(1_000_000)));
  });

  test('down to its last block still loads, and goes on when there is room again', async (context) => {
    const root = smallDisk(context);
    const store = await open(root);
    await store.save('old', patterned(300_000), { metadata: { n: 1 } });
    const filler = join(root, 'FILLER');
    execFileSync('sh', ['-c', `cat /dev/zero > '${filler}' 2>/dev/null || true`]);
    const before = filesIn(root);
    for (const size of [10, 300_000]) await expectCode(store.save('new', patterned(size)), 'STORAGE_FULL');
    await expectCode(store.save('old', patterned(10), { overwrite: true }), 'STORAGE_FULL');
    expect(filesIn(root)).toEqual(before);
    expect(digest(await store.load('old'))).toBe(digest(patterned(300_000)));
    expect(await store.readMetadata('old')).toEqual({ n: 1 });
    execFileSync('rm', [filler]);
    await store.save('old', patterned(20), { overwrite: true });
    expect(await store.load('old')).toEqual(patterned(20));
    expect(await store.delete('old')).toBe(true);
    expect(filesIn(root).filter((file) => file.includes('.'))).toEqual([]);
  });
});

describe('a process without the right', () => {
  const asNobody: Readonly<Record<string, string>> = process.getuid?.() === 0 ? { DROP_TO_UID: '65534' } : {};

  beforeAll(() => {
    buildForWorkers();
  }, 120_000);

  async function outcomes(mode: { readonly directory: number; readonly file: number }): Promise<Map<string, string>> {
    const parent = temporaryDirectory();
    chmodSync(parent, 0o755);
    const root = join(parent, 'root');
    const [, open] = STORES[1] ?? [];
    const store = await open?.(root);
    await store?.save('old', patterned(300_000));
    for (const file of filesIn(root)) chmodSync(join(root, file), mode.file);
    chmodSync(root, mode.directory);
    const before = filesIn(root);
    const lines = await runWorker([root, 'try'], asNobody);
    chmodSync(root, 0o700);
    expect(filesIn(root)).toEqual(before);
    expect(digest((await store?.load('old')) ?? new Uint8Array(0))).toBe(digest(patterned(300_000)));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
  }

  test('to write is told STORAGE_DENIED, and reads all the same', async () => {
    const said = await outcomes({ directory: 0o555, file: 0o444 });
    for (const call of ['save', 'save-large', 'overwrite', 'delete']) expect(said.get(call)).toMatch(/^STORAGE_DENIED .*permission denied\. Check owner/);
    // The key is the current one, so the rewrap has nothing to write.
    for (const call of ['load', 'read-metadata', 'list', 'rewrap']) expect(said.get(call)).toBe('OK');
  });

  test('to read is told STORAGE_DENIED by every call', async () => {
    const said = await outcomes({ directory: 0o111, file: 0o000 });
    for (const [call, outcome] of said) expect(`${call} ${outcome}`).toMatch(/ STORAGE_DENIED .*Check owner/);
    expect(said.size).toBe(8);
  });

  test('to look into the root is told so when the store opens', async () => {
    const said = await outcomes({ directory: 0o000, file: 0o000 });
    expect([...said.keys()]).toEqual(['open']);
    expect(said.get('open')).toMatch(/^STORAGE_DENIED .*Check owner/);
  });
});

describe('a root that is a file', () => {
  test('is STORAGE_FAILURE when the encrypted store opens', async () => {
    const root = join(temporaryDirectory(), 'file');
    writeFileSync(root, 'mine');
    const [, open] = STORES[1] ?? [];
    await expectCode(open?.(root) ?? Promise.resolve(), 'STORAGE_FAILURE', /is a file, not a directory\. Move it away/);
  });
});

describe.each(STORES)('a root of the %s store', (_, open) => {
  test('that is a file is STORAGE_FAILURE by every call, and the file is left alone', async () => {
    const root = join(temporaryDirectory(), 'file');
    const store = await open(root);
    writeFileSync(root, 'mine');
    const calls = [() => store.save('a', patterned(1)), () => store.load('a'), () => store.readMetadata('a'), () => store.delete('a'), () => gathered(store.list())];
    for (const call of calls) await expectCode(call, 'STORAGE_FAILURE', /is a file, not a directory\. Move it away/);
    expect(filesIn(join(root, '..'))).toEqual(['file']);
  });

  test('whose parent is missing is STORAGE_FAILURE to a save, and empty to the rest', async () => {
    const store = await open(join(temporaryDirectory(), 'none', 'root'));
    await expectCode(store.save('a', patterned(1)), 'STORAGE_FAILURE', /does not exist\. Create it/);
    expect(await gathered(store.list())).toEqual([]);
    await expectCode(store.load('a'), 'NOT_FOUND');
    expect(await store.delete('a')).toBe(false);
  });

  test('with a directory where an object should be is STORAGE_FAILURE', async () => {
    const root = temporaryDirectory();
    for (const suffix of ['kfk', 'kfp']) mkdirSync(join(root, `a.${suffix}`));
    const store = await open(root);
    await expectCode(store.load('a'), 'STORAGE_FAILURE', /no file but a directory|directory, not a file/);
    await expectCode(store.save('a', patterned(1)), 'STORAGE_FAILURE');
  });
});
