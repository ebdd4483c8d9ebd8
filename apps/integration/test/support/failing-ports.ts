import { type ErrorCode, KeyfoldError, type KmsClient, type ObjectInfo, type ObjectStore, type PreparedPut } from '@keyfold/core';

export interface Failure {
  /** Which call fails, of all that are made: the first is 0. */
  readonly at: number;
  /**
   * `after`: the call took effect, and its caller is told that it failed.
   * `ever since`: it and all that follow fail before they take effect.
   */
  readonly when: 'before' | 'after' | 'ever since';
  readonly code: ErrorCode;
}

/** An object store and a KMS of which one call fails as planned. Counts the calls of both together. */
export class FailingPorts {
  readonly calls: string[] = [];
  /** Calls to the objects that took effect, in order. */
  readonly effects: string[] = [];
  #failure: Failure | undefined;

  /** Counts from 0 again. */
  plan(failure: Failure | undefined): void {
    this.#failure = failure;
    this.calls.length = 0;
    this.effects.length = 0;
  }

  objects(inner: ObjectStore): ObjectStore {
    const around = async <T>(call: string, run: () => Promise<T>, undo?: (result: T) => Promise<void>): Promise<T> =>
      this.#around(call, async () => {
        const result = await run();
        this.effects.push(call);
        return result;
      }, undo);
    const prepare = inner.prepare?.bind(inner);
    return {
      capabilities: inner.capabilities,
      ...(prepare && { prepare: (name, ...rest) => this.#prepare(name, () => prepare(name, ...rest), around) }),
      put: (name, ...rest) => around(`put ${name}`, () => inner.put(name, ...rest)),
      read: (name, ...rest) => around(`read ${name}`, () => inner.read(name, ...rest)),
      open: (name, ...rest) => around(`open ${name}`, () => inner.open(name, ...rest), async (opened) => opened?.cancel()),
      head: (name, ...rest) => around(`head ${name}`, () => inner.head(name, ...rest)),
      delete: (name, ...rest) => around(`delete ${name}`, () => inner.delete(name, ...rest)),
      list: (...args) => this.#list(inner.list(...args)),
    };
  }

  /** What was prepared is put when it is published. */
  async #prepare(name: string, run: () => Promise<PreparedPut>, around: <T>(call: string, run: () => Promise<T>) => Promise<T>): Promise<PreparedPut> {
    const prepared = await this.#around(`prepare ${name}`, run, (made) => made.discard());
    return { publish: () => around(`put ${name}`, () => prepared.publish()), discard: () => prepared.discard() };
  }

  kms(inner: KmsClient): KmsClient {
    const around = <T>(call: string, run: () => Promise<T>): Promise<T> => this.#around(`kms ${call}`, run);
    return {
      provider: inner.provider,
      keyId: inner.keyId,
      capabilities: inner.capabilities,
      encrypt: (...args) => around('encrypt', () => inner.encrypt(...args)),
      decrypt: (...args) => around('decrypt', () => inner.decrypt(...args)),
      generateDataKey: (...args) => around('generateDataKey', () => inner.generateDataKey(...args)),
      currentKeyVersion: (...args) => around('currentKeyVersion', () => inner.currentKeyVersion(...args)),
      listKeyVersions: (...args) => inner.listKeyVersions(...args),
      rotateKey: (...args) => around('rotateKey', () => inner.rotateKey(...args)),
      testConnection: (...args) => inner.testConnection(...args),
      close: () => inner.close(),
    };
  }

  async #around<T>(call: string, run: () => Promise<T>, undo?: (result: T) => Promise<void>): Promise<T> {
    const at = this.calls.push(call) - 1;
    this.#failIf(at, 'before', call);
    const result = await run();
    if (this.#failure?.at === at) await undo?.(result);
    this.#failIf(at, 'after', call);
    return result;
  }

  async *#list(listed: AsyncIterable<ObjectInfo>): AsyncGenerator<ObjectInfo, void, undefined> {
    const at = this.calls.push('list') - 1;
    this.#failIf(at, 'before', 'list');
    for await (const info of listed) {
      yield info;
      this.#failIf(at, 'after', 'list');
    }
  }

  #failIf(at: number, when: 'before' | 'after', call: string): void {
    if (this.#failure === undefined) return;
    const planned = this.#failure.when === 'ever since' ? when === 'before' && at >= this.#failure.at : when === this.#failure.when && at === this.#failure.at;
    if (!planned) return;
    throw new KeyfoldError(this.#failure.code, `The test made ${call} fail ${when} it took effect.`);
  }
}
