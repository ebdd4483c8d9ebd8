import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { STEP_HOOK } from '../../src/object-stores/file-system/steps.ts';
import { patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { buildForWorkers } from './worker.ts';

const NEVER = new Promise<void>(() => undefined);

/** A replacement, or a delete, that stopped for good with its token in the claim. */
async function interrupted(act: 'replace' | 'delete'): Promise<string> {
  const root = temporaryDirectory();
  let reached = (): void => undefined;
  const claimed = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const dead = new FileSystemObjectStore(root, {
    [STEP_HOOK]: (step) => {
      if (step !== 'swap:claimed') return;
      reached();
      return NEVER;
    },
  });
  await dead.put('a', patterned(100, 'old'), { ifNoneMatch: '*' });
  const { etag = '' } = (await dead.read('a', { maxBytes: 1_000 })) ?? {};
  void (act === 'replace' ? dead.put('a', patterned(100, 'begun'), { ifMatch: etag }) : dead.delete('a', { ifMatch: etag }));
  await claimed;
  return root;
}

test('what was begun is there to the first who reads, and is replaced at the first try', async () => {
  const root = await interrupted('replace');
  const store = new FileSystemObjectStore(root);
  const found = await store.read('a', { maxBytes: 1_000 });
  expect(found?.bytes).toEqual(patterned(100, 'begun'));
  await store.put('a', patterned(100, 'next'), { ifMatch: found?.etag ?? '' });
  expect((await store.read('a', { maxBytes: 1_000 }))?.bytes).toEqual(patterned(100, 'next'));
  expect(readdirSync(root).filter((name) => name.includes('.~'))).toEqual([]);
});

test('a deletion that was begun is done to the first who reads', async () => {
  const store = new FileSystemObjectStore(await interrupted('delete'));
  expect(await store.read('a', { maxBytes: 1_000 })).toBeUndefined();
  await store.put('a', patterned(10), { ifNoneMatch: '*' });
  expect((await store.read('a', { maxBytes: 1_000 }))?.bytes).toEqual(patterned(10));
});

test('what is read is held to its limit also when it is what was begun', async () => {
  const store = new FileSystemObjectStore(await interrupted('replace'));
  await expectCode(store.read('a', { maxBytes: 99 }), 'LIMIT_EXCEEDED');
});

test('a claim without a token, or that is a link, is left as it is, and what stands there is read', async () => {
  const root = temporaryDirectory();
  const store = new FileSystemObjectStore(root);
  await store.put('a', patterned(100), { ifNoneMatch: '*' });
  const { etag = '' } = (await store.read('a', { maxBytes: 1_000 })) ?? {};
  mkdirSync(join(root, `a.~${etag}`));
  expect((await store.read('a', { maxBytes: 1_000 }))?.bytes).toEqual(patterned(100));
  await store.put('b', patterned(50), { ifNoneMatch: '*' });
  const b = (await store.read('b', { maxBytes: 1_000 }))?.etag ?? '';
  const elsewhere = temporaryDirectory();
  writeFileSync(join(elsewhere, `${'0'.repeat(32)}.new`), 'planted');
  symlinkSync(elsewhere, join(root, `b.~${b}`));
  expect((await store.read('b', { maxBytes: 1_000 }))?.bytes).toEqual(patterned(50));
});

test('who may not write reads what stands there', async () => {
  buildForWorkers();
  const root = await interrupted('replace');
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) chmodSync(join(root, name), 0o555);
  chmodSync(root, 0o555);
  const script = `
    const { FileSystemObjectStore } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
    if (process.getuid() === 0) process.setuid(65534);
    const found = await new FileSystemObjectStore(${JSON.stringify(root)}).read('a', { maxBytes: 1_000 });
    process.stdout.write(Buffer.from(found.bytes).toString('hex'));`;
  const read = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  chmodSync(root, 0o700);
  expect(read).toBe(Buffer.from(patterned(100, 'old')).toString('hex'));
}, 120_000);
