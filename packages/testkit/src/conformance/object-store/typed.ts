import assert from 'node:assert/strict';
import type { ErrorCode } from '@keyfold/core/provider';
import { collect, rejection, requireCode, sameBytes } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import { bytes, etagOf, opened, pattern, type ObjectStoreGroup } from './objects.ts';
import type { ObjectStoreSubject } from './options.ts';

const CODES: readonly ErrorCode[] = [
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'CONFLICT',
  'LIMIT_EXCEEDED',
  'RANGE_INVALID',
  'INVALID_ARGUMENT',
  'STORAGE_FULL',
  'STORAGE_DENIED',
  'STORAGE_FAILURE',
  'ABORTED',
];

/** Errors that programs and people can use, and what another process sees. */
export const typedCases: ObjectStoreGroup = (options) => [
  {
    id: 'error.typed',
    title: 'fails with nothing but typed errors that say what is wrong',
    run: async ({ store }) => {
      await store.put('x', bytes('one'));
      const refusals: readonly (readonly [string, () => Promise<unknown>])[] = [
        ['a second create', () => store.put('x', bytes('two'), { ifNoneMatch: '*' })],
        ['a replacement of another state', () => store.put('x', bytes('two'), { ifMatch: 'other' })],
        ['a delete of another state', () => store.delete('x', { ifMatch: 'other' })],
        ['an object above the limit', () => store.read('x', { maxBytes: 1 })],
        ['a range beyond the end', () => store.open('x', { range: { start: 0, end: 9 } })],
        ['no name', () => store.head('No Name')],
        ['no prefix', async () => collect(store.list({ prefix: 'No Prefix' }))],
        ['an abort', () => store.head('x', { signal: AbortSignal.abort() })],
      ];
      for (const [what, work] of refusals) {
        const { message } = requireCode(await rejection(work, what), CODES, what);
        assert.match(message, /^\S.* .*\S$/s, `"${message}" is no sentence`);
        assert.doesNotMatch(message, /undefined|\[object |NaN/, `"${message}" was put together without looking`);
      }
    },
  },
  ...(options.reopen === undefined ? [] : [reopened(options.reopen)]),
];

function reopened<Subject extends ObjectStoreSubject>(reopen: (subject: Subject) => unknown): PlannedCase<Subject> {
  return {
    id: 'read.reopened',
    title: 'keeps objects for another store over the same storage, states included',
    run: async (subject) => {
      const { store } = subject;
      await store.put('d/x', pattern(100_000));
      const again = (await reopen(subject)) as typeof store;
      sameBytes(await opened(again, 'd/x'), pattern(100_000), 'what another store put');
      const etag = await etagOf(store, 'd/x');
      assert.equal(await etagOf(again, 'd/x'), etag, 'the state has two names');
      await again.put('d/x', bytes('two'), { ifMatch: etag });
      sameBytes(await opened(store, 'd/x'), bytes('two'), 'what another store put afterwards');
    },
  };
}
