import { recordCases, recordRaces } from './key-record-store/cases.ts';
import type { KeyRecordStoreConformanceOptions, KeyRecordStoreSubject } from './key-record-store/options.ts';
import { staged, type ConformanceSuite } from './suite.ts';

/** Every promise of the `KeyRecordStore` port; see {@link ConformanceSuite}. */
export function keyRecordStoreConformance<Subject extends KeyRecordStoreSubject>(options: KeyRecordStoreConformanceOptions<Subject>): ConformanceSuite {
  const { setUp, tearDown, reopen } = options;
  return {
    cases: staged([...recordCases(), ...recordRaces(options)], { setUp, tearDown: (subject) => tearDown?.(subject) }),
    notProven: [
      ...(reopen === undefined ? ['reopen: what another process sees, and that it cannot win a race as well'] : []),
      'that a write is durable when it resolves, and what full, denied and failing storage does',
    ],
  };
}
