import assert from 'node:assert/strict';
import { rejection, requireCode, flipped } from '../expect.ts';
import { findSecret } from '../secrets.ts';
import type { PlannedCase } from '../suite.ts';
import { declaredFaults, errorsDuring } from './faults.ts';
import type { KmsSubject } from './options.ts';
import { PORT_CODES, wrapNew, type KmsGroup, type KmsOptions, type Wrap } from './plan.ts';

/** Errors are for people and programs: typed, said in a sentence, and without a secret. */
export const errorCases: KmsGroup = (options) => [
  {
    id: 'error.typed',
    title: 'fails with nothing but typed errors that say what is wrong',
    run: async (subject) => {
      const codes = [...PORT_CODES, ...(options.additionalCodes ?? [])];
      for (const { error } of await everyError(subject, options)) {
        const { message } = requireCode(error, codes, 'A call that fails');
        assert.match(message, /^\S.* .*\S$/s, `"${message}" is no sentence`);
        assert.doesNotMatch(message, /undefined|\[object |NaN/, `"${message}" was put together without looking`);
      }
    },
  },
  {
    id: 'error.secrets',
    title: 'shows no key in any error',
    run: async (subject) => {
      for (const { error, secrets } of await everyError(subject, options)) {
        const where = findSecret(error, secrets);
        assert.equal(where, undefined, `a key, or a part of one, stands in ${where ?? ''}`);
      }
    },
  },
  ...(options.credentials === undefined ? [] : [credentialsCase(options, options.credentials)]),
];

function credentialsCase<Subject extends KmsSubject>(
  options: KmsOptions<Subject>,
  credentials: (subject: Subject) => readonly (string | Uint8Array)[],
): PlannedCase<Subject> {
  return {
    id: 'error.credentials',
    title: 'shows no credentials in any error or report',
    run: async (subject) => {
      const reported = await reports(subject, options);
      const shown = [...reported, ...(await everyError(subject, options)).map(({ error }) => error)];
      for (const each of shown) {
        const where = findSecret(each, credentials(subject));
        assert.equal(where, undefined, `a credential, or a part of one, stands in ${where ?? ''}`);
      }
    },
  };
}

interface Failure {
  readonly error: unknown;
  /** The keys that were at stake. */
  readonly secrets: readonly Uint8Array[];
}

/** What every use of the key that can be made to fail fails with. */
async function everyError<Subject extends KmsSubject>(subject: Subject, options: KmsOptions<Subject>): Promise<Failure[]> {
  const { client } = subject;
  const wrap = await wrapNew(client);
  const failures: Failure[] = [];
  const take = (errors: readonly unknown[]): void => {
    for (const error of errors) failures.push({ error, secrets: [wrap.dek] });
  };
  for (const [what, work] of misuses(subject, wrap)) take([await rejection(work, what)]);
  for (const { rule, begin } of declaredFaults(options)) {
    if (rule.guarded === true || rule.fails !== undefined) continue;
    take(await errorsDuring(subject, begin, uses(subject, wrap)));
  }
  await client.close();
  for (const [what, work] of uses(subject, wrap)) take([await rejection(work, `${what} after close()`)]);
  return failures;
}

function uses({ client }: KmsSubject, { dek, wrapped, context }: Wrap): (readonly [string, () => Promise<unknown>])[] {
  return [
    ['encrypt()', () => client.encrypt(Uint8Array.from(dek), { context })],
    ['decrypt()', () => client.decrypt(wrapped, { context })],
    ['generateDataKey()', () => client.generateDataKey({ context })],
  ];
}

/** Calls that fail without any fault, with a real key in them. */
function misuses({ client }: KmsSubject, { dek, wrapped, context }: Wrap): (readonly [string, () => Promise<unknown>])[] {
  const signal = AbortSignal.abort();
  const tooLong = Uint8Array.from(Buffer.concat([dek, dek, dek]));
  return [
    ['a damaged wrap', () => client.decrypt({ ...wrapped, ciphertext: flipped(wrapped.ciphertext, wrapped.ciphertext.byteLength - 1) }, { context })],
    ['a wrong context', () => client.decrypt(wrapped, { context: { ...context, tenant: 'other' } })],
    ['a wrap of another key', () => client.decrypt({ ...wrapped, keyId: `${wrapped.keyId}0` }, { context })],
    ['a key where a wrap belongs', () => client.decrypt({ ...wrapped, ciphertext: Uint8Array.from(dek) }, { context })],
    ['a key that is too long', () => client.encrypt(tooLong, { context })],
    ['a context that is none', () => client.encrypt(Uint8Array.from(dek), { context: {} })],
    ['an abort', () => client.encrypt(Uint8Array.from(dek), { context, signal })],
    ['an abort of decrypt()', () => client.decrypt(wrapped, { context, signal })],
  ];
}

/** What testConnection() reports while each fault holds. */
async function reports<Subject extends KmsSubject>(subject: Subject, options: KmsOptions<Subject>): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const { begin } of declaredFaults(options)) {
    const undo = await begin(subject);
    try {
      all.push(await subject.client.testConnection().catch((error: unknown) => error));
    } finally {
      await undo();
    }
  }
  return all;
}
