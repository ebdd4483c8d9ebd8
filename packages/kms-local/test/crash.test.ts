import { createSecretKey } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findVersion } from '../src/kek-set.ts';
import { openKeyring, parseKeyring } from '../src/keyring-format.ts';
import { LocalKms, type LocalKmsClient } from '../src/index.ts';
import { openKeyringFile } from '../src/local-kms.ts';
import { DEFAULT_INTERNALS } from '../src/options.ts';
import { collect, context, filesOf, place, refusal, runWorker, runWorkerNow, tempDirectory, type Promised, type WorkerReport } from './support/keyring.ts';

/** Long enough for dozens of processes on a slow disk. */
const PATIENCE = 240_000;

interface Scene {
  readonly path: string;
  readonly key: Uint8Array;
  readonly promised: readonly Promised[];
}

/** A keyring whose versions 1 and 2 have wrapped something. */
async function scene(): Promise<Scene> {
  const { path, key } = place();
  const { promised } = await runWorker({ path, key, actions: ['create', 'rotate'] });
  return { path, key, promised };
}

/** The same keyring with all its files, elsewhere. */
function copyOf({ path, key, promised }: Scene): Scene {
  const directory = join(tempDirectory(), 'copy');
  mkdirSync(directory, { mode: 0o700 });
  cpSync(join(path, '..'), directory, { recursive: true });
  return { path: join(directory, 'keyring.kf'), key, promised };
}

async function expectKept(client: LocalKmsClient, promised: readonly Promised[]): Promise<void> {
  for (const { plaintext, wrapped } of promised) {
    expect(Buffer.from(await client.decrypt(wrapped, { context }))).toEqual(plaintext);
  }
}

/** Opens, keeps every promise, and can be rotated; leaves nothing behind but claims. */
async function expectHealthy({ path, key }: Scene, promised: readonly Promised[]): Promise<LocalKmsClient> {
  const client = await LocalKms.open(path, { key });
  await expectKept(client, promised);
  const before = Number((await client.currentKeyVersion()).id);
  expect(await client.rotateKey()).toMatchObject({ id: String(before + 1) });
  await expectKept(client, promised);
  const names = Object.keys(filesOf(join(path, '..')));
  expect(names.filter((name) => name.includes('~'))).toEqual([]);
  expect(names).toHaveLength(client.generation + 1);
  return client;
}

/** Kills a worker at each step that a whole run takes. */
async function killedAtEachStep(start: Scene, actions: readonly string[], check: (at: Scene, report: WorkerReport, step: string) => Promise<void>): Promise<string[]> {
  const recording = await runWorker({ ...copyOf(start), actions });
  const steps = recording.steps ?? expect.fail('The recording run did not end.');
  const indexes = steps.map((_, index) => index);
  for (let batch = indexes.splice(0, 4); batch.length > 0; batch = indexes.splice(0, 4)) {
    await Promise.all(
      batch.map(async (killAt) => {
        const at = copyOf(start);
        const report = await runWorker({ ...at, actions, killAt });
        expect(report.signal).toBe('SIGKILL');
        await check(at, report, steps[killAt] ?? '');
      }),
    );
  }
  return steps;
}

describe('a process that is killed', () => {
  it(
    'at any step of two rotations loses nothing that was promised, and blocks nobody',
    async () => {
      const start = await scene();
      const steps = await killedAtEachStep(start, ['open', 'rotate', 'rotate'], async (at, report) => {
        await expectHealthy(at, [...start.promised, ...report.promised]);
      });
      // What a change consists of; a step that disappears from the code must not disappear from this test unseen.
      expect(new Set(steps)).toEqual(
        new Set([
          'temporary created',
          'temporary durable',
          'claimed',
          'claim durable',
          'about to publish',
          'published',
          'publication durable',
          'marker created',
          'claim emptied',
          'tidied',
        ]),
      );
    },
    PATIENCE,
  );

  it(
    'at any step of creating leaves either no keyring or a whole one',
    async () => {
      const { path, key } = place();
      const nothing = { path, key, promised: [] };
      const outcomes = new Set<string>();
      await killedAtEachStep(nothing, ['create', 'rotate'], async (at, report, step) => {
        if (await opens(at)) {
          outcomes.add('whole');
          await refusal('ALREADY_EXISTS', LocalKms.create(at.path, { key }));
        } else {
          outcomes.add('none');
          expect(step).toMatch(/^temporary/);
          expect(report.promised).toEqual([]);
          await LocalKms.create(at.path, { key });
        }
        await expectHealthy(at, report.promised);
      });
      expect(outcomes).toEqual(new Set(['none', 'whole']));
    },
    PATIENCE,
  );

  it(
    'at any step of destroying a version keeps all others, and destroying can be repeated',
    async () => {
      const start = await scene();
      const kept = start.promised.filter(({ wrapped }) => wrapped.keyVersion !== '1');
      await killedAtEachStep(start, ['open', 'destroy 1'], async (at, report) => {
        const client = await LocalKms.open(at.path, { key: at.key });
        await expectKept(client, [...kept, ...report.promised]);
        await client.destroyKeyVersion('1');
        expectNowhere(at, '1');
        await expectHealthy(at, [...kept, ...report.promised]);
      });
    },
    PATIENCE,
  );

  it(
    'while it completes the change of another that was killed loses nothing either',
    async () => {
      const start = await scene();
      const claimed = copyOf(start);
      const { steps = [] } = await runWorker({ ...copyOf(start), actions: ['open', 'rotate'] });
      await runWorker({ ...claimed, actions: ['open', 'rotate'], killAt: steps.indexOf('claimed') });
      const taken = await killedAtEachStep(claimed, ['open', 'rotate'], async (at, report) => {
        const client = await expectHealthy(at, [...start.promised, ...report.promised]);
        // The claimed generation was made current, not skipped.
        expect(await collect(client.listKeyVersions())).toContainEqual(expect.objectContaining({ id: '3' }));
      });
      expect(taken[0]).toBe('about to publish');
    },
    PATIENCE,
  );
});

