import { KeyfoldError } from '@keyfold/core/provider';
import type { Fault, FaultKind } from './fault.ts';

/** Node's timers fire at once beyond this. */
const MAX_MS = 2 ** 31 - 1;

type Check = (value: unknown) => boolean;

const wholeNumber =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
const text: Check = (value) => typeof value === 'string' && value !== '';
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const moment = optional((value) => value === 'before' || value === 'after');

/** What each effect takes beside the scope. */
const MEMBERS: Readonly<Record<FaultKind, Readonly<Record<string, Check>>>> = {
  latency: { ms: wholeNumber(0, MAX_MS) },
  error: { status: wholeNumber(400, 599), code: text, message: optional((value) => typeof value === 'string') },
  throttle: {},
  'html-503': {},
  'expired-credentials': {},
  hang: { when: moment },
  reset: { when: moment },
  truncate: { bytes: optional(wholeNumber(0, MAX_MS)) },
  'wrong-key': {},
  'short-key': { bytes: optional(wholeNumber(0, 4096)) },
  'wrong-key-id': {},
  'wrong-crc': {},
  omit: { members: (value) => Array.isArray(value) && value.length > 0 && value.every(text) },
};

const SCOPE: Readonly<Record<string, Check>> = {
  kind: text,
  operation: optional(text),
  after: optional(wholeNumber(0, Number.MAX_SAFE_INTEGER)),
  count: optional((value) => value === 'always' || wholeNumber(1, Number.MAX_SAFE_INTEGER)(value)),
};

/** The names of all effects. */
export const FAULT_KINDS: readonly string[] = Object.keys(MEMBERS);

/**
 * Checks a fault from anywhere: a misspelt member would make a test pass that tests nothing.
 *
 * @throws KeyfoldError INVALID_ARGUMENT, naming the member
 */
export function parseFault(value: unknown): Fault {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('it must be an object');
  }
  const fault = value as Record<string, unknown>;
  const kind = fault['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(MEMBERS, kind)) {
    throw invalid(`kind must be one of ${FAULT_KINDS.join(', ')}`);
  }
  const checks = { ...SCOPE, ...MEMBERS[kind as FaultKind] };
  for (const name of Object.keys(fault)) {
    if (!Object.hasOwn(checks, name)) throw invalid(`${kind} has no member ${name}`);
  }
  for (const [name, check] of Object.entries(checks)) {
    if (!check(fault[name])) throw invalid(`${name} of ${kind} is missing or not of its kind`);
  }
  return { ...fault } as unknown as Fault;
}

function invalid(what: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', `This fault cannot be injected: ${what}.`);
}
