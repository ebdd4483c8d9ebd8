import { isKeyfoldError } from '@keyfold/core';

/** What a caller does who is told that another came first: once more, and once more again. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 3 || !isKeyfoldError(error, 'CONFLICT')) throw error;
    }
  }
}
