import { describe, expect, test } from 'vitest';
import { type Event, contradictions } from './support/history.ts';

function event(value: string | undefined, begin: number, end?: number): Event {
  return { value, begin: BigInt(begin), end: end === undefined ? undefined : BigInt(end) };
}

describe('a history of one checkpoint', () => {
  test('is without contradiction when each read finds the write before it, or one at the same time', () => {
    const writes = [event('a', 1, 2), event('b', 5, 9), event(undefined, 11, 12)];
    const reads = [event(undefined, 0, 1), event('a', 3, 4), event('a', 6, 7), event('b', 6, 8), event('b', 9, 12), event(undefined, 13, 14)];
    expect(contradictions({ writes, reads })).toEqual([]);
  });

  test('lets a write that nobody acknowledged take effect at any time from its begin, or never', () => {
    const writes = [event('a', 1, 2), event('killed', 3)];
    for (const value of ['a', 'killed']) expect(contradictions({ writes, reads: [event(value, 100, 101)] })).toEqual([]);
    expect(contradictions({ writes, reads: [event('killed', 1, 2)] })).toHaveLength(1);
  });

  test('contradicts itself when a value was never written, not yet written, or replaced', () => {
    const writes = [event('a', 1, 2), event('b', 3, 4), event(undefined, 5, 6)];
    const wrong = [event('c', 7, 8), event('b', 1, 2), event('a', 5, 6), event('b', 7, 8), event(undefined, 3, 4)];
    for (const read of wrong) expect(contradictions({ writes, reads: [read] })).toHaveLength(1);
  });
});
