import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { FileSystemObjectStore } from '../src/object-stores/file-system-object-store.ts';
import { fixedKms } from './fixtures/fixed-kms.mjs';
import { numbered } from './fixtures/numbered-data.mjs';
import { buildForWorkers } from './object-stores/worker.ts';
import { digest, gathered } from './support/bytes.ts';
import { startWorker } from './support/checkpoint-worker.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const KILLS = 20;

beforeAll(() => {
  buildForWorkers();
}, 120_000);

/** Small numbers that are the same in every run. */
function* seeded(seed: number): Generator<number, never, undefined> {
  for (let state = seed; ; ) {
    state = (state * 48_271) % 2_147_483_647;
    yield state;
  }
}

/** Lets a writer save until it has acknowledged `saves` and `delay` ms have passed, then kills it. Gives what it acknowledged. */
async function writeAndKill(root: string, first: number, saves: number, delay: number): Promise<[number, string][]> {
  const worker = startWorker([root, 'save-for-ever', String(first)]);
  const acknowledged: [number, string][] = [];
  let complaints = '';
  worker.stderr.on('data', (text: Buffer) => {
    complaints += text.toString();
  });
  const ended = once(worker, 'close');
  const enough = new Promise<void>((resolve) => {
    createInterface({ input: worker.stdout }).on('line', (line) => {
      const [n = '', id = ''] = line.split(' ');
      acknowledged.push([Number(n), id]);
      if (acknowledged.length >= saves) resolve();
    });
  });
  await Promise.race([enough, ended]);
  await setTimeout(delay);
  worker.kill('SIGKILL');
  await ended;
  expect(complaints).toBe('');
  return acknowledged;
}

test(`a writer that is killed ${KILLS} times leaves every acknowledged save, and no half one`, async () => {
  const root = temporaryDirectory();
  const random = seeded(20_240_229);
  const latest = new Map<string, number>();
  let next = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = await writeAndKill(root, next, 1 + (random.next().value % 6), random.next().value % 40);
    for (const [n, id] of acknowledged) latest.set(id, n);
    // The save that was under way is not known to have been made.
    next = (acknowledged.at(-1)?.[0] ?? next) + 8;

    const objects = new FileSystemObjectStore(root);
    const store = await EncryptedCheckpointStore.open({ objects, kms: fixedKms('shared'), tenant: 'acme' });
    const ids = await gathered(store.list());
    for (const [id, n] of latest) {
      expect(ids).toContain(id);
      const metadata = await store.readMetadata(id);
      expect(metadata['n']).toBeGreaterThanOrEqual(n);
    }
    for (const id of ids) {
      const { n } = await store.readMetadata(id);
      expect(digest(await store.load(id))).toBe(digest(numbered(Number(n))));
    }
  }
  expect(latest.size).toBe(4);
}, 120_000);
