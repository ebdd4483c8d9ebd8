import { AwsError, validationError } from '../wire/aws-error.ts';
import { blob, flag, integer, list, parseInput, required, stringMap, structure, text, type Shape } from '../wire/shape.ts';
import type { Operation, Run } from './operation.ts';

/** An operation from its parts. */
export function define<const S extends Shape>(name: string, input: S, run: Run<S>): Operation {
  return { name, input, run: (call, body) => run(call, parseInput(input, body)) ?? {} };
}

// Limits are those of the API model, service 2014-11-01.

/** A key by any of its names. */
export const keyId = text({ min: 1, max: 2048 });
export const aliasName = text({ min: 1, max: 256, pattern: '[a-zA-Z0-9:/_-]+' });
export const plaintext = blob({ min: 1, max: 4096 });
export const ciphertext = blob({ min: 1, max: 6144 });
export const description = text({ max: 8192 });
export const algorithm = text({ values: ['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] });
export const marker = text({ min: 1, max: 1024, pattern: '[\\u0020-\\u00FF]*' });
export const limit = (max: number): ReturnType<typeof integer> => integer({ min: 1, max });
export const encryptionContext = stringMap;

/** What every cryptographic operation takes. */
export const cryptographic = {
  GrantTokens: list(text({ min: 1, max: 8192 }), { max: 10 }),
  DryRun: flag,
} as const;

/** What the operations take that can answer to an enclave. */
export const enclave = { Recipient: structure({}) } as const;

/** The members of an operation that names a key and nothing else. */
export const keyIdOnly = { KeyId: required(keyId) } as const;

/** @throws AwsError InvalidGrantTokenException: this server has no grants */
export function refuseGrantTokens(tokens: readonly string[] | undefined): void {
  if (tokens !== undefined && tokens.length > 0) throw new AwsError('InvalidGrantTokenException', 'This server has no grants.');
}

/** @throws AwsError ValidationException: this server has no enclaves, and would answer with the plaintext */
export function refuseRecipient(recipient: object | undefined): void {
  if (recipient !== undefined) throw validationError('This server has no enclaves; leave out Recipient.');
}

/** @throws AwsError DryRunOperationException where only the permission was asked for */
export function endDryRun(dryRun: boolean | undefined): void {
  if (dryRun === true) {
    throw new AwsError('DryRunOperationException', 'The request would have succeeded, but the DryRun parameter was specified.');
  }
}
