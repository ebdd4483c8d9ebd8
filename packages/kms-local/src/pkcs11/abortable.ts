import { KeyfoldError } from '@keyfold/core/provider';

/**
 * Ends with ABORTED as soon as the signal fires. A call into the token cannot
 * be stopped: it runs on, and what it gives then goes to `discard`.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, discard: (late: T) => void): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => {
      reject(aborted());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    work
      .then((result) => {
        if (signal.aborted) discard(result);
        else resolve(result);
      }, reject)
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
  });
}

/** What a caller who aborted is told. */
export function aborted(): KeyfoldError {
  return new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.');
}
