import type { ObjectStore } from '@keyfold/core';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** The object stores of this package, each made anew. */
export const BACKENDS: readonly { readonly backend: string; readonly make: () => ObjectStore }[] = [
  { backend: 'memory', make: () => new MemoryObjectStore() },
  { backend: 'files', make: () => new FileSystemObjectStore(temporaryDirectory()) },
];
