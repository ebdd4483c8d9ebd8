import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { untilAborted } from '../src/until-aborted.ts';
import { expectCode, rejection } from './support/expect-code.ts';
import { EndlessSource, StuckSource, failing } from './support/sources.ts';

describe('a source that is read until a signal fires', () => {
  test('without a signal is the source itself', () => {
    const source = new EndlessSource();
    expect(untilAborted(source, undefined)).toBe(source);
  });

  test('is ended, and not asked for more, when the signal fires between two chunks', async () => {
    const source = new EndlessSource();
    const abort = new AbortController();
    const iterator = untilAborted(source, abort.signal)[Symbol.asyncIterator]();
    await iterator.next();
    abort.abort();
    expect(source.ended).toBe(0);
    await expectCode(() => iterator.next(), 'ABORTED');
    expect([source.given, source.ended]).toEqual([1, 1]);
  });

  test('is ended when the signal fires while it makes the reader wait', async () => {
    const source = new StuckSource(1);
    const abort = new AbortController();
    const iterator = untilAborted(source, abort.signal)[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = expectCode(() => iterator.next(), 'ABORTED');
    abort.abort();
    await waiting;
    expect(source.ended).toBe(1);
  });

  test('is ended when the reader leaves, and no listener stays behind', async () => {
    const source = new EndlessSource();
    const abort = new AbortController();
    for await (const chunk of untilAborted(source, abort.signal)) if (chunk.byteLength > 0) break;
    expect(source.ended).toBe(1);
    abort.abort();
    await setImmediate();
    expect(source.ended).toBe(1);
  });

  test('may have no way of being ended, or fail at it: the abort is what is reported, and nothing is unhandled', async () => {
    const next = (): Promise<IteratorResult<Uint8Array>> => Promise.resolve({ done: false, value: new Uint8Array(1) });
    for (const iterator of [{ next }, { next, return: () => Promise.reject(new Error('cannot end')) }]) {
      const abort = new AbortController();
      const read = async (): Promise<void> => {
        for await (const chunk of untilAborted({ [Symbol.asyncIterator]: () => iterator }, abort.signal)) if (chunk.byteLength > 0) abort.abort();
      };
      await expectCode(read, 'ABORTED');
    }
    await setImmediate();
  });

  test('passes its own error on as it is', async () => {
    const error = new Error('broken');
    const read = async (): Promise<number> => {
      let bytes = 0;
      for await (const chunk of untilAborted(failing(10, error), new AbortController().signal)) bytes += chunk.byteLength;
      return bytes;
    };
    expect(await rejection(read)).toBe(error);
  });
});
