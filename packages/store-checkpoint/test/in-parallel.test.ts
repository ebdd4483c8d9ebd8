import { describe, expect, test } from 'vitest';
import { inParallel } from '../src/in-parallel.ts';
import { gathered } from './support/bytes.ts';
import { rejection } from './support/expect-code.ts';

async function* numbers(count: number, state: { taken: number; ended: number } = { taken: 0, ended: 0 }): AsyncGenerator<number, void, undefined> {
  try {
    for (let n = 0; n < count; n++) {
      state.taken++;
      yield await Promise.resolve(n);
    }
  } finally {
    state.ended++;
  }
}

/** Waits for `turns` turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate);
}

describe('work in parallel', () => {
  test('is done for every item, in the order in which it ends', async () => {
    const all = await gathered(inParallel(numbers(5), 5, async (n) => {
      await turns(5 - n);
      return n;
    }));
    expect(all).toEqual([4, 3, 2, 1, 0]);
    expect(await gathered(inParallel(numbers(0), 3, (n) => Promise.resolve(n)))).toEqual([]);
  });

  test('takes no item before there is room for it', async () => {
    const state = { taken: 0, ended: 0 };
    const work = inParallel(numbers(10, state), 2, (n) => Promise.resolve(n));
    await work.next();
    expect(state.taken).toBe(2);
    await work.return();
    expect(state).toEqual({ taken: 2, ended: 1 });
  });

  test('that fails ends the iteration after what is under way, and the source', async () => {
    const state = { taken: 0, ended: 0 };
    let ended = 0;
    const error = new Error('the second one');
    const work = inParallel(numbers(10, state), 3, async (n) => {
      await turns(n === 1 ? 1 : 5);
      ended++;
      if (n === 1) throw error;
      return n;
    });
    expect(await rejection(gathered(work))).toBe(error);
    expect(ended).toBe(3);
    expect(state).toEqual({ taken: 3, ended: 1 });
  });

  test('of which several fail gives one error, and leaves none unhandled', async () => {
    const work = inParallel(numbers(4), 4, (n) => Promise.reject(new Error(String(n))));
    expect(await rejection(gathered(work))).toMatchObject({ message: '0' });
    await turns(3);
  });

  test('whose source fails ends after what is under way', async () => {
    let ended = 0;
    const source = async function* (): AsyncGenerator<number, void, undefined> {
      yield await Promise.resolve(1);
      throw new Error('no more');
    };
    const work = inParallel(source(), 4, async (n) => {
      await turns(3);
      ended++;
      return n;
    });
    expect(await rejection(gathered(work))).toMatchObject({ message: 'no more' });
    expect(ended).toBe(1);
  });
});
