import type { ObjectStore } from '@keyfold/core/provider';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { bytes, codeOf, etagOf, namesOf, textOf } from './conformance.ts';
import { everythingIn, laterStore, temporaryRoot } from './temporary-root.ts';
import { buildForWorkers, runWorker } from './worker.ts';

const NAME = 'dir/object.kfk';
const STREAMED = 'n'.repeat(600_005);
const AT_ONCE = 4;

interface Scenario {
  readonly action: string;
  readonly prepare: (root: string) => Promise<void>;
  /** What may be read afterwards; undefined is absence. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const nothing = (): Promise<void> => Promise.resolve();
const old = async (root: string): Promise<void> => {
  await new FileSystemObjectStore(root).put(NAME, bytes('old'));
};
/** A delete that was killed when the object had become a tombstone. */
const tombstone = async (root: string): Promise<void> => {
  await old(root);
  const recorded = await recordedSteps('delete', old);
  await runWorker(root, 'delete', recorded.indexOf('swap:cleaned'));
  expect(await everythingIn(root)).toContain(NAME);
  expect(await new FileSystemObjectStore(root).head(NAME)).toBeUndefined();
};

const scenarios: readonly Scenario[] = [
  { action: 'create', prepare: nothing, before: undefined, after: 'new' },
  { action: 'create from a stream', prepare: nothing, before: undefined, after: STREAMED },
  { action: 'overwrite', prepare: old, before: 'old', after: 'new' },
  { action: 'replace', prepare: old, before: 'old', after: 'new' },
  { action: 'replace from a stream', prepare: old, before: 'old', after: STREAMED },
  { action: 'delete', prepare: old, before: 'old', after: undefined },
  { action: 'delete without a condition', prepare: old, before: 'old', after: undefined },
  { action: 'create', prepare: tombstone, before: undefined, after: 'new' },
  { action: 'sweep', prepare: tombstone, before: undefined, after: undefined },
];

async function recordedSteps(action: string, prepare: (root: string) => Promise<void>): Promise<string[]> {
  const { root, cleanup } = await temporaryRoot();
  try {
    await prepare(root);
    const { lines, signal } = await runWorker(root, action);
    expect(signal).toBeUndefined();
    expect(lines.at(-1)).toBe('done');
    return lines.slice(0, -1);
  } finally {
    await cleanup();
  }
}

/** What a caller does who is told to read again and retry. */
async function writeInTheEnd(store: ObjectStore, content: string): Promise<number> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const there = await store.read(NAME, { maxBytes: 1_000_000 });
    const condition = there === undefined ? ({ ifNoneMatch: '*' } as const) : { ifMatch: there.etag };
    const code = await codeOf(store.put(NAME, bytes(content), condition));
    if (code === 'OK') return attempt;
    expect(['CONFLICT', 'ALREADY_EXISTS']).toContain(code);
  }
  throw new Error('a crashed writer blocks all that follow');
}

async function checkAfterCrash(scenario: Scenario, step: number, name: string): Promise<void> {
  const { root, cleanup } = await temporaryRoot();
  try {
    await scenario.prepare(root);
    const killed = await runWorker(root, scenario.action, step);
    expect(killed.signal).toBe('SIGKILL');
    expect(killed.lines.at(-1)).toBe(name);

    const store = new FileSystemObjectStore(root);
    const found = await textOf(store, NAME);
    expect([scenario.before, scenario.after]).toContain(found);
    expect(await namesOf(store)).toEqual(found === undefined ? [] : [NAME]);
    // Whoever reads finishes what was begun. Only what was begun over a tombstone, which no read shows, costs one conflict.
    expect(await writeInTheEnd(store, 'following')).toBeLessThanOrEqual(scenario.prepare === tombstone ? 2 : 1);
    expect(await textOf(store, NAME)).toBe('following');
    await store.put(NAME, bytes('and on'), { ifMatch: await etagOf(store, NAME) });
    expect(await namesOf(store)).toEqual([NAME]);

    await laterStore(root).sweep({ olderThanMs: 0 });
    expect(await everythingIn(root)).toEqual(['dir', NAME]);
    expect(await textOf(store, NAME)).toBe('and on');
  } finally {
    await cleanup();
  }
}

beforeAll(() => {
  buildForWorkers();
}, 120_000);

describe('a process killed with SIGKILL', () => {
  it.each(scenarios.map((scenario) => [scenario.action, scenario.prepare === tombstone ? 'over a tombstone' : '', scenario] as const))(
    'at any step of %s %s leaves the old or the new, and blocks nobody',
    async (_action, _where, scenario) => {
      const steps = await recordedSteps(scenario.action, scenario.prepare);
      expect(steps.length).toBeGreaterThan(1);
      const all = steps.map((name, index) => ({ name, index }));
      for (let next = 0; next < all.length; next += AT_ONCE) {
        await Promise.all(
          all.slice(next, next + AT_ONCE).map(({ name, index }) => checkAfterCrash(scenario, index, name)),
        );
      }
    },
    120_000,
  );

  it('covers every step that a writer has', async () => {
    const replaced = await recordedSteps('replace', old);
    expect(replaced).toEqual([
      'stage:opened',
      'stage:written',
      'stage:synced',
      'swap:compared',
      'swap:enclosed',
      'swap:ready',
      'swap:entering',
      'swap:claimed',
      'swap:verified',
      'swap:published',
      'swap:cleaned',
      'unstaged',
      'directory:synced',
    ]);
    const deleted = await recordedSteps('delete', old);
    expect(deleted.slice(12)).toEqual([
      'retire:enclosed',
      'retire:claimed',
      'retire:verified',
      'retire:taken',
      'retire:cleaned',
      'directory:synced',
    ]);
  });
});

describe('four processes', () => {
  it('lose no increment of one counter', async () => {
    const { root, cleanup } = await temporaryRoot();
    try {
      const store = new FileSystemObjectStore(root);
      await store.put(NAME, bytes('0'), { ifNoneMatch: '*' });
      const results = await Promise.all([1, 2, 3, 4].map(() => runWorker(root, 'count')));
      for (const { lines } of results) expect(lines.at(-1)).toBe('done');
      expect(await textOf(store, NAME)).toBe('100');
      expect(await everythingIn(root)).toEqual(['dir', NAME]);
    } finally {
      await cleanup();
    }
  }, 120_000);
});
