import { type ErrorCode, type ObjectStore, isKeyfoldError } from '@keyfold/core';
import { LocalKms, type LocalKmsClient } from '@keyfold/kms-local';
import { EncryptedCheckpointStore, FileSystemObjectStore, MemoryObjectStore } from '@keyfold/store-checkpoint';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FailingPorts, type Failure } from './support/failing-ports.ts';
import { BIG, type Content, INLINE, STREAMED, TENANT, UNLOCK_KEY, digestOf, everything, save } from './support/product.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const STORAGE_CODES = ['STORAGE_FULL', 'STORAGE_FAILURE', 'STORAGE_DENIED'] as const;
const KMS_CODES = ['KMS_UNAVAILABLE', 'ACCESS_DENIED'] as const;

const KEPT: ReadonlyMap<string, Content> = new Map([
  ['kept/inline', { name: 'kept inline', length: INLINE }],
  ['kept/big', { name: 'kept big', length: BIG }],
]);

interface Operation {
  readonly name: string;
  readonly before: Content | undefined;
  readonly after: Content | undefined;
  readonly run: (store: EncryptedCheckpointStore) => Promise<unknown>;
  /** A rewrap that has something to do. */
  readonly rotated?: true;
  readonly leastCalls: number;
}

const OLD = { name: 'old', length: INLINE };
const OLD_BIG = { name: 'old', length: BIG };
const NEW = { name: 'new', length: INLINE };
const NEW_BIG = { name: 'new', length: BIG };
const NEW_STREAM = { name: 'new', length: STREAMED };

function saving(before: Content | undefined, after: Content, leastCalls: number): Operation {
  const name = `saving ${after.length} bytes${before === undefined ? '' : ` over ${before.length}`}`;
  return { name, before, after, leastCalls, run: (store) => save(store, 'target', after, before !== undefined) };
}

const OPERATIONS: readonly Operation[] = [
  saving(undefined, NEW, 3),
  saving(undefined, NEW_BIG, 5),
  saving(undefined, NEW_STREAM, 5),
  saving(OLD, NEW_BIG, 5),
  saving(OLD_BIG, NEW, 4),
  saving(OLD_BIG, NEW_STREAM, 6),
  { name: 'deleting a small checkpoint', before: OLD, after: undefined, leastCalls: 2, run: (store) => store.delete('target') },
  { name: 'deleting a large checkpoint', before: OLD_BIG, after: undefined, leastCalls: 3, run: (store) => store.delete('target') },
  { name: 'rewrapping', before: OLD_BIG, after: OLD_BIG, rotated: true, leastCalls: 8, run: (store) => store.rewrap('target') },
  { name: 'loading a small checkpoint', before: OLD, after: OLD, leastCalls: 2, run: (store) => store.load('target') },
  { name: 'loading a large checkpoint', before: OLD_BIG, after: OLD_BIG, leastCalls: 3, run: (store) => store.load('target') },
  { name: 'reading metadata', before: OLD_BIG, after: OLD_BIG, leastCalls: 2, run: (store) => store.readMetadata('target') },
  { name: 'listing', before: OLD, after: OLD, leastCalls: 1, run: (store) => everything(store) },
];

class Bench {
  readonly ports = new FailingPorts();
  readonly #kms: LocalKmsClient;
  readonly #open: () => ObjectStore;
  objects: ObjectStore;

  constructor(kms: LocalKmsClient, open: () => ObjectStore) {
    this.#kms = kms;
    this.#open = open;
    this.objects = open();
  }

  /** A store over objects of its own, on which the operation can be run once. */
  async prepare(operation: Operation): Promise<EncryptedCheckpointStore> {
    this.objects = this.#open();
    const store = await this.fresh();
    for (const [id, content] of KEPT) await save(store, id, content);
    if (operation.before !== undefined) await save(store, 'target', operation.before);
    if (operation.rotated === true) await this.#kms.rotateKey();
    return this.#store(this.ports.objects(this.objects), true);
  }

  /** What another process would see. */
  fresh(): Promise<EncryptedCheckpointStore> {
    return this.#store(this.objects, false);
  }

  #store(objects: ObjectStore, failing: boolean): Promise<EncryptedCheckpointStore> {
    const kms = failing ? this.ports.kms(this.#kms) : this.#kms;
    return EncryptedCheckpointStore.open({ objects, kms, tenant: TENANT, testKms: false, keyCache: { maxEntries: 0 }, kmsRetry: { attempts: 1 } });
  }
}

