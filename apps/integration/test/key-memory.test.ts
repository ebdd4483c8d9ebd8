import { LocalKms, createLocalKeyFile } from '@keyfold/kms-local';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { keyringPath } from './support/product.ts';
import { countInMemory, requireProcessMemory } from './support/process-memory.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const WORKER = join(import.meta.dirname, 'fixtures/memory-worker.mjs');
/** OpenSSL's copy of a key is cleansed when the garbage collector finds that nobody holds the handle: how often it is asked. */
const ROUNDS = 10;

interface Found {
  /** How many of the data keys stand somewhere in memory. */
  readonly dataKeys: number;
  readonly unlockKey: boolean;
}

class Searched {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #places: AsyncIterator<string>;
  readonly #keys: string;
  readonly #keyFile: string;

  constructor(root: string, keyFile: string) {
    this.#keys = join(root, 'data-keys');
    this.#keyFile = keyFile;
    const argument = JSON.stringify({ root, keyFile, keys: this.#keys });
    this.#child = spawn(process.execPath, ['--expose-gc', WORKER, argument], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#places = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  /** What is found where the process stands still next; looked for again, after more garbage collection, while it is too much. */
  async at(place: string, atMost: Found): Promise<Found> {
    let found: Found = { dataKeys: Number.POSITIVE_INFINITY, unlockKey: true };
    for (let round = 0; round < ROUNDS; round++) {
      const told = await this.#places.next();
      expect(told).toEqual({ done: false, value: place });
      found = this.#search();
      if (found.dataKeys <= atMost.dataKeys && Number(found.unlockKey) <= Number(atMost.unlockKey)) break;
      if (round < ROUNDS - 1) this.#child.stdin.write('again\n');
    }
    this.#child.stdin.write('on\n');
    return found;
  }

  /** Every data key that the process was given so far, once. */
  dataKeys(): Buffer[] {
    const raw = readFileSync(this.#keys);
    const all = Array.from({ length: raw.byteLength / 32 }, (_, index) => raw.subarray(index * 32, index * 32 + 32));
    return all.filter((key, index) => all.findIndex((other) => other.equals(key)) === index);
  }

  #search(): Found {
    const needles = [...this.dataKeys(), readFileSync(this.#keyFile)];
    const counts = countInMemory(this.#child.pid ?? 0, needles);
    return { dataKeys: counts.slice(0, -1).filter((count) => count > 0).length, unlockKey: (counts.at(-1) ?? 0) > 0 };
  }
}

test('a process that has closed its store holds no data key any more, and none that unlocks its keyring once it has let go of that', async (context) => {
  requireProcessMemory(context);
  const root = temporaryDirectory();
  mkdirSync(join(root, 'keys'), { mode: 0o700 });
  const keyFile = join(root, 'keys', 'unlock.key');
  await createLocalKeyFile(keyFile);
  await (await LocalKms.create(keyringPath(root), { keyFile })).close();
  const searched = new Searched(root, keyFile);
  const everything: Found = { dataKeys: 2, unlockKey: true };
  // While they are in use both data keys are there, so the search does find keys.
  expect(await searched.at('open', everything)).toEqual(everything);
  expect(searched.dataKeys()).toHaveLength(2);
  expect(await searched.at('store closed', { dataKeys: 0, unlockKey: true })).toEqual({ dataKeys: 0, unlockKey: true });
  const nothing: Found = { dataKeys: 0, unlockKey: false };
  expect(await searched.at('all forgotten', nothing)).toEqual(nothing);
});
