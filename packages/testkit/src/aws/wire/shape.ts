import { AwsError, validationError } from './aws-error.ts';

/**
 * One member of a request. A value of the wrong JSON type is a SerializationException at once; one
 * that breaks a constraint is described in `problems`, because the service reports all of them.
 */
export interface Member<T> {
  parse(value: unknown, at: string, problems: string[]): T | undefined;
}

/** The members of a request by their names. */
export type Shape = Readonly<Record<string, Member<unknown>>>;

/** What a request of this shape is after parsing. */
export type Parsed<S extends Shape> = {
  readonly [K in keyof S]: S[K] extends { readonly required: true } & Member<infer T>
    ? T
    : S[K] extends Member<infer T>
      ? T | undefined
      : never;
};

/**
 * Parses a JSON body. Members that the shape does not name are ignored, as the service does.
 *
 * @throws AwsError SerializationException or ValidationException
 */
export function parseInput<S extends Shape>(shape: S, body: Uint8Array): Parsed<S> {
  const value = parseJson(body);
  const problems: string[] = [];
  const parsed: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape)) {
    parsed[name] = member.parse(value[name] ?? undefined, name.charAt(0).toLowerCase() + name.slice(1), problems);
  }
  if (problems.length > 0) {
    const noun = problems.length === 1 ? 'validation error' : 'validation errors';
    throw validationError(`${problems.length} ${noun} detected: ${problems.join('; ')}`);
  }
  return parsed as Parsed<S>;
}

function parseJson(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw serializationError();
  }
  if (!isObject(value)) throw serializationError();
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The answer to JSON that is none, or has a value of the wrong type. */
export function serializationError(): AwsError {
  return new AwsError('SerializationException');
}

/** A member that must be there. */
export function required<T>(member: Member<T>): Member<T> & { readonly required: true } {
  return {
    required: true,
    parse(value, at, problems) {
      if (value === undefined) problems.push(`Value null at '${at}' failed to satisfy constraint: Member must not be null`);
      return member.parse(value, at, problems);
    },
  };
}

/** A string; lengths in characters. */
export function text(limits: { min?: number; max?: number; pattern?: string; values?: readonly string[] } = {}): Member<string> {
  const pattern = limits.pattern === undefined ? undefined : new RegExp(`^(?:${limits.pattern})$`, 'u');
  return scalar('string', (value, report) => {
    checkLength(value.length, limits, report);
    if (pattern !== undefined && !pattern.test(value)) {
      report(`Member must satisfy regular expression pattern: ${limits.pattern ?? ''}`);
    }
    if (limits.values !== undefined && !limits.values.includes(value)) {
      report(`Member must satisfy enum value set: [${limits.values.join(', ')}]`);
    }
  });
}

/** A whole number. */
export function integer(limits: { min: number; max: number }): Member<number> {
  return scalar('number', (value, report) => {
    if (!Number.isInteger(value)) throw serializationError();
    if (value < limits.min) report(`Member must have value greater than or equal to ${limits.min}`);
    if (value > limits.max) report(`Member must have value less than or equal to ${limits.max}`);
  });
}

/** True or false. */
export const flag: Member<boolean> = scalar('boolean', () => undefined);

interface Scalars {
  string: string;
  number: number;
  boolean: boolean;
}

function scalar<K extends keyof Scalars>(
  type: K,
  check: (value: Scalars[K], report: (constraint: string) => void) => void,
): Member<Scalars[K]> {
  return {
    parse(value, at, problems) {
      if (value === undefined) return undefined;
      if (typeof value !== type) throw serializationError();
      const typed = value as Scalars[K];
      check(typed, (constraint) => {
        problems.push(`Value '${String(typed)}' at '${at}' failed to satisfy constraint: ${constraint}`);
      });
      return typed;
    },
  };
}

/** Bytes, as strict Base64; their value is never repeated in a message. */
export function blob(limits: { min: number; max: number }): Member<Uint8Array> {
  return {
    parse(value, at, problems) {
      if (value === undefined) return undefined;
      if (typeof value !== 'string') throw serializationError();
      const bytes = Buffer.from(value, 'base64');
      if (bytes.toString('base64') !== value) throw serializationError();
      checkLength(bytes.length, limits, (constraint) => {
        problems.push(`Value at '${at}' failed to satisfy constraint: ${constraint}`);
      });
      return new Uint8Array(bytes);
    },
  };
}

/** A list of members. */
export function list<T>(item: Member<T>, limits: { min?: number; max?: number } = {}): Member<readonly T[]> {
  return {
    parse(value, at, problems) {
      if (value === undefined) return undefined;
      if (!Array.isArray(value)) throw serializationError();
      checkLength(value.length, limits, (constraint) => {
        problems.push(`Value at '${at}' failed to satisfy constraint: ${constraint}`);
      });
      return value.map((each, index) => {
        if (each === null) throw serializationError();
        return item.parse(each, `${at}.${index + 1}.member`, problems) as T;
      });
    },
  };
}

/** A map of strings to strings. */
export const stringMap: Member<Readonly<Record<string, string>>> = {
  parse(value) {
    if (value === undefined) return undefined;
    if (!isObject(value)) throw serializationError();
    // Without a prototype, a name such as __proto__ is a name like any other.
    const parsed = Object.create(null) as Record<string, string>;
    for (const [name, each] of Object.entries(value)) {
      if (typeof each !== 'string') throw serializationError();
      parsed[name] = each;
    }
    return parsed;
  },
};

/** An object with members of its own. */
export function structure<S extends Shape>(shape: S): Member<Parsed<S>> {
  return {
    parse(value, at, problems) {
      if (value === undefined) return undefined;
      if (!isObject(value)) throw serializationError();
      const parsed: Record<string, unknown> = {};
      for (const [name, member] of Object.entries(shape)) {
        const below = `${at}.${name.charAt(0).toLowerCase()}${name.slice(1)}`;
        parsed[name] = member.parse(value[name] ?? undefined, below, problems);
      }
      return parsed as Parsed<S>;
    },
  };
}

function checkLength(length: number, limits: { min?: number; max?: number }, report: (constraint: string) => void): void {
  if (limits.min !== undefined && length < limits.min) report(`Member must have length greater than or equal to ${limits.min}`);
  if (limits.max !== undefined && length > limits.max) report(`Member must have length less than or equal to ${limits.max}`);
}
