import { KeyfoldError, throwIfAborted } from '@keyfold/core/provider';

/**
 * What `source` gives until `signal` fires: then the iteration rejects at once,
 * also while the source makes it wait, and the source is told to end.
 * @throws KeyfoldError ABORTED, as a rejection of the iteration
 */
export function untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  if (signal === undefined) return source;
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = source[Symbol.asyncIterator]();
      const end = async (): Promise<IteratorResult<T>> => (await iterator.return?.()) ?? { done: true, value: undefined };
      return { next: () => nextOrAbort(iterator, signal, end), return: end };
    },
  };
}

async function nextOrAbort<T>(iterator: AsyncIterator<T>, signal: AbortSignal, end: () => Promise<unknown>): Promise<IteratorResult<T>> {
  try {
    throwIfAborted(signal);
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.'));
      // Not waited for: it comes behind a next() that may never end.
      end().catch(() => undefined);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
  });
}
