import type { ObjectStore } from '@keyfold/core';
import { describe } from 'vitest';
import type { CheckpointStore } from '../src/checkpoint-store.ts';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { MemoryKeyRecordStore, MemoryKms } from '@keyfold/core/testing';
import { fromCheckpointStore } from '../src/user-store/from-checkpoint-store.ts';
import { userStoreOver } from './support/map-store.ts';
import { BACKENDS } from './support/backends.ts';

/** One implementation of CheckpointStore over one object store, made anew for a test. */
export interface Subject {
  readonly store: CheckpointStore;
  readonly objects: ObjectStore;
  /** Whether one of many writers wins; without conditions in the storage all of them may. */
  readonly decidesRaces: boolean;
}

export interface Implementation {
  readonly name: string;
  readonly decidesRaces?: false;
  readonly open: (objects: ObjectStore) => Promise<CheckpointStore>;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'plain', open: (objects) => Promise.resolve(new PlainCheckpointStore({ objects })) },
  {
    name: 'encrypted',
    open: (objects) => EncryptedCheckpointStore.open({ objects, kms: new MemoryKms(), tenant: 'acme' }),
  },
  {
    name: 'encrypted in 16 KiB chunks, never inline',
    open: (objects) =>
      EncryptedCheckpointStore.open({
        objects,
        kms: new MemoryKms(),
        tenant: 'acme',
        encryption: { algorithm: 'cobblestone-256' },
        inlineLimitBytes: 0,
      }),
  },
  {
    name: 'encrypted under hidden names',
    open: (objects) => EncryptedCheckpointStore.open({ objects, kms: new MemoryKms(), tenant: 'acme', hideNames: true }),
  },
  {
    name: 'encrypted, in a store of the caller\'s with a KeyRecordStore',
    open: (objects) => fromCheckpointStore(userStoreOver(objects), { kms: new MemoryKms(), tenant: 'acme', records: new MemoryKeyRecordStore() }),
  },
  {
    name: 'encrypted, in a store of the caller\'s',
    decidesRaces: false,
    open: (objects) => fromCheckpointStore(userStoreOver(objects), { kms: new MemoryKms(), tenant: 'acme' }),
  },
  {
    name: 'encrypted with CBC and HMAC',
    open: (objects) =>
      EncryptedCheckpointStore.open({ objects, kms: new MemoryKms(), tenant: 'acme', encryption: { algorithm: 'aes-256-cbc-hmac-sha256' } }),
  },
];

/** Runs the tests that `define` makes for every implementation over every object store. */
export function contract(title: string, define: (open: () => Promise<Subject>) => void): void {
  for (const { name, open, decidesRaces = true } of IMPLEMENTATIONS) {
    for (const { backend, make } of BACKENDS) {
      describe(`${title}: ${name}, over ${backend}`, () => {
        define(async () => {
          const objects = make();
          return { store: await open(objects), objects, decidesRaces };
        });
      });
    }
  }
}
