import { LocalKms, type LocalKmsClient } from '@keyfold/kms-local';
import { EncryptedCheckpointStore, FileSystemObjectStore } from '@keyfold/store-checkpoint';
import { join } from 'node:path';

export const TENANT = 'demo';

/** Where one run of the demo keeps its things. */
export interface Workspace {
  readonly checkpoints: string;
  readonly keyring: string;
  readonly keyFile: string;
}

export function workspaceIn(directory: string): Workspace {
  return {
    checkpoints: join(directory, 'checkpoints'),
    keyring: join(directory, 'keys', 'keyring.kf'),
    keyFile: join(directory, 'keys', 'unlock.key'),
  };
}

export interface OpenStore {
  readonly kms: LocalKmsClient;
  readonly store: EncryptedCheckpointStore;
  readonly close: () => Promise<void>;
}

/** The store as an application opens it: a file system, a key service, a tenant. */
export async function openStore(workspace: Workspace, checkpoints = workspace.checkpoints, tenant = TENANT): Promise<OpenStore> {
  const kms = await LocalKms.open(workspace.keyring, { keyFile: workspace.keyFile });
  const store = await EncryptedCheckpointStore.open({ objects: new FileSystemObjectStore(checkpoints), kms, tenant });
  return {
    kms,
    store,
    close: async () => {
      await store.close();
      await kms.close();
    },
  };
}
