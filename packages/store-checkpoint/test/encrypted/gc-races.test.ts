import { isKeyfoldError } from '@keyfold/core';
import { ManualClock, MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../../src/encrypted/encrypted-checkpoint-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { Actor, interleavings } from '../support/actors.ts';
import { digest, patterned } from '../support/bytes.ts';
import { namesIn } from '../support/objects.ts';

const DAY = 86_400_000;
const NEW = digest(patterned(50, 'new'));
const OLD = digest(patterned(50, 'old'));

interface Scene {
  readonly objects: MemoryObjectStore;
  readonly clock: ManualClock;
  /** A store whose operations wait for their turn, opened like all the others. */
  readonly act: () => Promise<{ readonly actor: Actor; readonly store: EncryptedCheckpointStore }>;
  readonly quiet: EncryptedCheckpointStore;
}

async function scene(hideNames: boolean): Promise<Scene> {
  const clock = new ManualClock();
  const objects = new MemoryObjectStore({ clock });
  const kms = new MemoryKms();
  const open = (over: ConstructorParameters<typeof Actor>[0]): Promise<EncryptedCheckpointStore> =>
    EncryptedCheckpointStore.open({ objects: over, kms, tenant: 'acme', clock, hideNames, testKms: false, inlineLimitBytes: 0 });
  const act: Scene['act'] = async () => {
    const actor = new Actor(objects);
    return { actor, store: await open(actor.objects) };
  };
  return { objects, clock, act, quiet: await open(objects) };
}

interface StalledSave {
  readonly actor: Actor;
  readonly result: Promise<PromiseSettledResult<unknown>>;
}

/** A save of `a` that has written its data and stands still before its record. */
async function stalledSave({ act }: Scene, overwrite: boolean): Promise<StalledSave> {
  const { actor, store } = await act();
  const { result } = await actor.start(() => store.save('a', patterned(50, 'new'), { overwrite }));
  while (!actor.objects.log.some((entry) => entry.startsWith('put '))) await actor.step();
  return { actor, result };
}

/** What a reader finds, now and after the collector has run some more. */
async function checkOutcome({ quiet, clock, objects }: Scene, outcome: PromiseSettledResult<unknown>, overwrite: boolean): Promise<string> {
  if (outcome.status === 'rejected' && !isKeyfoldError(outcome.reason, 'CONFLICT')) throw outcome.reason;
  const expected = outcome.status === 'fulfilled' ? NEW : overwrite ? OLD : 'NOT_FOUND';
  for (let run = 0; run < 3; run++) {
    const found = await quiet.load('a').then(digest, (error: unknown) => (isKeyfoldError(error) ? error.code : 'UNKNOWN'));
    expect(found).toBe(expected);
    clock.advance(DAY);
    await quiet.gc();
  }
  // A mark that came late on data in use keeps what lies beside them, until the checkpoint is replaced or deleted.
  await quiet.save('a', patterned(50, 'last'), { overwrite: true });
  for (let run = 0; run < 2; run++) {
    clock.advance(DAY);
    await quiet.gc();
  }
  expect((await namesIn(objects)).filter((name) => !/\.kf[kh]$/.test(name))).toHaveLength(1);
  expect(digest(await quiet.load('a'))).toBe(digest(patterned(50, 'last')));
  return outcome.status;
}

describe.each([false, true])('a save that stalls between data and record for longer than the grace (hidden names: %s)', (hideNames) => {
  test.each([false, true])('fails with CONFLICT once its data are removed, and what was there before is there (replaces: %s)', async (overwrite) => {
    const here = await scene(hideNames);
    if (overwrite) await here.quiet.save('a', patterned(50, 'old'));
    const { actor, result } = await stalledSave(here, overwrite);
    here.clock.advance(DAY);
    expect(await here.quiet.gc()).toMatchObject({ marked: 1, removed: 0 });
    here.clock.advance(DAY);
    expect(await here.quiet.gc()).toMatchObject({ marked: 0, removed: 1 });
    await actor.finish();
    expect(await checkOutcome(here, await result, overwrite)).toBe('rejected');
  });

  test('fails with CONFLICT also when its data are only marked: they may be gone any moment', async () => {
    const here = await scene(hideNames);
    await here.quiet.save('a', patterned(50, 'old'));
    const { actor, result } = await stalledSave(here, true);
    here.clock.advance(DAY);
    await here.quiet.gc();
    await actor.finish();
    expect(await checkOutcome(here, await result, true)).toBe('rejected');
  });

  test('succeeds when nobody has looked', async () => {
    const here = await scene(hideNames);
    const { actor, result } = await stalledSave(here, false);
    here.clock.advance(10 * DAY);
    await actor.finish();
    expect(await checkOutcome(here, await result, false)).toBe('fulfilled');
  });
});

/** How many operations `run` takes when nobody comes in between. */
async function stepsOf(run: (here: Scene) => Promise<Actor>): Promise<number> {
  const actor = await run(await scene(false));
  let steps = 0;
  for (; !actor.done; steps++) await actor.step();
  return steps;
}

async function prepared(here: Scene, overwrite: boolean, marked: boolean): Promise<StalledSave> {
  if (overwrite) await here.quiet.save('a', patterned(50, 'old'));
  const save = await stalledSave(here, overwrite);
  here.clock.advance(DAY);
  if (marked) {
    await here.quiet.gc();
    here.clock.advance(DAY);
  }
  return save;
}

async function startGc(here: Scene): Promise<Actor> {
  const { actor, store } = await here.act();
  await actor.start(() => store.gc());
  return actor;
}

describe('a collection beside the end of a save', () => {
  test.each([
    ['that marks, beside a first save', false, false],
    ['that removes, beside a first save', false, true],
    ['that marks, beside a replacement', true, false],
    ['that removes, beside a replacement', true, true],
  ])('%s: no order of their steps loses what was acknowledged', async (_, overwrite, marked) => {
    const saving = await stepsOf(async (here) => (await prepared(here, overwrite, marked)).actor);
    const collecting = await stepsOf(async (here) => {
      await prepared(here, overwrite, marked);
      return startGc(here);
    });
    const outcomes = new Set<string>();
    for (const order of interleavings(saving, collecting)) {
      const here = await scene(false);
      const save = await prepared(here, overwrite, marked);
      const gc = await startGc(here);
      for (const first of order) await (first ? save.actor : gc).step();
      await save.actor.finish();
      await gc.finish();
      outcomes.add(await checkOutcome(here, await save.result, overwrite));
    }
    expect([...outcomes].sort()).toEqual(marked ? ['rejected'] : ['fulfilled', 'rejected']);
  }, 120_000);

  test('that is one of two, beside a save and a rewrap: no order of 400 loses what was acknowledged', async () => {
    let state = 20_240_229;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    for (let round = 0; round < 400; round++) {
      const here = await scene(round % 2 === 0);
      const overwrite = round % 4 < 2;
      const save = await prepared(here, overwrite, round % 8 < 4);
      const { actor: rewrap, store } = await here.act();
      // Before the save commits there may be nothing to rewrap; then it comes to nothing.
      const rewrapped = await rewrap.start(() => store.rewrap('a'));
      const actors = [save.actor, await startGc(here), await startGc(here), rewrap];
      while (actors.some(({ done }) => !done)) await actors[random(actors.length)]?.step();
      await rewrapped.result;
      await checkOutcome(here, await save.result, overwrite);
    }
  }, 120_000);
});
