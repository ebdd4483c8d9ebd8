import { cpSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Aftermath } from './support/aftermath.ts';
import { inParallel } from './support/in-parallel.ts';
import { type Order, runKilledWorker } from './support/killed-worker.ts';
import { BIG, type Content, INLINE, STREAMED, createProduct, digestOf, openProduct, save } from './support/product.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const AT_ONCE = 3;

/** Checkpoints that no operation touches, each under a key of its own. */
const KEPT: ReadonlyMap<string, Content> = new Map([
  ['kept/inline', content('kept inline', INLINE)],
  ['kept/big', content('kept big', BIG)],
]);

interface Scenario extends Order {
  readonly name: string;
  /** What stands at `target` before. */
  readonly before: Content | undefined;
  /** What stood there before another operation was killed, where that is not the same. */
  readonly standing?: Content;
  /** What stands there after it, or undefined when the operation removes it. */
  readonly after: Content | undefined;
  /** An operation that was killed in the same directory before, at the last step of that name. */
  readonly killedBefore?: Order & { readonly at: string };
  /** Fewer steps than this, and something was not recorded. */
  readonly leastSteps: number;
  /** All calls to objects and KMS, in this order. */
  readonly calls: readonly string[];
}

const RECORD = 'target.kfk';
const DATA = 'target.*.kfc';
/** What a collection of garbage would have put beside the data. */
const MARK = 'target.*.kfg';
/** The record is written while the data are made durable, and published after them. */
const LARGE = [`put ${DATA}`, `prepare ${RECORD}`, `publish ${RECORD}`];

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'saving a small checkpoint',
    operation: 'save', size: INLINE, before: undefined, after: content('new', INLINE),
    leastSteps: 12, calls: [`read ${RECORD}`, 'generateDataKey', `put ${RECORD}`],
  },
  {
    name: 'saving a stream',
    operation: 'save streamed', size: STREAMED, before: undefined, after: content('new', STREAMED),
    leastSteps: 20, calls: [`read ${RECORD}`, 'generateDataKey', ...LARGE, `head ${MARK}`, `head ${DATA}`],
  },
  {
    name: 'replacing a small checkpoint by a large one',
    operation: 'overwrite', size: BIG, before: content('old', INLINE), after: content('new', BIG),
    leastSteps: 25, calls: [`read ${RECORD}`, 'generateDataKey', ...LARGE, `head ${MARK}`, `head ${DATA}`],
  },
  {
    name: 'replacing a large checkpoint by a small one',
    operation: 'overwrite', size: INLINE, before: content('old', BIG), after: content('new', INLINE),
    leastSteps: 20, calls: [`read ${RECORD}`, 'generateDataKey', `put ${RECORD}`, `delete ${DATA}`],
  },
  {
    name: 'replacing a large checkpoint by a stream',
    operation: 'overwrite streamed', size: STREAMED, before: content('old', BIG), after: content('new', STREAMED),
    leastSteps: 30, calls: [`read ${RECORD}`, 'generateDataKey', ...LARGE, `head ${MARK}`, `head ${DATA}`, `delete ${DATA}`],
  },
  {
    name: 'replacing a checkpoint that a killed writer was replacing',
    // What the killed writer had begun is completed by whoever reads.
    operation: 'overwrite', size: INLINE, before: content('new', BIG), after: content('new', INLINE),
    standing: content('old', INLINE), killedBefore: { operation: 'overwrite', size: BIG, at: 'rename *.new target.kfk' },
    leastSteps: 24, calls: [`read ${RECORD}`, 'generateDataKey', `put ${RECORD}`, `delete ${DATA}`],
  },
  {
    name: 'saving a checkpoint that a killed writer was deleting',
    operation: 'save', size: BIG, before: undefined, after: content('new', BIG),
    standing: content('old', BIG), killedBefore: { operation: 'delete', size: 0, at: 'mkdir *.gone' },
    leastSteps: 28, calls: [`read ${RECORD}`, 'generateDataKey', ...LARGE, `head ${MARK}`, `head ${DATA}`],
  },
  {
    name: 'deleting a small checkpoint',
    operation: 'delete', size: 0, before: content('old', INLINE), after: undefined,
    leastSteps: 20, calls: [`read ${RECORD}`, `delete ${RECORD}`],
  },
  {
    name: 'deleting a large checkpoint',
    operation: 'delete', size: 0, before: content('old', BIG), after: undefined,
    leastSteps: 25, calls: [`read ${RECORD}`, `delete ${RECORD}`, `delete ${DATA}`],
  },
  {
    name: 'rewrapping a small checkpoint',
    operation: 'rewrap', size: 0, before: content('old', INLINE), after: content('old', INLINE),
    leastSteps: 36,
    calls: [`read ${RECORD}`, 'decrypt', 'currentKeyVersion', 'encrypt', 'decrypt', `put ${RECORD}`, `read ${RECORD}`, `put ${RECORD}`],
  },
  {
    name: 'rewrapping a large checkpoint',
    operation: 'rewrap', size: 0, before: content('old', BIG), after: content('old', BIG),
    leastSteps: 36,
    calls: [`read ${RECORD}`, 'decrypt', 'currentKeyVersion', 'encrypt', 'decrypt', `put ${RECORD}`, `read ${RECORD}`, `put ${RECORD}`],
  },
  {
    name: 'rotating the key of an open store and saving',
    operation: 'rotate', size: BIG, before: content('old', INLINE), after: content('old', INLINE),
    leastSteps: 40, calls: ['rotateKey', 'read after.kfk', 'generateDataKey', 'put after.*.kfc', 'prepare after.kfk', 'publish after.kfk', 'head after.*.kfg', 'head after.*.kfc'],
  },
  {
    name: 'sweeping what a killed replacement left',
    operation: 'sweep', size: 0, before: content('new', BIG), after: content('new', BIG),
    standing: content('old', INLINE), killedBefore: { operation: 'overwrite', size: BIG, at: 'rename *.new target.kfk' },
    leastSteps: 3, calls: [],
  },
];

