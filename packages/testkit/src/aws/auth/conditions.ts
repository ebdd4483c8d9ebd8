import { matchesAny } from './wildcard.ts';

/** What conditions are about. */
export interface ConditionFacts {
  readonly encryptionContext: Readonly<Record<string, string>> | undefined;
  /** The alias by which the request named the key. */
  readonly alias: string | undefined;
  /** Every alias of the key that the request is about. */
  readonly resourceAliases: readonly string[];
}

/** Whether a condition holds. */
export type Condition = (facts: ConditionFacts) => boolean;

type Quantifier = 'ForAllValues' | 'ForAnyValue' | undefined;
type Values = readonly string[];

/** What each operator asks of one value of the request, `Null` apart. */
const OPERATORS: Readonly<Record<string, (expected: Values, value: string) => boolean>> = {
  StringEquals: (expected, value) => expected.includes(value),
  StringNotEquals: (expected, value) => !expected.includes(value),
  StringLike: (expected, value) => matchesAny(expected, value, 'exact case'),
};

/** Conditions as IAM writes them: operator, key, values; all of them have to hold. */
export function parseConditions(
  block: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>,
  refuse: (what: string) => Error,
): readonly Condition[] {
  return Object.entries(block).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => parseCondition(operator, key, [values].flat(), refuse)),
  );
}

function parseCondition(operator: string, key: string, expected: Values, refuse: (what: string) => Error): Condition {
  const read = valuesOf(key);
  if (read === undefined) throw refuse(`the condition key ${key}`);
  const [name = '', prefix] = operator.split(':').reverse();
  if (name === 'Null' && prefix === undefined) {
    const absent = expected[0];
    if (absent !== 'true' && absent !== 'false') throw refuse('Null with anything but "true" or "false"');
    return (facts) => (read(facts).length === 0) === (absent === 'true');
  }
  const matches = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (matches === undefined || !isQuantifier(prefix)) throw refuse(`the condition operator ${operator}`);
  return (facts) => compare(read(facts), prefix, (value) => matches(expected, value), name === 'StringNotEquals');
}

function isQuantifier(prefix: string | undefined): prefix is Quantifier {
  return prefix === undefined || prefix === 'ForAllValues' || prefix === 'ForAnyValue';
}

/** IAM: `ForAllValues` holds for a key that is not there, as do negated operators; nothing else does. */
function compare(values: Values, quantifier: Quantifier, matches: (value: string) => boolean, negated: boolean): boolean {
  if (quantifier === 'ForAllValues') return values.every(matches);
  if (quantifier === 'ForAnyValue') return values.some(matches);
  return values.length === 0 ? negated : values.every(matches);
}

const CONTEXT_PREFIX = 'kms:EncryptionContext:';

function valuesOf(key: string): ((facts: ConditionFacts) => Values) | undefined {
  if (key === 'kms:EncryptionContextKeys') return (facts) => Object.keys(facts.encryptionContext ?? {});
  if (key === 'kms:ResourceAliases') return (facts) => facts.resourceAliases;
  if (key === 'kms:RequestAlias') return (facts) => (facts.alias === undefined ? [] : [facts.alias]);
  if (!key.startsWith(CONTEXT_PREFIX) || key === CONTEXT_PREFIX) return undefined;
  const name = key.slice(CONTEXT_PREFIX.length);
  return ({ encryptionContext = {} }) => {
    const value = Object.hasOwn(encryptionContext, name) ? encryptionContext[name] : undefined;
    return value === undefined ? [] : [value];
  };
}
