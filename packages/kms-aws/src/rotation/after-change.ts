import { KeyfoldError, isKeyfoldError } from '@keyfold/core/provider';
import type { SignalOptions } from '../kms-calls.ts';
import { wait } from './wait.ts';

/** How often a throttled step is made at most; with the pauses between them it takes 1.5 s. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 100;

/** Codes of a service that may answer in a moment. */
export function mayPass(error: unknown): boolean {
  return isKeyfoldError(error, 'KMS_UNAVAILABLE') || isKeyfoldError(error, 'KMS_THROTTLED');
}

/**
 * A step of a rotation that has already changed something, so that the rotation
 * as a whole must not be made again. Throttled, AWS did nothing: the step alone
 * is repeated. What still fails for a moment comes out as KMS_UNAVAILABLE, which
 * nobody repeats for rotateKey(): KMS_THROTTLED would mean that nothing happened.
 * @param left what may be there now, and where to look
 */
export async function afterChange<T>(left: string, signals: SignalOptions, step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (!isKeyfoldError(error) || !mayPass(error)) throw error;
      if (error.code === 'KMS_UNAVAILABLE' || attempt === ATTEMPTS) throw unfinished(error, left);
    }
    await wait(FIRST_PAUSE_MS * 2 ** (attempt - 1), signals);
  }
}

/** A rotation that may have happened, in part or as a whole. */
export function unfinished(error: KeyfoldError, left: string): KeyfoldError {
  return new KeyfoldError('KMS_UNAVAILABLE', `${error.message} ${left}`, { cause: error });
}
