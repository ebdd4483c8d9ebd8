import { KeyfoldError } from '@keyfold/core/provider';
import { matchesAny } from './wildcard.ts';
import { parseConditions, type Condition, type ConditionFacts } from './conditions.ts';

/** One statement of an IAM policy. */
export interface AwsPolicyStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  /** `kms:Decrypt`, `kms:GenerateDataKey*`, ... */
  readonly Action: string | readonly string[];
  /** Key and alias ARNs, with `*` and `?`. */
  readonly Resource: string | readonly string[];
  /** Operators `StringEquals`, `StringNotEquals`, `StringLike`, `Null`, each also with `ForAllValues:` or `ForAnyValue:`, over `kms:EncryptionContext:<name>`, `kms:EncryptionContextKeys`, `kms:RequestAlias` and `kms:ResourceAliases`. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** An IAM policy: denied unless a statement allows it and none denies it. */
export interface AwsPolicy {
  readonly Version?: string;
  readonly Id?: string;
  readonly Statement: AwsPolicyStatement | readonly AwsPolicyStatement[];
}

/** What a caller asks to do. */
export interface AccessRequest {
  readonly action: string;
  readonly resource: string;
  readonly facts: ConditionFacts;
}

/** Why access is refused. */
export type Refusal = 'explicit deny' | 'not allowed';

interface Statement {
  readonly deny: boolean;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly Condition[];
}

/** A policy that can be enforced. */
export class Policy {
  readonly #statements: readonly Statement[];

  constructor(statements: readonly Statement[]) {
    this.#statements = statements;
  }

  /** Why the request is refused, or undefined when it is allowed. */
  refusal(request: AccessRequest): Refusal | undefined {
    const matching = this.#statements.filter(
      (statement) =>
        matchesAny(statement.actions, request.action, 'ignore case') &&
        matchesAny(statement.resources, request.resource, 'exact case') &&
        statement.conditions.every((holds) => holds(request.facts)),
    );
    if (matching.some((statement) => statement.deny)) return 'explicit deny';
    return matching.length === 0 ? 'not allowed' : undefined;
  }
}

const MEMBERS = ['Sid', 'Effect', 'Action', 'Resource', 'Condition'];

/** @throws KeyfoldError CONFIG_INVALID for anything that would not be enforced as it is written */
export function parsePolicy(policy: AwsPolicy): Policy {
  return new Policy([policy.Statement].flat().map((each) => parseStatement(each)));
}

function parseStatement(statement: AwsPolicyStatement): Statement {
  for (const name of Object.keys(statement)) {
    if (!MEMBERS.includes(name)) throw notEnforced(`statements with ${name}`);
  }
  const effect: string = statement.Effect;
  if (effect !== 'Allow' && effect !== 'Deny') throw notEnforced(`the effect ${effect}`);
  return {
    deny: effect === 'Deny',
    actions: [statement.Action].flat(),
    resources: [statement.Resource].flat(),
    conditions: parseConditions(statement.Condition ?? {}, notEnforced),
  };
}

function notEnforced(what: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This server does not enforce ${what} in policies; leave it out or write it another way.`);
}
