import assert from 'node:assert/strict';
import type { ErrorCode, KmsClient, KmsHealth } from '@keyfold/core/provider';
import { rejection, requireCode, refusal, sameBytes } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import { guard } from './ending.ts';
import type { KmsFault, KmsFaults, KmsSubject } from './options.ts';
import { neverMs, operations, QUERIES, USES_OF_THE_KEY, wrapNew, type KmsGroup, type KmsOptions, type Operation } from './plan.ts';

/** What a fault has to look like from outside. */
interface FaultRule {
  readonly what: string;
  readonly codes: readonly ErrorCode[];
  /** What testConnection() has to say beside the code and a failed round trip. */
  readonly health?: Partial<KmsHealth>;
  /** Found by what core puts around every client, where the client itself has no means to. */
  readonly guarded?: true;
  /** The operations that must fail; default the uses of the key. */
  readonly fails?: readonly Operation[];
}

/** The faults that every implementor can have, and how each has to be reported. */
export const FAULT_RULES: Readonly<Record<Exclude<keyof KmsFaults<never>, 'hanging'>, FaultRule>> = {
  denied: { what: 'a caller without permission', codes: ['ACCESS_DENIED'], health: { reachable: true, permitted: false } },
  unauthenticated: { what: 'credentials that are not accepted', codes: ['AUTHENTICATION_FAILED'], health: { permitted: false } },
  throttled: { what: 'too many calls', codes: ['KMS_THROTTLED'] },
  disabled: { what: 'a key that is switched off', codes: ['KEY_DISABLED'], health: { reachable: true, keyEnabled: false } },
  notFound: { what: 'a key that is gone', codes: ['KEY_NOT_FOUND'], health: { keyEnabled: false } },
  wrongUsage: { what: 'a key of another kind', codes: ['INVALID_KEY_USAGE'], health: { reachable: true } },
  serverError: { what: 'a service that fails', codes: ['KMS_UNAVAILABLE'] },
  refused: { what: 'a service that nobody runs', codes: ['KMS_UNAVAILABLE'], health: { reachable: false } },
  reset: { what: 'connections that break', codes: ['KMS_UNAVAILABLE'], health: { reachable: false } },
  garbage: { what: 'answers that are none', codes: ['KMS_PROTOCOL_ERROR', 'KMS_UNAVAILABLE'] },
  wrongKey: { what: 'answers that name another key', codes: ['KMS_PROTOCOL_ERROR'], guarded: true },
  shortKey: { what: 'a key that comes too short', codes: ['KMS_PROTOCOL_ERROR'], guarded: true, fails: ['decrypt', 'generateDataKey'] },
  rotationLimit: { what: 'a key that may not rotate again', codes: ['ROTATION_LIMIT'], fails: ['rotateKey'] },
};

export type RuledFault = keyof typeof FAULT_RULES;

/** The faults that were declared, each with its rule. */
export function declaredFaults<Subject extends KmsSubject>({ faults }: KmsOptions<Subject>): { name: RuledFault; rule: FaultRule; begin: KmsFault<Subject> }[] {
  return Object.entries(FAULT_RULES).flatMap(([key, rule]) => {
    const name = key as RuledFault;
    const begin = faults?.[name];
    return begin === undefined ? [] : [{ name, rule, begin }];
  });
}

/** Every failure of the service has its code, is reported by testConnection(), and passes. */
export const faultCases: KmsGroup = (options) =>
  declaredFaults(options).flatMap(({ name, rule, begin }) => [
    codeCase(name, rule, begin, options),
    ...(rule.fails?.[0] === 'rotateKey' ? [] : [reportCase(name, rule, begin, options)]),
  ]);

function codeCase<Subject extends KmsSubject>(name: RuledFault, rule: FaultRule, begin: KmsFault<Subject>, options: KmsOptions<Subject>): PlannedCase<Subject> {
  return {
    id: `fault.${name}`,
    title: `says ${rule.codes.join(' or ')} to ${rule.what}, and works again when that is over`,
    run: async (subject) => {
      const client = clientFor(rule, subject, options);
      const wrap = await wrapNew(subject.client);
      const undo = await begin(subject);
      try {
        const work = operations(client, wrap);
        const failing = rule.fails ?? USES_OF_THE_KEY;
        for (const operation of failing) await refusal(rule.codes, work[operation], `${operation}() with ${rule.what}`);
        for (const operation of QUERIES) await answersOrRefuses(operation, work[operation], rule);
      } finally {
        await undo();
      }
      sameBytes(await subject.client.decrypt(wrap.wrapped, { context: wrap.context }), wrap.dek, 'the key when all is well again');
    },
  };
}

/** A service may answer questions about a key that cannot be used, and a client may know the answer already. */
async function answersOrRefuses(operation: Operation, work: () => Promise<unknown>, { codes, what }: FaultRule): Promise<void> {
  try {
    await work();
  } catch (error) {
    requireCode(error, codes, `${operation}() with ${what}`);
  }
}

function reportCase<Subject extends KmsSubject>(name: RuledFault, rule: FaultRule, begin: KmsFault<Subject>, options: KmsOptions<Subject>): PlannedCase<Subject> {
  return {
    id: `health.${name}`,
    title: `reports ${rule.what} from testConnection() and does not reject`,
    run: async (subject) => {
      const client = clientFor(rule, subject, options);
      const undo = await begin(subject);
      try {
        requireProblem(await client.testConnection(), rule);
      } finally {
        await undo();
      }
      requireHealthy(await client.testConnection());
    },
  };
}

function clientFor<Subject extends KmsSubject>(rule: FaultRule, { client }: Subject, options: KmsOptions<Subject>): KmsClient {
  return rule.guarded === true ? guard(client, neverMs(options)) : client;
}

function requireProblem(health: KmsHealth, { what, codes, health: expected }: FaultRule): void {
  assert.equal(health.roundTrip, false, `testConnection() reports a round trip with ${what}`);
  const { problem } = health;
  assert.ok(problem !== undefined, `testConnection() names no problem with ${what}`);
  assert.ok((codes as readonly string[]).includes(problem.code), `testConnection() names ${problem.code} instead of ${codes.join(' or ')}`);
  assert.match(problem.message, /\S/, 'a problem has a message');
  for (const [flag, value] of Object.entries(expected ?? {})) {
    assert.equal(health[flag as keyof KmsHealth], value, `testConnection() reports a wrong "${flag}" with ${what}`);
  }
}

function requireHealthy(health: KmsHealth): void {
  assert.deepEqual(health, { reachable: true, permitted: true, keyEnabled: true, roundTrip: true }, 'testConnection() when all is well');
}

/** testConnection() when nothing is wrong, and what is wrong with a rotation that has to fail. */
export const healthCases: KmsGroup = () => [
  {
    id: 'health.well',
    title: 'reports from testConnection() that all is well',
    run: async ({ client }) => {
      requireHealthy(await client.testConnection());
    },
  },
];

/** What an operation is refused with while a fault holds; anything, for those who look at errors only. */
export async function errorsDuring<Subject extends KmsSubject>(
  subject: Subject,
  begin: KmsFault<Subject>,
  failing: readonly (readonly [string, () => Promise<unknown>])[],
): Promise<unknown[]> {
  const undo = await begin(subject);
  try {
    const errors: unknown[] = [];
    for (const [what, work] of failing) errors.push(await rejection(work, what));
    return errors;
  } finally {
    await undo();
  }
}
