import { expect } from 'vitest';
import { isKeyfoldError, type ErrorCode, type KeyfoldError } from '@keyfold/core/provider';

/** Runs what must fail, and gives the error back when it has the code. */
export async function failure(code: ErrorCode, run: () => unknown): Promise<KeyfoldError> {
  try {
    await run();
  } catch (error) {
    if (!isKeyfoldError(error)) expect.fail(`no KeyfoldError: ${String(error)}`);
    expect(error.code, error.message).toBe(code);
    return error;
  }
  return expect.fail(`nothing was refused; expected ${code}`);
}
