import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { type Event, contradictions } from './support/history.ts';
import { type Product, createProduct, digestAt, keyringPath, objectsPath, openProduct, sweepingStore } from './support/product.ts';
import { type Actor, type RandomOutcome, type Told, runRandomWorker } from './support/random-worker.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const SEED = 20_260_301;
const PROCESSES = 8;
const THREADS = 4;
const OPERATIONS = 150;
/** Which processes are killed, and at which of their operations. */
const KILLS: ReadonlyMap<number, number> = new Map([
  [2, 60],
  [6, 100],
]);
const SHARED = ['shared/a', 'shared/b', 'shared/c'];

const actors: readonly Actor[] = Array.from({ length: PROCESSES + THREADS }, (_, index) => ({
  name: `actor-${index}`,
  own: [`own/${index}/a`, `own/${index}/b`],
}));

const OWNED = actors.flatMap(({ own }) => own);

function runAll(root: string): Promise<RandomOutcome[]> {
  const groups = [...actors.slice(0, PROCESSES).map((actor) => [actor]), actors.slice(PROCESSES)];
  return Promise.all(
    groups.map((group, index) => {
      return runRandomWorker({ root, seed: SEED, operations: OPERATIONS, actors: group, owned: OWNED, shared: SHARED }, KILLS.get(index));
    }),
  );
}

/** What was done to each id, as far as it is known. */
function writesTo(id: string, told: readonly Told[]): Event[] {
  return told
    .filter((one) => one.id === id && ['save', 'overwrite', 'delete'].includes(one.doing))
    // What was refused did nothing, and what was not there was not deleted.
    .filter((one) => one.code === undefined && one.result !== false)
    .map(({ doing, begin, end, value }) => ({ begin, end, value: doing === 'delete' ? undefined : value }));
}

function readsOf(id: string, told: readonly Told[]): Event[] {
  return told
    .filter((one) => one.id === id && one.end !== undefined)
    .flatMap(({ doing, begin, end, code, result }): Event[] => {
      if (['load', 'metadata'].includes(doing) && typeof result === 'string') return [{ begin, end, value: result }];
      const absent = code === 'NOT_FOUND' || (doing === 'delete' && result === false);
      return absent ? [{ begin, end, value: undefined }] : [];
    });
}

/** What stands at the id in the end. */
async function finalRead(product: Product, id: string): Promise<Event> {
  const listed: string[] = [];
  for await (const one of product.store.list({ prefix: id })) listed.push(one);
  const begin = process.hrtime.bigint();
  if (!listed.includes(id)) return { begin, end: begin, value: undefined };
  await digestAt(product.store, id);
  const { value } = await product.store.readMetadata(id);
  if (typeof value !== 'string') throw new Error(`the metadata of ${id} name no value`);
  return { begin, end: begin, value };
}

test(`${PROCESSES} processes and ${THREADS} threads on one directory and one keyring, some of them killed, agree on what happened`, async () => {
  const root = temporaryDirectory();
  const made = await createProduct(root);
  await made.close();
  const outcomes = await runAll(root);
  for (const [index, { exit, complaints }] of outcomes.entries()) expect([exit, complaints]).toEqual([KILLS.has(index) ? 'SIGKILL' : 0, '']);
  const told = outcomes.flatMap((outcome) => outcome.told);
  expect(told.length).toBeGreaterThan((PROCESSES + THREADS - KILLS.size) * OPERATIONS);

  const refusals = told.filter(({ code }) => code !== undefined && !['CONFLICT', 'ALREADY_EXISTS', 'NOT_FOUND'].includes(code));
  expect(refusals).toEqual([]);
  // Enough went through and enough collided for this to mean something.
  const counts = new Map<string, number>();
  for (const { doing, code, end } of told) {
    const what = `${doing} ${end === undefined ? 'killed' : (code ?? 'done')}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  for (const what of ['save done', 'overwrite done', 'load done', 'delete done', 'rewrap done', 'rotate done', 'overwrite CONFLICT']) {
    expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
  }

  const product = await openProduct(root);
  const ids = [...OWNED, ...SHARED];
  for (const id of ids) {
    const reads = [...readsOf(id, told), await finalRead(product, id)];
    expect(contradictions({ writes: writesTo(id, told), reads }), id).toEqual([]);
  }
  await expectKeyring(product, told);
  await expectHealthy(root, product, ids);
  await product.close();
});

/** Every rotation that was acknowledged made a version of its own, and none was lost. */
async function expectKeyring({ kms }: Product, told: readonly Told[]): Promise<void> {
  const versions: string[] = [];
  for await (const { id } of kms.listKeyVersions()) versions.push(id);
  const rotations = told.filter(({ doing, code }) => doing === 'rotate' && code === undefined);
  const made = rotations.filter(({ end }) => end !== undefined).map(({ result }) => String(result));
  expect(new Set(made).size).toBe(made.length);
  expect(versions).toEqual(expect.arrayContaining(made));
  expect(versions.length).toBeLessThanOrEqual(1 + rotations.length);
}

/** A rewrap of everything leaves everything, and a sweep leaves nothing else. */
async function expectHealthy(root: string, { store, kms }: Product, ids: readonly string[]): Promise<void> {
  const { id: version } = await kms.rotateKey();
  const before = new Map<string, string>();
  for await (const id of store.list()) before.set(id, await digestAt(store, id));
  expect(ids).toEqual(expect.arrayContaining([...before.keys()]));
  await sweepingStore(root).sweep({ olderThanMs: 0 });
  for (const [id, digest] of before) {
    expect((await store.rewrap(id)).wrap.keyVersion).toBe(version);
    expect(await digestAt(store, id)).toBe(digest);
  }
  const names = readdirSync(objectsPath(root), { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.includes('~'))).toEqual([]);
  expect(names.filter((name) => name.endsWith('.kfk'))).toHaveLength(before.size);
  expect(names.filter((name) => name.endsWith('.kfc')).length).toBeLessThanOrEqual(before.size + 2 * KILLS.size);
  expect(readdirSync(dirname(keyringPath(root))).filter((name) => name.includes('~'))).toEqual([]);
}
