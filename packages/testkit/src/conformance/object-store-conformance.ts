import { conditionCases } from './object-store/conditions.ts';
import { listingCases } from './object-store/listing.ts';
import type { ObjectStoreGroup } from './object-store/objects.ts';
import type { ObjectStoreConformanceOptions, ObjectStoreSubject } from './object-store/options.ts';
import { puttingCases } from './object-store/putting.ts';
import { racingCases } from './object-store/racing.ts';
import { readingCases } from './object-store/reading.ts';
import { typedCases } from './object-store/typed.ts';
import { staged, type ConformanceSuite } from './suite.ts';

const GROUPS: readonly ObjectStoreGroup[] = [puttingCases, conditionCases, readingCases, listingCases, racingCases, typedCases];

/** Every promise of the `ObjectStore` port; see {@link ConformanceSuite}. Needs about 20 MiB of storage for a moment. */
export function objectStoreConformance<Subject extends ObjectStoreSubject>(options: ObjectStoreConformanceOptions<Subject>): ConformanceSuite {
  const { setUp, tearDown, capabilities, identity, reopen, residue } = options;
  const missing: readonly (readonly [boolean, string])[] = [
    [!capabilities.conditionalWrites, 'capabilities.conditionalWrites: that one of many writers wins'],
    [identity === undefined, 'identity: that a replacement can be told from what it replaced'],
    [reopen === undefined, 'reopen: what another process sees, and that it cannot win a race as well'],
    [residue === undefined, 'residue: that failed puts leave nothing in the storage'],
    [true, 'that a put is durable when it resolves, and what full, denied and failing storage does'],
  ];
  return {
    cases: staged(GROUPS.flatMap((group) => group(options)), { setUp, tearDown: (subject) => tearDown?.(subject) }),
    notProven: missing.flatMap(([isMissing, what]) => (isMissing ? [what] : [])),
  };
}
