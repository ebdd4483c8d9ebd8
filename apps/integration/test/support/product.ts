import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type KmsClient, type ObjectStore, isKeyfoldError } from '@keyfold/core';
import { LocalKms, type LocalKmsClient } from '@keyfold/kms-local';
import { EncryptedCheckpointStore, FileSystemObjectStore } from '@keyfold/store-checkpoint';
import { contentOf, inChunks, sha256 } from '../fixtures/content.mjs';

export const TENANT = 'acme';

/** What unlocks the keyrings of these tests. */
export const UNLOCK_KEY = new Uint8Array(createHash('sha256').update('unlock').digest());

export function objectsPath(root: string): string {
  return join(root, 'objects');
}

export function keyringPath(root: string): string {
  return join(root, 'keys', 'keyring.kf');
}

export interface Product {
  readonly store: EncryptedCheckpointStore;
  readonly kms: LocalKmsClient;
  readonly objects: FileSystemObjectStore;
  readonly close: () => Promise<void>;
}

/** Stands between the store and what it is built on. */
export interface Between {
  readonly objects?: (objects: ObjectStore) => ObjectStore;
  readonly kms?: (kms: KmsClient) => KmsClient;
  /** Keys that are kept in memory; none, so that every call asks the keyring. */
  readonly cachedKeys?: number;
}

/** A keyring and no objects, below an existing directory. */
export async function createProduct(root: string): Promise<Product> {
  mkdirSync(join(root, 'keys'), { mode: 0o700 });
  await (await LocalKms.create(keyringPath(root), { key: UNLOCK_KEY })).close();
  return openProduct(root);
}

/** The encrypted store over a directory and a keyring, as a process opens it that has just been started. */
export async function openProduct(root: string, between: Between = {}): Promise<Product> {
  const kms = await LocalKms.open(keyringPath(root), { key: UNLOCK_KEY });
  const objects = new FileSystemObjectStore(objectsPath(root));
  const store = await EncryptedCheckpointStore.open({
    objects: between.objects?.(objects) ?? objects,
    kms: between.kms?.(kms) ?? kms,
    tenant: TENANT,
    keyCache: { maxEntries: between.cachedKeys ?? 0 },
  });
  return {
    store,
    kms,
    objects,
    close: async () => {
      await store.close();
      await kms.close();
    },
  };
}

/** A checkpoint's content, by its name and length; its metadata hold the SHA-256. */
export interface Content {
  readonly name: string;
  readonly length: number;
}

export const INLINE = 1_000;
export const BIG = 300_000;
/** Two frames, several writes. */
export const STREAMED = 1_300_000;

export async function save(store: EncryptedCheckpointStore, id: string, content: Content, overwrite = false): Promise<void> {
  const bytes = contentOf(content.name, content.length);
  const data = content.length === STREAMED ? inChunks(bytes) : bytes;
  await store.save(id, data, { overwrite, metadata: { sha256: sha256(bytes) } });
}

export function digestOf({ name, length }: Content): string {
  return sha256(contentOf(name, length));
}

/** The SHA-256 of what an id opens to, which must be what its metadata say. */
export async function digestAt(store: EncryptedCheckpointStore, id: string): Promise<string> {
  const found = sha256(await store.load(id));
  const { sha256: named } = await store.readMetadata(id);
  if (named !== found) throw new Error(`${id} has not the content that its metadata name`);
  return found;
}

/** What every listed checkpoint opens to, by id. Without those that a killed process was deleting, which the look at them completes. */
export async function everything(store: EncryptedCheckpointStore): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const id of store.list()) {
    try {
      all.set(id, await digestAt(store, id));
    } catch (error) {
      if (!isKeyfoldError(error, 'NOT_FOUND')) throw error;
    }
  }
  return all;
}

/** All files of the objects' directory, those of the store's own included. */
export function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** A store whose sweep takes what was left a moment ago. */
export function sweepingStore(root: string): FileSystemObjectStore {
  return new FileSystemObjectStore(objectsPath(root), { clock: { now: () => Date.now() + 60_000 } });
}
