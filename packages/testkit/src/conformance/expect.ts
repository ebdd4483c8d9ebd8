import assert from 'node:assert/strict';
import { isKeyfoldError, type ErrorCode, type KeyfoldError } from '@keyfold/core/provider';

/** A promise, or a function that returns one and may throw at once instead. */
export type Work = Promise<unknown> | (() => unknown);

/** What `work` rejects with or throws. @throws AssertionError when it does neither */
export async function rejection(work: Work, what: string): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error;
  }
  return assert.fail(`${what} should have been refused, and was not.`);
}

/** The Keyfold error with one of `codes` that `work` ends with. @throws AssertionError when it ends otherwise */
export async function refusal(codes: ErrorCode | readonly ErrorCode[], work: Work, what: string): Promise<KeyfoldError> {
  return requireCode(await rejection(work, what), codes, what);
}

/** `error` as the Keyfold error that it has to be. @throws AssertionError when it is none, or has another code */
export function requireCode(error: unknown, codes: ErrorCode | readonly ErrorCode[], what: string): KeyfoldError {
  const expected: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  if (!isKeyfoldError(error)) {
    return assert.fail(`${what} ended with a ${kindOf(error)} instead of a KeyfoldError with code ${expected.join(' or ')}.`);
  }
  assert.ok(expected.includes(error.code), `${what} ended with ${error.code} instead of ${expected.join(' or ')}: ${error.message}`);
  return error;
}

/** Whether two byte strings are the same; never prints them, for they may be keys. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.ok(Buffer.compare(actual, expected) === 0, `${what}: ${actual.byteLength} bytes that differ from the ${expected.byteLength} that were expected.`);
}

/** Everything that an iteration gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A copy with the lowest bit of one byte the other way round. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Runs `work` for every item, a few at a time: a case may cost hundreds of calls. */
export async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<unknown>, atOnce = 8): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Waits for what has to come to an end. The limit only tells that it never
 * does; how fast it is, is not judged.
 */
export async function ended<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new assert.AssertionError({ message: `${what} had not ended after ${limitMs} ms.` }));
    }, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function kindOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}
