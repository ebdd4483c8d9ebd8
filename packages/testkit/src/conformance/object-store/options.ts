import type { ObjectStore, ObjectStoreCapabilities } from '@keyfold/core/provider';

/** A store with nothing in it. Extend it with whatever your hooks need. */
export interface ObjectStoreSubject {
  readonly store: ObjectStore;
}

/** What an implementor of `ObjectStore` declares; what is left out is not tested and listed in `notProven`. */
export interface ObjectStoreConformanceOptions<Subject extends ObjectStoreSubject = ObjectStoreSubject> {
  /** Makes an empty store for one case. */
  readonly setUp: () => Subject | Promise<Subject>;
  /** Removes it. Default: nothing. */
  readonly tearDown?: (subject: Subject) => unknown;
  /** What the store has to declare, and to keep. */
  readonly capabilities: ObjectStoreCapabilities;
  /** That `open` names the `identity` of what it opens. */
  readonly identity?: true;
  /** Another store over the same storage, as another process has it. */
  readonly reopen?: (subject: Subject) => ObjectStore | Promise<ObjectStore>;
  /** How many things are in the storage that no call shows: parts of uploads, temporary files. */
  readonly residue?: (subject: Subject) => number | Promise<number>;
}

/** Object bytes in a case that is about size. */
export const MIB = 1_048_576;
