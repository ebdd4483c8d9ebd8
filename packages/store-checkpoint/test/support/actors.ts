import type { ObjectStore } from '@keyfold/core';
import { HookedObjectStore } from './hooked-object-store.ts';

/** Something that works on an object store, one operation at a time and only when a test lets it. */
export class Actor {
  readonly objects: HookedObjectStore;
  #open = true;
  #proceed: (() => void) | undefined;
  #idle: () => void = () => undefined;
  #work: Promise<unknown> | undefined;

  constructor(inner: ObjectStore) {
    this.objects = new HookedObjectStore(inner);
    this.objects.before = () => this.#turn();
  }

  /** Starts `work`, which stops before its first operation. */
  async start<T>(work: () => Promise<T>): Promise<{ readonly result: Promise<PromiseSettledResult<T>> }> {
    this.#open = false;
    const idle = this.#whenIdle();
    const result = Promise.allSettled([work()]).then(([settled]) => settled);
    this.#work = result.then(() => {
      this.#work = undefined;
      this.#idle();
    });
    await idle;
    return { result };
  }

  get done(): boolean {
    return this.#work === undefined;
  }

  /** Lets it do one operation, and waits until it is before the next one or done. */
  async step(): Promise<void> {
    if (this.done) return;
    const idle = this.#whenIdle();
    this.#proceed?.();
    await idle;
  }

  async finish(): Promise<void> {
    while (!this.done) await this.step();
  }

  #whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  #turn(): Promise<void> {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#proceed = resolve;
      this.#idle();
    });
  }
}

/** Every way to interleave `a` steps of one with `b` of another: true is a step of the first. */
export function* interleavings(a: number, b: number): Generator<readonly boolean[], void, undefined> {
  if (a === 0 || b === 0) {
    yield [...Array<boolean>(a).fill(true), ...Array<boolean>(b).fill(false)];
    return;
  }
  for (const rest of interleavings(a - 1, b)) yield [true, ...rest];
  for (const rest of interleavings(a, b - 1)) yield [false, ...rest];
}