function content(name: string, length: number): Content {
  return { name, length };
}

function digestOrNone(one: Content | undefined): string | undefined {
  return one && digestOf(one);
}

/** What may stand at `target`, in the order in which it comes to stand there. */
function course({ before, after, killedBefore }: Scenario): (string | undefined)[] {
  // What a killed writer had begun may be completed by whoever comes next.
  const begun = killedBefore?.operation === 'overwrite' ? [digestOf(content('new', killedBefore.size))] : [];
  return [digestOrNone(before), ...begun, digestOrNone(after)].filter((one, index, all) => all.indexOf(one) === index);
}

async function prepare(scenario: Scenario): Promise<string> {
  const root = temporaryDirectory();
  const product = await createProduct(root);
  for (const [id, kept] of KEPT) {
    await save(product.store, id, kept);
    await product.kms.rotateKey();
  }
  const standing = scenario.standing ?? scenario.before;
  if (standing !== undefined) await save(product.store, 'target', standing);
  if (scenario.operation === 'rewrap') await product.kms.rotateKey();
  await product.close();
  if (scenario.killedBefore !== undefined) await killBefore(root, scenario.killedBefore);
  return root;
}

async function killBefore(root: string, order: Order & { readonly at: string }): Promise<void> {
  const { steps } = await runKilledWorker(copyOf(root), order);
  expect(steps).toContain(order.at);
  expect((await runKilledWorker(root, order, steps.lastIndexOf(order.at))).signal).toBe('SIGKILL');
}

/** The whole directory, objects and keyring, elsewhere. */
function copyOf(root: string): string {
  const copy = temporaryDirectory();
  cpSync(root, copy, { recursive: true });
  return copy;
}

