/**
 * What `work` makes of every item, in the order in which it is done; at most
 * `limit` at a time, and no item is taken before there is room for it. Nothing
 * is under way any more when the iteration ends, however it ends.
 */
export async function* inParallel<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const running = new Set<Promise<Done<R>>>();
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (let more = true; more || running.size > 0; ) {
      while (more && running.size < limit) {
        const step = await iterator.next();
        if (step.done === true) more = false;
        else start(running, work(step.value));
      }
      if (running.size === 0) return;
      const { task, result } = await Promise.race(running);
      running.delete(task);
      yield result;
    }
  } finally {
    await Promise.allSettled(running);
    await iterator.return?.();
  }
}

interface Done<R> {
  readonly task: Promise<Done<R>>;
  readonly result: R;
}

function start<R>(running: Set<Promise<Done<R>>>, work: Promise<R>): void {
  const task: Promise<Done<R>> = work.then((result) => ({ task, result }));
  // Seen when its turn comes; until then it is not unhandled.
  task.catch(() => undefined);
  running.add(task);
}
