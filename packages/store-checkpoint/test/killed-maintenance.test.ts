import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { FileSystemObjectStore } from '../src/object-stores/file-system-object-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { fixedKms } from './fixtures/fixed-kms.mjs';
import { buildForWorkers } from './object-stores/worker.ts';
import { digest, gathered, patterned } from './support/bytes.ts';
import { namesIn } from './support/objects.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const WORKER = join(import.meta.dirname, 'fixtures/maintenance-worker.mjs');
const SIZES = [0, 1_000, 400_000, 2_500_000];

beforeAll(() => {
  buildForWorkers();
}, 120_000);

/** The report, or undefined when the worker was killed. */
function work(root: string, action: 'gc' | 'migrate', dieAt: number, days = 0): Promise<Record<string, number> | undefined> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [WORKER, root, action, String(dieAt), String(days)], (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve(undefined);
      else if (error !== null) reject(new Error(stderr));
      else resolve(JSON.parse(stdout) as Record<string, number>);
    });
  });
}

function open(root: string): Promise<{ readonly objects: FileSystemObjectStore; readonly store: EncryptedCheckpointStore; readonly plain: PlainCheckpointStore }> {
  const objects = new FileSystemObjectStore(root);
  const plain = new PlainCheckpointStore({ objects });
  return EncryptedCheckpointStore.open({ objects, kms: fixedKms('shared'), tenant: 'acme' }).then((store) => ({ objects, store, plain }));
}

/** Small numbers that are the same in every run. */
function* seeded(state: number): Generator<number, never, undefined> {
  for (;;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state;
  }
}

describe('a migration that is killed at any operation', () => {
  test('loses nothing, and is ended by the next run', async () => {
    const whole = temporaryDirectory();
    const first = await open(whole);
    for (const [n, size] of SIZES.entries()) await first.plain.save(`Job/${n}`, patterned(size, n), { metadata: { n } });
    const { operations = 0 } = (await work(whole, 'migrate', -1)) ?? {};
    expect(operations).toBeGreaterThan(40);

    const root = temporaryDirectory();
    const { store, plain, objects } = await open(root);
    for (const [n, size] of SIZES.entries()) await plain.save(`Job/${n}`, patterned(size, n), { metadata: { n } });
    const random = seeded(7);
    let kills = 0;
    // Each run gets further than the one before, since less is left to do.
    for (let dieAt = 2; kills < 40; dieAt += 1 + (random.next().value % 4)) {
      if ((await work(root, 'migrate', dieAt + (random.next().value % 2) / 2)) !== undefined) break;
      kills++;
      for (const [n, size] of SIZES.entries()) {
        const id = `Job/${n}`;
        const sealed = await store.load(id).catch(() => undefined);
        // Encrypted and whole, or still in plaintext; perhaps both, never neither.
        const data = sealed ?? (await plain.load(id));
        expect(digest(data)).toBe(digest(patterned(size, n)));
      }
    }
    expect(kills).toBeGreaterThan(5);
    await work(root, 'migrate', -1);
    expect(await gathered(plain.list())).toEqual([]);
    for (const [n, size] of SIZES.entries()) {
      expect(digest(await store.load(`Job/${n}`))).toBe(digest(patterned(size, n)));
      expect(await store.readMetadata(`Job/${n}`)).toEqual({ n });
    }
    expect((await namesIn(objects)).some((name) => name.endsWith('.kfp'))).toBe(false);
  }, 240_000);
});

describe('a collection of garbage that is killed at any operation', () => {
  test('removes nothing that is in use, and is ended by the next run', async () => {
    const root = temporaryDirectory();
    const { store, objects } = await open(root);
    for (const [n, size] of SIZES.entries()) await store.save(`sound/${n}`, patterned(size, n));
    for (let n = 0; n < 8; n++) {
      await store.save(`lost/${n}`, patterned(300_000, n));
      await objects.delete(`lost/${n}.kfk`);
    }
    const random = seeded(11);
    let kills = 0;
    for (let run = 0, dieAt = 1; run < 40; run++, dieAt += 1 + (random.next().value % 4)) {
      const report = await work(root, 'gc', dieAt + (random.next().value % 2) / 2, 2 + 2 * run);
      if (report === undefined) kills++;
      for (const [n, size] of SIZES.entries()) expect(digest(await store.load(`sound/${n}`))).toBe(digest(patterned(size, n)));
      if (report !== undefined) break;
    }
    expect(kills).toBeGreaterThan(5);
    for (const days of [200, 400, 600]) await work(root, 'gc', -1, days);
    expect((await namesIn(objects)).filter((name) => name.startsWith('lost/'))).toEqual([]);
    expect((await gathered(store.verify())).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok']);
  }, 240_000);
});
