import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
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

/** The key services of a checkout, and the SDK that one of them uses. */
export async function loadProviders(root) {
  const load = (path) => import(pathToFileURL(resolve(root, 'packages', path)).href);
  const [local, aws] = await Promise.all([load('kms-local/dist/index.js'), load('kms-aws/dist/index.js')]);
  const sdk = createRequire(join(root, 'packages/kms-aws/package.json')).resolve('@aws-sdk/client-kms');
  return { local, aws, sdk, sdkModule: await import(pathToFileURL(sdk).href) };
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
