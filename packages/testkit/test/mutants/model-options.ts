import type { ObjectStoreConformanceOptions } from '../../src/index.ts';
import { ModelStore } from '../support/model-store.ts';

export interface ModelSubject {
  readonly store: ModelStore;
}

export interface ObjectStoreMutant {
  readonly does: string;
  readonly options: ObjectStoreConformanceOptions<ModelSubject>;
  readonly fails: readonly string[];
}

/** Everything that a model declares. */
export function modelOptions(Store: typeof ModelStore = ModelStore): ObjectStoreConformanceOptions<ModelSubject> {
  return {
    setUp: () => ({ store: new Store() }),
    capabilities: { conditionalWrites: true },
    identity: true,
    reopen: ({ store }) => new Store(store.objects),
    residue: () => 0,
  };
}

export function brokenStore(does: string, Store: typeof ModelStore, fails: readonly string[], options: Partial<ObjectStoreConformanceOptions<ModelSubject>> = {}): ObjectStoreMutant {
  return { does, options: { ...modelOptions(Store), ...options }, fails };
}