describe('a process that stalls', () => {
  it(
    'at any step, while another rotates three times, neither loses its change nor brings an old generation back',
    async () => {
      const start = await scene();
      const { steps = [] } = await runWorker({ ...copyOf(start), actions: ['open', 'rotate'] });
      expect(steps.length).toBeGreaterThan(6);
      for (const stallAt of steps.keys()) {
        const at = copyOf(start);
        let taken = 0;
        let meanwhile: WorkerReport | undefined;
        const onStep = (): void => {
          if (taken++ === stallAt) meanwhile = runWorkerNow({ ...at, actions: ['open', 'rotate', 'rotate', 'rotate'] });
        };
        const stalled = await openKeyringFile(at.path, { key: at.key }, { ...DEFAULT_INTERNALS, onStep });
        const { id } = await stalled.rotateKey();
        const mine = await stalled.generateDataKey({ context });
        const promised = [...start.promised, ...(meanwhile?.promised ?? []), { done: id, ...mine, plaintext: Buffer.from(mine.plaintext) }];
        expect(meanwhile?.promised).toHaveLength(4);
        const client = await expectHealthy(at, promised);
        // Two before, three and one meanwhile, one by expectHealthy.
        expect((await collect(client.listKeyVersions())).map((version) => version.id)).toEqual(['7', '6', '5', '4', '3', '2', '1']);
      }
    },
    PATIENCE,
  );

  it(
    'while destroying does not leave the destroyed key in any file',
    async () => {
      const start = await scene();
      const { steps = [] } = await runWorker({ ...copyOf(start), actions: ['open', 'destroy 1'] });
      for (const stallAt of steps.keys()) {
        const at = copyOf(start);
        let taken = 0;
        const onStep = (): void => {
          if (taken++ === stallAt) runWorkerNow({ ...at, actions: ['open', 'rotate'] });
        };
        const stalled = await openKeyringFile(at.path, { key: at.key }, { ...DEFAULT_INTERNALS, onStep });
        await stalled.destroyKeyVersion('1');
        expectNowhere(at, '1');
      }
    },
    PATIENCE,
  );
});

describe('several processes at once', () => {
  it(
    'six of them rotating five times each make thirty versions',
    async () => {
      const { path, key, promised } = await scene();
      const actions = ['open', 'rotate', 'rotate', 'rotate', 'rotate', 'rotate'];
      const reports = await Promise.all(Array.from({ length: 6 }, () => runWorker({ path, key, actions })));
      for (const report of reports) expect(report).toMatchObject({ signal: null, steps: expect.any(Array) as unknown });
      const client = await LocalKms.open(path, { key });
      const versions = await collect(client.listKeyVersions());
      expect(versions.map(({ id }) => Number(id))).toEqual(Array.from({ length: 32 }, (_, index) => 32 - index));
      expect(client.generation).toBe(32);
      await expectKept(client, [...promised, ...reports.flatMap((report) => report.promised)]);
      await expectHealthy({ path, key, promised }, promised);
    },
    PATIENCE,
  );

  it(
    'of six that create the same keyring exactly one succeeds',
    async () => {
      const { path, key } = place();
      const reports = await Promise.all(Array.from({ length: 6 }, () => runWorker({ path, key, actions: ['create'] })));
      expect(reports.filter((report) => report.promised.length === 1)).toHaveLength(1);
      expect(reports.filter((report) => report.error === 'ALREADY_EXISTS')).toHaveLength(5);
      await expectHealthy({ path, key, promised: [] }, reports.flatMap((report) => report.promised));
    },
    PATIENCE,
  );
});

async function opens({ path, key }: Scene): Promise<boolean> {
  try {
    await (await LocalKms.open(path, { key })).close();
    return true;
  } catch {
    return false;
  }
}

/** No file of the keyring, backups and temporary files included, holds the key of that version. */
function expectNowhere({ path, key }: Scene, version: string): void {
  for (const [name, bytes] of Object.entries(filesOf(join(path, '..')))) {
    if (bytes.byteLength === 0) continue;
    const keks = openKeyring(parseKeyring(bytes), createSecretKey(key));
    expect(findVersion(keks, version)?.key, name).toBeUndefined();
  }
}
