import { KeyfoldError, type ErrorCode } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import type { KmsConformanceOptions, KmsFault, KmsFaults } from '../../src/index.ts';

/** Two memory KMSs; `Kms` may be a broken kind of them. */
export interface MemorySubject {
  readonly client: MemoryKms;
  readonly other: MemoryKms;
}

/** A fault that refuses every call with `code`. */
export function failing(code: ErrorCode): KmsFault<MemorySubject> {
  return ({ client }) => {
    client.fault = () => {
      throw new KeyfoldError(code, 'The memory KMS was told to fail. Tell it not to.');
    };
    return () => {
      client.fault = undefined;
    };
  };
}

/** A fault that answers nothing until the caller aborts. */
export const hanging: KmsFault<MemorySubject> = ({ client }) => {
  client.fault = (_operation, signal) =>
    new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.'));
      });
    });
  return () => {
    client.fault = undefined;
  };
};

export const MEMORY_FAULTS: KmsFaults<MemorySubject> = {
  denied: failing('ACCESS_DENIED'),
  unauthenticated: failing('AUTHENTICATION_FAILED'),
  throttled: failing('KMS_THROTTLED'),
  disabled: failing('KEY_DISABLED'),
  notFound: failing('KEY_NOT_FOUND'),
  wrongUsage: failing('INVALID_KEY_USAGE'),
  serverError: failing('KMS_UNAVAILABLE'),
  refused: failing('KMS_UNAVAILABLE'),
  reset: failing('KMS_UNAVAILABLE'),
  garbage: failing('KMS_PROTOCOL_ERROR'),
  wrongKey: failing('KMS_PROTOCOL_ERROR'),
  shortKey: failing('KMS_PROTOCOL_ERROR'),
  rotationLimit: failing('ROTATION_LIMIT'),
  hanging,
};

export const CREDENTIAL = 'the-password-of-the-memory';

/** Everything that a MemoryKms has to declare. */
export function memoryOptions(Kms: typeof MemoryKms = MemoryKms): KmsConformanceOptions<MemorySubject> {
  return {
    setUp: () => ({ client: new Kms('one'), other: new Kms('two') }),
    capabilities: { authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true },
    calls: ({ client, other }) => [client, other].reduce((sum, { calls }) => sum + [...calls.values()].reduce((all, each) => all + each, 0), 0),
    credentials: () => [CREDENTIAL],
    faults: MEMORY_FAULTS,
    neverMs: 1_000,
  };
}
