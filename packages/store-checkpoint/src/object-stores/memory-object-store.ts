import type { ByteRange, Clock, ObjectBody, ObjectCallOptions, ObjectContent, ObjectInfo, ObjectStore, ObjectStoreCapabilities, OpenObject, PutCondition } from '@keyfold/core/provider';
import { systemClock, throwIfAborted } from '@keyfold/core/provider';
import { collectBody } from './collect-body.ts';
import { alreadyExists, assertOneCondition, assertWithin, conflict, resolveRange } from './conditions.ts';
import { assertObjectName, assertObjectPrefix } from './object-name.ts';
import { OnePass } from './one-pass.ts';

const CHUNK = 1_048_576;

export interface MemoryObjectStoreOptions {
  /** For `lastModified`; the wall clock unless given. */
  readonly clock?: Clock | undefined;
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly lastModified: number;
}

/**
 * Objects in this process's memory: for tests and for what may be lost at exit.
 * Bytes are copied in and out, so nobody else's buffer is ever the store's.
 */
export class MemoryObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities = { conditionalWrites: true };
  readonly #objects = new Map<string, Entry>();
  readonly #clock: Clock;
  #writes = 0;

  constructor(options: MemoryObjectStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  async put(
    name: string,
    body: ObjectBody,
    options: PutCondition & ObjectCallOptions = {},
  ): Promise<{ readonly size: number }> {
    assertObjectName(name);
    assertOneCondition(name, options);
    throwIfAborted(options.signal);
    this.#check(name, options);
    const bytes = await collectBody(name, body, options.signal);
    // Nothing is awaited from here on: check and write are one step.
    throwIfAborted(options.signal);
    this.#check(name, options);
    this.#writes += 1;
    this.#objects.set(name, { bytes, etag: `write-${this.#writes}`, lastModified: this.#clock.now() });
    return { size: bytes.byteLength };
  }

  read(
    name: string,
    options: { readonly maxBytes: number } & ObjectCallOptions,
  ): Promise<ObjectContent | undefined> {
    return settle(() => {
      const entry = this.#find(name, options.signal);
      assertWithin(name, entry?.bytes.byteLength ?? 0, options.maxBytes);
      return entry && { bytes: Uint8Array.from(entry.bytes), etag: entry.etag };
    });
  }

  open(
    name: string,
    options: { readonly range?: ByteRange } & ObjectCallOptions = {},
  ): Promise<OpenObject | undefined> {
    return settle(() => {
      const entry = this.#find(name, options.signal);
      if (entry === undefined) return undefined;
      const range = resolveRange(name, entry.bytes.byteLength, options.range);
      const body = new OnePass(copies(entry.bytes, range, options.signal), () => Promise.resolve());
      return { size: entry.bytes.byteLength, identity: entry.etag, body, cancel: () => body.cancel() };
    });
  }

  head(name: string, options: ObjectCallOptions = {}): Promise<ObjectInfo | undefined> {
    return settle(() => {
      const entry = this.#find(name, options.signal);
      return entry && describe(name, entry);
    });
  }

  delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
    return settle(() => {
      const entry = this.#find(name, options.signal);
      if (options.ifMatch !== undefined && entry?.etag !== options.ifMatch) throw conflict(name);
      return this.#objects.delete(name);
    });
  }

  list(options: { readonly prefix?: string } & ObjectCallOptions = {}): AsyncIterable<ObjectInfo> {
    const prefix = options.prefix ?? '';
    assertObjectPrefix(prefix);
    return this.#list(prefix, options.signal);
  }

  async *#list(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo, void, undefined> {
    const names = [...this.#objects.keys()].filter((name) => name.startsWith(prefix)).sort();
    for (const name of names) {
      throwIfAborted(signal);
      const entry = await Promise.resolve(this.#objects.get(name));
      if (entry !== undefined) yield describe(name, entry);
    }
  }

  #find(name: string, signal: AbortSignal | undefined): Entry | undefined {
    assertObjectName(name);
    throwIfAborted(signal);
    return this.#objects.get(name);
  }

  #check(name: string, condition: PutCondition): void {
    const entry = this.#objects.get(name);
    if (condition.ifNoneMatch !== undefined && entry !== undefined) throw alreadyExists(name);
    if (condition.ifMatch !== undefined && entry?.etag !== condition.ifMatch) throw conflict(name);
  }
}

/** What throws at once is a rejection to whoever awaits. */
function settle<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(run());
  });
}

function describe(name: string, entry: Entry): ObjectInfo {
  return { name, size: entry.bytes.byteLength, lastModified: entry.lastModified };
}

async function* copies(
  bytes: Uint8Array,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = range.start; start < range.end; start += CHUNK) {
    throwIfAborted(signal);
    yield await Promise.resolve(bytes.slice(start, Math.min(start + CHUNK, range.end)));
  }
}
