import { AssertionError } from 'node:assert/strict';
import { isKeyfoldError } from '@keyfold/core/provider';
import type { ConformanceSuite } from '../../src/index.ts';

/** The ids of the cases that an implementation fails, in order. A case that breaks in a way of its own is an error. */
export async function failures({ cases }: ConformanceSuite): Promise<string[]> {
  const failed = await Promise.all(
    cases.map(async ({ id, run }) => {
      try {
        await run();
        return [];
      } catch (error) {
        if (error instanceof AssertionError || isKeyfoldError(error)) return [id];
        throw error;
      }
    }),
  );
  return failed.flat().sort();
}

/** Others get their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
