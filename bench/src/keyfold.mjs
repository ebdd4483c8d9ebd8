import { mkdir } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { join, resolve } from 'node:path';

/** The built packages of a checkout; of this one unless another is named. */
export async function loadKeyfold(root = join(import.meta.dirname, '../..')) {
  const load = (path) => import(pathToFileURL(resolve(root, 'packages', path)).href);
  const [core, provider, testing, store] = await Promise.all([
    load('core/dist/index.js'),
    load('core/dist/provider.js'),
    load('core/dist/testing.js'),
    load('store-checkpoint/dist/index.js'),
  ]);
  return { core, provider, testing, store, root };
}

/** An encrypted and a plain store over one directory. */
export async function openStores(keyfold, root) {
  await mkdir(root, { recursive: true });
  const { EncryptedCheckpointStore, FileSystemObjectStore, PlainCheckpointStore } = keyfold.store;
  const kms = new keyfold.testing.MemoryKms();
  const encrypted = await EncryptedCheckpointStore.open({ objects: new FileSystemObjectStore(join(root, 'encrypted')), kms, tenant: 'bench', testKms: false });
  const plain = new PlainCheckpointStore({ objects: new FileSystemObjectStore(join(root, 'plain')) });
  return { encrypted, plain, kms };
}
