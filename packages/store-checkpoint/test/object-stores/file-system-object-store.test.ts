import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { objectStoreConformance } from './conformance.ts';
import { temporaryRoot } from './temporary-root.ts';

objectStoreConformance('FileSystemObjectStore', async () => {
  const { root, cleanup } = await temporaryRoot();
  return { store: new FileSystemObjectStore(root), cleanup };
});