/** The names of the calls among the steps, as they begin: "before objects.put target.kfk" is one. */
function callsIn(steps: readonly string[]): string[] {
  return steps.flatMap((step) => /^before (?:objects|kms)\.(.*)$/.exec(step)?.[1] ?? []);
}

/**
 * What was written is durable before it gets its name, data have their name for
 * good before a record tells of them, and every name is durable before the
 * operation is acknowledged.
 */
function expectDurable(steps: readonly string[]): void {
  const written = new Set<string>();
  let named = false;
  let dataNamed = false;
  for (const step of steps) {
    const [call = '', descriptor = ''] = step.split(' ');
    const publishes = /^(?:link|rename) .*(?:\.kf[kc]|keyring\.kf(?:\.\d+)?)$/.test(step);
    if (publishes) expect([...written], step).toEqual([]);
    if (publishes && step.endsWith('.kfk')) expect(dataNamed, step).toBe(false);
    if (step === 'acknowledged' || step === 'saved') expect(named, step).toBe(false);
    if (call.startsWith('write')) written.add(descriptor);
    if (publishes && step.endsWith('.kfc')) dataNamed = true;
    if (publishes || /^(?:unlink|rmdir) target/.test(step)) named = true;
    // A descriptor that nothing was written to is a directory's.
    if (/^(?:fsync|sync|datasync)$/.test(call) && !written.delete(descriptor)) named = dataNamed = false;
  }
}

/** Not a mark around a call, where the disk is as it was at the mark before. */
function changesDisk(step: string | undefined): boolean {
  return step !== undefined && !/^(?:before|after|acknowledged)\b/.test(step);
}

/** Kills a process at that step and looks at what it leaves. Gives how far it had come in the course of the target. */
async function killedAt(prepared: string, scenario: Scenario, index: number, steps: readonly string[]): Promise<number> {
  const root = copyOf(prepared);
  const outcome = await runKilledWorker(root, scenario, index);
  expect(outcome, steps[index]).toMatchObject({ signal: 'SIGKILL', complaints: '' });
  const way = course(scenario);
  const kept = new Map(KEPT);
  if (scenario.operation === 'rotate' && (await isThere(root, 'after', outcome.saved))) kept.set('after', content('new', BIG));
  const aftermath = await Aftermath.of(root, kept, outcome.acknowledged ? way.slice(-1) : way);
  const found = await aftermath.look();
  if (changesDisk(steps[index]) || changesDisk(steps[index - 1])) await aftermath.goOn(index);
  await aftermath.close();
  rmSync(root, { recursive: true });
  return way.indexOf(found);
}

/** Whether the save that was under way came to be; it must have when it was acknowledged. */
async function isThere(root: string, id: string, acknowledged: boolean): Promise<boolean> {
  const { store, close } = await openProduct(root);
  const ids = new Set<string>();
  for await (const listed of store.list()) ids.add(listed);
  await close();
  expect([ids.has(id), !acknowledged]).toContain(true);
  return ids.has(id);
}

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('a process killed at any step of %s loses nothing, shows nothing half and blocks nobody', async (_, scenario) => {
  const prepared = await prepare(scenario);
  const recorded = await runKilledWorker(copyOf(prepared), scenario);
  expect(recorded).toMatchObject({ signal: undefined, acknowledged: true, complaints: '' });
  expect(recorded.steps.length).toBeGreaterThanOrEqual(scenario.leastSteps);
  expect(callsIn(recorded.steps)).toEqual(scenario.calls);
  expectDurable(recorded.steps);
  const reached = await inParallel(recorded.steps, AT_ONCE, (_step, index) => killedAt(prepared, scenario, index, recorded.steps));
  // The later the kill the further it came, from the first state of the course to the last.
  expect(reached).toEqual(reached.toSorted((a, b) => a - b));
  expect(reached.at(0)).toBe(0);
  expect(reached.at(-1)).toBe(course(scenario).length - 1);
});
