import type { KeyRecordStore, ObjectStore } from '@keyfold/core';
import { EncryptedCheckpointStore } from '../encrypted/encrypted-checkpoint-store.ts';
import { invalid } from '../encrypted/encryption-config.ts';
import { type EncryptedCheckpointStoreOptions, OVER_USER_STORE, requireCalls } from '../encrypted/options.ts';
import type { UserCheckpointStore } from './user-checkpoint-store.ts';
import { UserObjectStore } from './user-object-store.ts';

/** What an encrypted store over a store of the caller's is made of. */
export interface FromCheckpointStoreOptions extends Omit<EncryptedCheckpointStoreOptions, 'objects' | 'inlineLimitBytes' | 'hideNames'> {
  /** Keeps the key records, with real conditions: then rewraps work, and of two writers one gets CONFLICT. Default none. */
  readonly records?: KeyRecordStore;
}

/**
 * Encrypts what goes into a store of the caller's own. Each checkpoint is one
 * blob, record and data, under `<id>.kfk`, and wholly in memory while it is
 * saved or loaded. Without conditions in that store: a save looks whether the
 * id is taken, and of two that look at once the last one wins; rewrap() is
 * NOT_SUPPORTED. With `records` the records go there and the data alone into
 * the store. gc() is NOT_SUPPORTED in either case, and names are not hidden.
 * @throws KeyfoldError as {@link EncryptedCheckpointStore.open}
 */
export async function fromCheckpointStore(store: UserCheckpointStore, options: FromCheckpointStoreOptions): Promise<EncryptedCheckpointStore> {
  const missing = (['save', 'load', 'delete', 'list'] as const).find((call) => typeof (store as Partial<UserCheckpointStore> | undefined)?.[call] !== 'function');
  if (missing !== undefined) throw invalid(`fromCheckpointStore() needs an object with save, load, delete and list, and it has no ${missing}().`);
  if (typeof options !== 'object' || (options as unknown) === null) throw invalid('fromCheckpointStore() takes options besides the store, and needs "kms" and "tenant".');
  const { records, ...rest } = options;
  if ('objects' in rest) throw invalid('fromCheckpointStore() keeps everything in the store that it is given, and takes no "objects".');
  requireCalls('records', records, ['get', 'list', 'create', 'compareAndSwap', 'delete']);
  const objects: ObjectStore = new UserObjectStore(store);
  return EncryptedCheckpointStore.open({ ...rest, objects, [OVER_USER_STORE]: { records } });
}
