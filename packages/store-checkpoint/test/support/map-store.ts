import type { ObjectStore } from '@keyfold/core';
import type { UserCheckpointStore } from '../../src/user-store/user-checkpoint-store.ts';

/** The simplest store that a caller could have. */
export class MapStore implements UserCheckpointStore {
  readonly blobs = new Map<string, Uint8Array>();
  /** Called before everything; throws to make it fail. */
  fault: ((call: keyof UserCheckpointStore, name: string) => void | Promise<void>) | undefined;

  async save(name: string, bytes: Uint8Array): Promise<void> {
    await this.fault?.('save', name);
    this.blobs.set(name, bytes);
  }

  async load(name: string): Promise<Uint8Array | null> {
    await this.fault?.('load', name);
    return this.blobs.get(name) ?? null;
  }

  async delete(name: string): Promise<void> {
    await this.fault?.('delete', name);
    this.blobs.delete(name);
  }

  async list(prefix: string): Promise<Iterable<string>> {
    await this.fault?.('list', prefix);
    // More than was asked for: it is left out.
    return this.blobs.keys();
  }
}

/** An object store as somebody who knows nothing of conditions would use it. */
export function userStoreOver(objects: ObjectStore): UserCheckpointStore {
  return {
    save: (name, bytes) => objects.put(name, bytes),
    load: async (name) => (await objects.read(name, { maxBytes: 2 ** 32 }))?.bytes,
    delete: (name) => objects.delete(name),
    list: async function* (prefix) {
      for await (const { name } of objects.list({ prefix })) yield name;
    },
  };
}
