import { isKeyfoldError } from '@keyfold/core';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import { patiently } from './patiently.ts';
import {
  BIG,
  INLINE,
  type Content,
  type Product,
  digestOf,
  everything,
  keyringPath,
  objectsPath,
  openProduct,
  save,
  sweepingStore,
} from './product.ts';

const TARGET = 'target';

/** What may stand at `target`, as a SHA-256 or undefined for nothing, in the order in which it comes to stand there. */
export type Course = readonly (string | undefined)[];

/** What is found in a directory after a process was killed in it, and what others can do there. */
export class Aftermath {
  readonly #product: Product;
  readonly #root: string;
  /** Everything but the target. */
  readonly #kept: ReadonlyMap<string, Content>;
  #course: Course;

  private constructor(product: Product, root: string, kept: ReadonlyMap<string, Content>, course: Course) {
    this.#product = product;
    this.#root = root;
    this.#kept = kept;
    this.#course = course;
  }

  /** Opens everything anew. */
  static async of(root: string, kept: ReadonlyMap<string, Content>, course: Course): Promise<Aftermath> {
    return new Aftermath(await openProduct(root), root, kept, course);
  }

  /** Everything opens, nothing else is listed, and the target has not gone back in its course. Gives what stands there. */
  async look(): Promise<string | undefined> {
    const all = await everything(this.#product.store);
    const target = all.get(TARGET);
    for (const [id, content] of this.#kept) expect(all.get(id), id).toBe(digestOf(content));
    expect([...all.keys()].filter((id) => id !== TARGET).sort()).toEqual([...this.#kept.keys()].sort());
    expect(this.#course).toContain(target);
    this.#course = this.#course.slice(this.#course.indexOf(target));
    return target;
  }

  /** Everything that others may want to do; what they do first depends on `turn`. */
  async goOn(turn: number): Promise<void> {
    const acts = [() => this.#sweep(), () => this.#rewrap(), () => this.#overwrite(), () => this.#remove()];
    const first = turn % acts.length;
    for (const act of [...acts.slice(first), ...acts.slice(0, first)]) {
      await act();
      await this.look();
    }
    await this.#saveAnew();
    await this.look();
    await this.#expectTidy();
  }

  close(): Promise<void> {
    return this.#product.close();
  }

  async #sweep(): Promise<void> {
    await sweepingStore(this.#root).sweep({ olderThanMs: 0 });
  }

  async #rewrap(): Promise<void> {
    const { kms, store } = this.#product;
    const { id } = await kms.rotateKey();
    const ids: string[] = [];
    for await (const listed of store.list()) ids.push(listed);
    for (const listed of ids) {
      const result = await patiently(() => store.rewrap(listed)).catch((error: unknown) => {
        // The delete of a killed process was completed meanwhile.
        if (listed === TARGET && this.#course.includes(undefined) && isKeyfoldError(error, 'NOT_FOUND')) return undefined;
        throw error;
      });
      if (result !== undefined) expect(result.wrap.keyVersion).toBe(id);
    }
  }

  async #overwrite(): Promise<void> {
    const following = { name: 'following', length: this.#course.length % 2 === 0 ? INLINE : BIG };
    await patiently(() => save(this.#product.store, TARGET, following, true));
    this.#course = [digestOf(following)];
  }

  async #remove(): Promise<void> {
    const removed = await patiently(() => this.#product.store.delete(TARGET));
    expect([removed, ...(this.#course.includes(undefined) ? [true] : [])]).toContain(true);
    // Where nothing was to be removed, what the killed process had begun may still be completed by whoever comes next.
    if (removed) this.#course = [undefined];
  }

  async #saveAnew(): Promise<void> {
    await patiently(() => this.#product.store.delete(TARGET));
    const last = { name: 'last', length: INLINE };
    await save(this.#product.store, TARGET, last);
    this.#course = [digestOf(last)];
  }

  /** Nothing stays but objects and keyrings: at most one data object for each process that was killed is nobody's. */
  async #expectTidy(): Promise<void> {
    await this.#sweep();
    const large = [...this.#kept.values()].filter(({ length }) => length >= BIG).length;
    const names = readdirSync(objectsPath(this.#root), { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.includes('~'))).toEqual([]);
    expect(names.filter((name) => name.endsWith('.kfk'))).toHaveLength(this.#kept.size + 1);
    expect(names.filter((name) => name.endsWith('.kfc')).length).toBeLessThanOrEqual(large + 2);
    expect(readdirSync(dirname(keyringPath(this.#root))).filter((name) => name.includes('~'))).toEqual([]);
  }
}
