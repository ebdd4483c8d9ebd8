import { createSecretKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { HiddenNames, type KeyRecordStore, type ObjectStore } from '@keyfold/core';
import { MemoryKeyRecordStore } from '@keyfold/core/testing';
import { keyRecordStoreConformance, objectStoreConformance } from '@keyfold/testkit';
import { describe, expect, it } from 'vitest';
import { HiddenCheckpointNames } from '../src/encrypted/hidden-checkpoint-names.ts';
import { ObjectKeyRecordStore } from '../src/encrypted/object-key-record-store.ts';
import { UserKeyRecords } from '../src/encrypted/user-key-records.ts';
import { VisibleNames } from '../src/encrypted/visible-names.ts';
import { FileSystemObjectStore, MemoryObjectStore } from '../src/index.ts';
import { temporaryRoot } from './object-stores/temporary-root.ts';

interface OnDisk {
  readonly root: string;
  readonly cleanup: () => Promise<void>;
  readonly store: ObjectStore;
}

const capabilities = { conditionalWrites: true };
const NAMES = new HiddenCheckpointNames(new HiddenNames(createSecretKey(new Uint8Array(32)), 'acme'), 'acme');

async function onDisk(): Promise<OnDisk> {
  const { root, cleanup } = await temporaryRoot();
  return { root, cleanup, store: new FileSystemObjectStore(root) };
}

const OBJECT_STORES = {
  MemoryObjectStore: objectStoreConformance({
    setUp: () => ({ store: new MemoryObjectStore() }),
    capabilities,
    identity: true,
  }),
  FileSystemObjectStore: objectStoreConformance({
    setUp: onDisk,
    tearDown: ({ cleanup }) => cleanup(),
    capabilities,
    identity: true,
    reopen: ({ root }) => new FileSystemObjectStore(root),
    // No name of an object has a "~".
    residue: async ({ root }) => (existsSync(root) ? (await readdir(root, { recursive: true })).filter((path) => path.includes('~')).length : 0),
  }),
};

const KEY_RECORD_STORES = {
  'sidecar objects in memory': records(() => new ObjectKeyRecordStore(new MemoryObjectStore(), new VisibleNames())),
  'sidecar objects with hidden names': records(() => new ObjectKeyRecordStore(new MemoryObjectStore(), NAMES)),
  'sidecar files': keyRecordStoreConformance({
    setUp: async () => {
      const { root, cleanup, store } = await onDisk();
      return { root, cleanup, records: new ObjectKeyRecordStore(store, new VisibleNames()) };
    },
    tearDown: ({ cleanup }) => cleanup(),
    reopen: ({ root }) => new ObjectKeyRecordStore(new FileSystemObjectStore(root), new VisibleNames()),
  }),
  'a key record store of the caller’s': records(() => new UserKeyRecords(new MemoryKeyRecordStore())),
};

function records(make: () => KeyRecordStore): ReturnType<typeof keyRecordStoreConformance> {
  return keyRecordStoreConformance({ setUp: () => ({ records: make() }) });
}

describe.each(Object.entries(OBJECT_STORES))('%s keeps the promises of an ObjectStore', (_, suite) => {
  it.each(suite.cases)('$title', ({ run }) => run());
});

describe.each(Object.entries(KEY_RECORD_STORES))('%s keep the promises of a KeyRecordStore', (_, suite) => {
  it.each(suite.cases)('$title', ({ run }) => run());
});

describe('what the suites cannot prove', () => {
  it('is that files are durable, which other tests look at with killed processes and full disks', () => {
    expect(OBJECT_STORES.FileSystemObjectStore.notProven).toEqual(['that a put is durable when it resolves, and what full, denied and failing storage does']);
  });
});
