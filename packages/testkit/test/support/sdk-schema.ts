import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as sdk from '@aws-sdk/client-kms';

// The SDK's schemas, as it ships them: [kind, namespace, name, traits, ...]. A structure has the names
// of its members, their schemas and how many of them, the first ones, are required; an operation its
// input and output. A member is a number, such a list, a function that returns one, or [it, traits].

const KINDS = { simple: 0, list: 1, structure: 3, error: -3, operation: 9 };
const SCALARS: Readonly<Record<number, (value: unknown) => boolean>> = {
  0: (value) => typeof value === 'string',
  1: (value) => typeof value === 'number',
  2: (value) => typeof value === 'boolean',
  4: (value) => typeof value === 'number' && value > 1_000_000_000 && value < 10_000_000_000,
  21: (value) => typeof value === 'string' && Buffer.from(value, 'base64').toString('base64') === value,
};
const LIST = 64;
const MAP = 128;

/** What a message has against a schema; nothing, if it is right. */
export function violations(schema: unknown, value: unknown, at: string): string[] {
  const resolved = resolve(schema);
  if (typeof resolved === 'number') return violationsOfScalar(resolved, value, at);
  if (resolved === 'unit') return isObject(value) && Object.keys(value).length === 0 ? [] : [`${at} is not empty`];
  const [kind, , , , ...rest] = resolved;
  if (kind === KINDS.simple) return violations(rest[0], value, at);
  if (kind === KINDS.list) return violationsOfItems(rest[0], value, at);
  return violationsOfStructure(rest, value, at);
}

/** The names of the members of a structure. */
export function memberNames(schema: unknown): readonly string[] {
  const resolved = resolve(schema);
  return Array.isArray(resolved) ? (resolved[4] as string[]) : [];
}

/** How many members of a structure, the first ones, are required. */
export function requiredMembers(schema: unknown): readonly string[] {
  const resolved = resolve(schema);
  return Array.isArray(resolved) ? memberNames(schema).slice(0, (resolved[6] as number | undefined) ?? 0) : [];
}

/** Input and output of an operation. */
export function operationSchema(operation: string): { readonly input: unknown; readonly output: unknown } {
  const schema = (sdk as Record<string, unknown>)[`${operation}$`];
  if (!Array.isArray(schema) || schema[0] !== KINDS.operation) throw new Error(`The SDK has no operation ${operation}.`);
  return { input: schema[4], output: schema[5] };
}

const commands = join(dirname(createRequire(import.meta.url).resolve('@aws-sdk/client-kms/package.json')), 'dist-types/commands');

/** The errors that an operation declares, which the SDK says in the documentation of its commands. */
export function declaredErrors(operation: string): readonly string[] {
  const text = readFileSync(join(commands, `${operation}Command.d.ts`), 'utf8');
  return [...text.matchAll(/@throws \{@link (\w+)\}/g)].map(([, name]) => name ?? '');
}

/** What any operation of an AWS service that speaks awsJson1.1 may answer. */
export const COMMON_ERRORS: readonly string[] = [
  'AccessDeniedException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'NotAuthorizedException',
  'RequestEntityTooLargeException',
  'SerializationException',
  'ThrottlingException',
  'UnknownOperationException',
  'UnrecognizedClientException',
  'ValidationException',
];

function resolve(schema: unknown): number | 'unit' | readonly unknown[] {
  if (typeof schema === 'function') return resolve((schema as () => unknown)());
  if (typeof schema === 'number' || schema === 'unit') return schema;
  if (!Array.isArray(schema)) throw new Error(`This is no schema: ${String(schema)}`);
  return typeof schema[0] === 'function' ? resolve(schema[0]) : (schema as readonly unknown[]);
}

function violationsOfScalar(schema: number, value: unknown, at: string): string[] {
  if ((schema & MAP) !== 0) {
    if (!isObject(value)) return [`${at} is no map`];
    return Object.entries(value).flatMap(([name, each]) => violations(schema & ~MAP, each, `${at}.${name}`));
  }
  if ((schema & LIST) !== 0) return violationsOfItems(schema & ~LIST, value, at);
  const check = SCALARS[schema];
  if (check === undefined) throw new Error(`Unknown schema ${schema}.`);
  return check(value) ? [] : [`${at} is not of type ${schema}`];
}

function violationsOfItems(item: unknown, value: unknown, at: string): string[] {
  if (!Array.isArray(value)) return [`${at} is no list`];
  return value.flatMap((each, index) => violations(item, each, `${at}[${index}]`));
}

function violationsOfStructure([names, schemas, requiredCount]: readonly unknown[], value: unknown, at: string): string[] {
  if (!isObject(value)) return [`${at} is no object`];
  const known = names as readonly string[];
  const missing = known.slice(0, (requiredCount as number | undefined) ?? 0).filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${at} lacks ${name}`),
    ...Object.entries(value).flatMap(([name, each]) => {
      const index = known.indexOf(name);
      return index < 0 ? [`${at} has ${name}, which the schema does not know`] : violations((schemas as unknown[])[index], each, `${at}.${name}`);
    }),
  ];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
