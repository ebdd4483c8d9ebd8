import { KeyfoldError, type ObjectStore, type PreparedPut } from '@keyfold/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/index.ts';
import type { Step } from '../../src/object-stores/file-system/steps.ts';
import { everythingIn, hookedStore, temporaryRoot } from '../object-stores/temporary-root.ts';
import { digest, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { type Opened, openStore } from '../support/open-store.ts';

const BIG = 1_500_000;

describe('the record of a save over files', () => {
  let root: string;
  let cleanup: () => Promise<void>;
  let opened: Opened;
  let steps: Step[];
  /** Called at every step with how often it has come. */
  let at: (step: Step, times: number) => void | Promise<void>;

  beforeEach(async () => {
    ({ root, cleanup } = await temporaryRoot());
    steps = [];
    at = () => undefined;
    const objects = hookedStore(root, (step) => {
      steps.push(step);
      return at(step, steps.filter((one) => one === step).length);
    });
    opened = await openStore({ objects });
  });
  afterEach(() => cleanup());

  test('is written beside the data and linked after the data have their name for good', async () => {
    await opened.store.save('a', patterned(BIG));
    const first = steps.indexOf('create:linked');
    expect(steps.slice(0, first).filter((step) => step === 'stage:opened')).toHaveLength(2);
    expect(steps.slice(first)).toEqual(['create:linked', 'unstaged', 'directory:synced', 'create:linked', 'unstaged', 'directory:synced']);
    expect(digest(await opened.store.load('a'))).toBe(digest(patterned(BIG)));
    expect(await everythingIn(root)).toHaveLength(2);
  });

  test('replaces another in the same order', async () => {
    await opened.store.save('a', patterned(BIG));
    steps.length = 0;
    await opened.store.save('a', patterned(BIG + 1), { overwrite: true });
    const linked = steps.indexOf('create:linked');
    expect(steps.slice(0, linked).filter((step) => step === 'stage:opened')).toHaveLength(2);
    expect(steps.indexOf('directory:synced')).toBeGreaterThan(linked);
    expect(steps.indexOf('swap:claimed')).toBeGreaterThan(steps.indexOf('directory:synced'));
    expect(digest(await opened.store.load('a'))).toBe(digest(patterned(BIG + 1)));
  });

  test('is not prepared for data that stand behind it', async () => {
    await opened.store.save('a', patterned(1_000));
    expect(steps.filter((step) => step === 'stage:opened')).toHaveLength(1);
  });

  test.each(['create:linked', 'stage:synced'] as const)('leaves nothing when the data fail at %s', async (where) => {
    at = (step, times) => {
      // The data's file is the second that is synced at the earliest: the record's is small.
      if (step === where && times === (where === 'stage:synced' ? 2 : 1)) throw new KeyfoldError('STORAGE_FAILURE', 'The test made the disk fail at this step.');
    };
    await expectCode(opened.store.save('a', patterned(BIG)), 'STORAGE_FAILURE');
    expect(await everythingIn(root)).toEqual([]);
  });

  test('that cannot be written fails the save, which leaves nothing', async () => {
    at = (step, times) => {
      if (step === 'stage:opened' && times === 2) throw new KeyfoldError('STORAGE_FULL', 'The test made the disk fail at this step.');
    };
    await expectCode(opened.store.save('a', patterned(BIG)), 'STORAGE_FULL');
    expect(await everythingIn(root)).toEqual([]);
    at = () => undefined;
    await opened.store.save('a', patterned(BIG));
  });

  test('gives way to one that came first, and leaves nothing of its save', async () => {
    let other: Promise<unknown> | undefined;
    at = async (step) => {
      if (step !== 'create:linked' || other !== undefined) return;
      other = opened.store.save('a', patterned(2_000));
      await other;
    };
    await expectCode(opened.store.save('a', patterned(BIG)), 'ALREADY_EXISTS');
    expect(await everythingIn(root)).toEqual(['a.kfk']);
    expect(digest(await opened.store.load('a'))).toBe(digest(patterned(2_000)));
  });

  test('leaves nothing when the save is aborted before its commit', async () => {
    const controller = new AbortController();
    at = (step) => {
      if (step === 'create:linked') controller.abort();
    };
    await expectCode(opened.store.save('a', patterned(BIG), { signal: controller.signal }), 'ABORTED');
    expect(await everythingIn(root)).toEqual([]);
  });
});

test('a store that cannot take back what it prepared does not hide why the save failed', async () => {
  const objects = new MemoryObjectStore();
  let asked = 0;
  const prepare = (): Promise<PreparedPut> =>
    Promise.resolve({
      publish: () => Promise.reject(new Error('nobody publishes')),
      discard: () => {
        asked += 1;
        return Promise.reject(new Error('the test made the store fail'));
      },
    });
  const put = objects.put.bind(objects);
  const full: ObjectStore['put'] = async (name, body, options) => {
    await put(name, body, options);
    throw new KeyfoldError('STORAGE_FULL', 'The test made the store full.');
  };
  const { store } = await openStore({ objects: Object.assign(objects, { prepare, put: full }) });
  await expectCode(store.save('a', patterned(BIG)), 'STORAGE_FULL');
  expect(asked).toBe(1);
});
