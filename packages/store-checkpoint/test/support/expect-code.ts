import { type ErrorCode, type KeyfoldError, isKeyfoldError } from '@keyfold/core';
import { expect } from 'vitest';

/** What `run` rejects with or throws; fails when it does neither. */
export async function rejection(run: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof run === 'function' ? run() : run);
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection, and there was none');
}

/** Whether `error` is the Keyfold error with `code`, and its message a sentence for the person at the screen. */
export function checkCode(error: unknown, code: ErrorCode, message?: RegExp): KeyfoldError {
  if (!isKeyfoldError(error)) throw new Error('expected a Keyfold error', { cause: error });
  expect(error.code, error.message).toBe(code);
  expect(error.message).toMatch(/^\S.* .*\S\.$/s);
  expect(error.message.length).toBeGreaterThan(25);
  expect(error.message).not.toMatch(/undefined|\[object|NaN/);
  if (message !== undefined) expect(error.message).toMatch(message);
  return error;
}

/** {@link checkCode} of what `run` rejects with or throws. */
export async function expectCode(run: Promise<unknown> | (() => unknown), code: ErrorCode, message?: RegExp): Promise<KeyfoldError> {
  return checkCode(await rejection(run), code, message);
}
