import { endingCases } from './kms/ending.ts';
import { errorCases } from './kms/errors.ts';
import { declaredFaults, faultCases, FAULT_RULES, healthCases } from './kms/faults.ts';
import { namingCases } from './kms/naming.ts';
import type { KmsConformanceOptions, KmsSubject } from './kms/options.ts';
import { ownershipCases } from './kms/ownership.ts';
import { rotation, type KmsGroup } from './kms/plan.ts';
import { tamperingCases } from './kms/tampering.ts';
import { versionCases } from './kms/versions.ts';
import { wrappingCases } from './kms/wrapping.ts';
import { staged, type ConformanceSuite } from './suite.ts';

const GROUPS: readonly KmsGroup[] = [
  wrappingCases,
  tamperingCases,
  namingCases,
  versionCases,
  ownershipCases,
  endingCases,
  healthCases,
  faultCases,
  errorCases,
];

/**
 * Every promise of the `KmsClient` port, as cases that any test runner can run:
 * `for (const { title, run } of suite.cases) it(title, run)`. What was not
 * declared adds no case, and is said in `notProven`.
 */
export function kmsClientConformance<Subject extends KmsSubject>(options: KmsConformanceOptions<Subject>): ConformanceSuite {
  const stage = {
    setUp: options.setUp,
    tearDown: options.tearDown ?? (async ({ client, other }: Subject) => Promise.all([client.close(), other.close()])),
  };
  return {
    cases: staged(GROUPS.flatMap((group) => group(options)), stage),
    notProven: notProven(options),
  };
}

function notProven<Subject extends KmsSubject>(options: KmsConformanceOptions<Subject>): string[] {
  const { capabilities, calls, reopen, credentials, faults } = options;
  const declared = new Set(declaredFaults(options).map(({ name }) => name));
  const undeclared = Object.entries(FAULT_RULES).filter(([name]) => !declared.has(name as keyof typeof FAULT_RULES));
  const missing: readonly (readonly [boolean, string])[] = [
    [calls === undefined, 'calls: that foreign wraps and bad arguments are refused without asking the service'],
    [reopen === undefined, 'reopen: that one client opens what another one wrapped'],
    [credentials === undefined, 'credentials: that no error shows them'],
    [rotation(options) === undefined, 'rotate: what a rotation does'],
    [!capabilities.versions, 'capabilities.versions: which version wrapped a key'],
    [faults?.hanging === undefined, 'faults.hanging: that calls under way end by abort and in time'],
    [capabilities.authenticatedWraps, 'capabilities.authenticatedWraps: that nobody else can make a wrap is believed'],
    ...undeclared.map(([name, { what, codes }]) => [true, `faults.${name}: that ${what} is reported as ${codes.join(' or ')}`] as const),
  ];
  return missing.flatMap(([isMissing, what]) => (isMissing ? [what] : []));
}
