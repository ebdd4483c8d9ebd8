import type { KeyRecordStore } from '@keyfold/core/provider';

/** A store with no record in it. Extend it with whatever your hooks need. */
export interface KeyRecordStoreSubject {
  readonly records: KeyRecordStore;
}

/** What an implementor of `KeyRecordStore` declares; what is left out is not tested and listed in `notProven`. */
export interface KeyRecordStoreConformanceOptions<Subject extends KeyRecordStoreSubject = KeyRecordStoreSubject> {
  /** Makes an empty store for one case. */
  readonly setUp: () => Subject | Promise<Subject>;
  /** Removes it. Default: nothing. */
  readonly tearDown?: (subject: Subject) => unknown;
  /** Another store over the same records, as another process has it. */
  readonly reopen?: (subject: Subject) => KeyRecordStore | Promise<KeyRecordStore>;
}