async function codeOf(run: () => Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (isKeyfoldError(error)) return error.code;
    throw error;
  }
}

async function checkAfter(bench: Bench, store: EncryptedCheckpointStore, operation: Operation, failure: Failure): Promise<ErrorCode | undefined> {
  bench.ports.plan(failure);
  const code = await codeOf(() => operation.run(store));
  const what = `${failure.code} ${failure.when} ${bench.ports.calls[failure.at] ?? ''}`;
  // Whether the record changed is what decides; a change that took effect and was reported as failed may stand.
  const committed = bench.ports.effects.some((effect) => /^(?:put|delete) target\.kfk$/.test(effect));
  bench.ports.plan(undefined);
  const [before, after] = [operation.before, operation.after].map((content) => content && digestOf(content));
  expect([undefined, failure.code], what).toContain(code);
  const all = await everything(await bench.fresh());
  for (const [id, content] of KEPT) expect(all.get(id), what).toBe(digestOf(content));
  expect(all.get('target'), what).toBe(code === undefined || committed ? after : before);
  expect([...all.keys()].filter((id) => id !== 'target').sort(), what).toEqual([...KEPT.keys()].sort());
  // Data that could not be written, or was and nobody will name it, is taken away at once.
  if (failure.when !== 'ever since' && /put target\.[0-9a-f]{32}\.kfc$/.test(what)) expect(await orphans(bench, all), what).toBe(0);
  await checkRepeated(bench, store, operation, what);
  return code;
}

/** How many data objects there are beyond those of the checkpoints that stand. */
async function orphans(bench: Bench, standing: ReadonlyMap<string, string>): Promise<number> {
  const large = [...KEPT.values(), OLD_BIG, NEW_BIG, NEW_STREAM].filter(({ length }) => length >= BIG).map(digestOf);
  let count = 0;
  for await (const { name } of bench.objects.list()) if (name.endsWith('.kfc')) count++;
  return count - [...standing.values()].filter((digest) => large.includes(digest)).length;
}

/** The same store goes on as if nothing had been, and nothing stays that cannot be cleaned up. */
async function checkRepeated(bench: Bench, store: EncryptedCheckpointStore, operation: Operation, what: string): Promise<void> {
  const again = await codeOf(() => operation.run(store));
  expect([undefined, 'ALREADY_EXISTS'], what).toContain(again);
  const all = await everything(await bench.fresh());
  expect(all.get('target'), what).toBe(operation.after && digestOf(operation.after));
  const names: string[] = [];
  for await (const { name } of bench.objects.list()) names.push(name);
  expect(names.filter((name) => name.endsWith('.kfk')), what).toHaveLength(all.size);
  // The data of the checkpoint that is kept, of the target, and of no more than one that failed.
  expect(names.filter((name) => name.endsWith('.kfc')).length, what).toBeLessThanOrEqual(3);
}

async function keyring(): Promise<LocalKmsClient> {
  return LocalKms.create(join(temporaryDirectory(), 'keyring.kf'), { key: UNLOCK_KEY });
}

describe.each([
  ['memory', () => () => new MemoryObjectStore(), STORAGE_CODES],
  ['a file system', () => {
    const root = temporaryDirectory();
    let count = 0;
    return () => new FileSystemObjectStore(join(root, String(count++)));
  }, ['STORAGE_FAILURE']],
] as const)('over %s, a call that fails while', (_where, objects, storageCodes) => {
  test.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('%s is told as what it is, and costs nothing that was acknowledged', async (_name, operation) => {
    const bench = new Bench(await keyring(), objects());
    const whole = await bench.prepare(operation);
    bench.ports.plan(undefined);
    await operation.run(whole);
    const calls = [...bench.ports.calls];
    expect(calls.length).toBeGreaterThanOrEqual(operation.leastCalls);
    const refused = new Set<string>();
    for (const [at, call] of calls.entries()) {
      for (const code of call.startsWith('kms') ? KMS_CODES : storageCodes) {
        for (const when of ['before', 'after', 'ever since'] as const) {
          const failed = await checkAfter(bench, await bench.prepare(operation), operation, { at, when, code });
          if (failed !== undefined) refused.add(call);
        }
      }
    }
    // What may fail unseen is only the removal of data that nobody refers to any more.
    expect(calls.filter((call) => !refused.has(call)).filter((call) => !/^delete target\.[0-9a-f]{32}\.kfc$/.test(call))).toEqual([]);
  });
});
