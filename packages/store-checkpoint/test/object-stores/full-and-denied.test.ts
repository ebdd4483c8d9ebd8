import { execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { bytes, chunksOf, codeOf, etagOf, namesOf, pattern, textOf } from './conformance.ts';
import { everythingIn, temporaryRoot } from './temporary-root.ts';
import { buildForWorkers, runWorker } from './worker.ts';

function mount(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path], { stdio: 'pipe' });
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    return false;
  }
}

describe('a full disk', () => {
  let root: string;
  let cleanup: () => Promise<void>;

  beforeEach(async () => {
    ({ root, cleanup } = await temporaryRoot());
    await mkdir(root);
  });
  afterEach(() => cleanup());

  it('is STORAGE_FULL for every kind of write, which leaves the old and no remains', async (context) => {
    if (!mount(root)) {
      context.skip('mounting a small file system takes the right to mount');
      return;
    }
    try {
      const store = new FileSystemObjectStore(root);
      await store.put('x', bytes('old'));
      const large = pattern(400_000);
      for (const body of [large, pattern(2_000_000), chunksOf(large, 1_000), chunksOf(large, 300_000)]) {
        expect(await codeOf(store.put('y', body))).toBe('STORAGE_FULL');
      }
      expect(await codeOf(store.put('y', large, { ifNoneMatch: '*' }))).toBe('STORAGE_FULL');
      expect(await codeOf(store.put('x', large))).toBe('STORAGE_FULL');
      expect(await codeOf(store.put('x', large, { ifMatch: await etagOf(store, 'x') }))).toBe('STORAGE_FULL');
      expect(await textOf(store, 'x')).toBe('old');
      expect(await everythingIn(root)).toEqual(['x']);

      // To the last block: what takes a little space fails whole, and an unconditional delete makes room.
      for (let filler = 0, full = false; !full; filler += 1) {
        full = (await codeOf(store.put(`filler-${filler}`, pattern(4_000)))) === 'STORAGE_FULL';
      }
      expect(await codeOf(store.put('x', bytes('new'), { ifMatch: await etagOf(store, 'x') }))).toBe('STORAGE_FULL');
      expect(await codeOf(store.delete('x', { ifMatch: await etagOf(store, 'x') }))).toBe('STORAGE_FULL');
      expect(await textOf(store, 'x')).toBe('old');
      expect(await store.delete('filler-0')).toBe(true);
      await store.put('x', bytes('new'), { ifMatch: await etagOf(store, 'x') });
      expect(await textOf(store, 'x')).toBe('new');
      expect((await namesOf(store)).filter((name) => !name.startsWith('filler-'))).toEqual(['x']);
    } finally {
      execFileSync('umount', [root]);
    }
  });
});

describe('a process without the right', () => {
  const NOBODY = { DROP_TO_UID: '65534' };
  const denied = process.getuid?.() === 0 ? NOBODY : {};
  let root: string;
  let cleanup: () => Promise<void>;

  beforeAll(() => {
    buildForWorkers();
  }, 120_000);
  beforeEach(async () => {
    ({ root, cleanup } = await temporaryRoot());
    await chmod(dirname(root), 0o755);
    await new FileSystemObjectStore(root).put('dir/object.kfk', bytes('old'));
  });
  afterEach(async () => {
    await chmod(join(root), 0o700);
    await chmod(join(root, 'dir'), 0o700);
    await cleanup();
  });

  it.each(['put', 'replace', 'delete', 'delete without a condition', 'sweep'])('to write is told so by %s', async (action) => {
    // For the sweep: a body that its writer left.
    const left = `~${'0'.repeat(32)}.tmp`;
    await writeFile(join(root, 'dir', left), '', { mode: 0o644 });
    await chmod(root, 0o555);
    await chmod(join(root, 'dir'), 0o555);
    await chmod(join(root, 'dir/object.kfk'), 0o444);
    const { lines } = await runWorker(root, action, -1, denied);
    expect(lines.at(-1)).toMatch(/^STORAGE_DENIED .*dir\/(object\.kfk|~0+\.tmp).*permission/);
    expect(await everythingIn(root)).toEqual(['dir', 'dir/object.kfk', `dir/${left}`].sort());
  });

  it('to read is told STORAGE_DENIED', async () => {
    await chmod(root, 0o555);
    await chmod(join(root, 'dir'), 0o555);
    await chmod(join(root, 'dir/object.kfk'), 0o000);
    const { lines } = await runWorker(root, 'read', -1, denied);
    expect(lines.at(-1)).toMatch(/^STORAGE_DENIED Could not read object "dir\/object\.kfk"/);
  });

  it('to enter a directory is told STORAGE_DENIED', async () => {
    await chmod(root, 0o000);
    const { lines } = await runWorker(root, 'read', -1, denied);
    expect(lines.at(-1)).toMatch(/^STORAGE_DENIED /);
  });

  it('to list a directory is told STORAGE_DENIED', async () => {
    await chmod(root, 0o555);
    await chmod(join(root, 'dir'), 0o000);
    const { lines } = await runWorker(root, 'list', -1, denied);
    expect(lines.at(-1)).toMatch(/^STORAGE_DENIED Could not list a directory .*dir/);
  });

  it('to create its root is told STORAGE_DENIED', async () => {
    await chmod(dirname(root), 0o555);
    const { lines } = await runWorker(join(dirname(root), 'another'), 'put', -1, denied);
    expect(lines.at(-1)).toMatch(/^STORAGE_DENIED .*another/);
  });
});
