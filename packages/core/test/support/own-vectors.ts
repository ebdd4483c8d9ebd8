import { expect } from 'vitest';
import { type Recipe, type Summary, bytesOf, summary } from '../../../../vectors/cases.mjs';
import { KeyfoldError, isKeyfoldError } from '../../src/errors.ts';
import { KeyCache } from '../../src/keys/key-cache.ts';
import type { KeyVersion, KmsCapabilities, KmsClient, KmsHealth } from '../../src/ports/kms-client.ts';
import { keyPolicy } from '../../src/sealing/key-policy.ts';
import { type CheckpointIdentity, type OpenedKeyRecord, openCheckpointRecord } from '../../src/sealing/open-key-record.ts';
import { SUITES, type SuiteName } from '../../src/sealing/suites.ts';

/** A service that has one DEK, and gives it for whatever wrap is by its key. */
export class FixedKms implements KmsClient {
  readonly capabilities: KmsCapabilities = { authenticatedWraps: true, contextBinding: 'aad', rotation: false, versions: false };
  readonly provider: string;
  readonly keyId: string;
  readonly #dek: Uint8Array;

  constructor({ provider, keyId }: Pick<KmsClient, 'provider' | 'keyId'>, dek: Uint8Array) {
    this.provider = provider;
    this.keyId = keyId;
    this.#dek = dek;
  }

  decrypt(): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.from(this.#dek));
  }

  encrypt(): Promise<never> {
    return Promise.reject(notAsked());
  }

  generateDataKey(): Promise<never> {
    return Promise.reject(notAsked());
  }

  currentKeyVersion(): Promise<KeyVersion> {
    return Promise.reject(notAsked());
  }

  listKeyVersions(): AsyncIterable<KeyVersion> {
    throw notAsked();
  }

  rotateKey(): Promise<KeyVersion> {
    return Promise.reject(notAsked());
  }

  testConnection(): Promise<KmsHealth> {
    return Promise.reject(notAsked());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function notAsked(): Error {
  return new Error('nothing but unwrapping is asked of this service');
}

/** Configuration names of the suites with these numbers. */
export function suiteNames(numbers: readonly number[]): SuiteName[] {
  return (Object.keys(SUITES) as SuiteName[]).filter((name) => numbers.includes(SUITES[name].id));
}

export interface RecordInput {
  readonly kms: KmsClient;
  readonly suites: readonly number[];
  readonly identity: CheckpointIdentity;
}

export function openRecordOf(record: Uint8Array, { kms, suites, identity }: RecordInput): Promise<OpenedKeyRecord> {
  const policy = keyPolicy([kms], { suites: suiteNames(suites) });
  return openCheckpointRecord(record, identity, { policy, cache: new KeyCache() });
}

/** Bytes in pieces of one size, as they may come from a disk or a network. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  await Promise.resolve();
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.slice(at, at + size);
}

/** Whole; in pieces of a size that no frame has; and byte by byte where that is not too many. */
export function pieceSizes(bytes: Uint8Array): number[] {
  const whole = Math.max(bytes.byteLength, 1);
  return bytes.byteLength > 100_000 ? [whole, 65_537] : bytes.byteLength > 5_000 ? [whole, 4_097, 333] : [whole, 7, 1];
}

/** How a case comes out: what `run` gives, or the code of its refusal. Anything else that is thrown is a fault. */
export async function outcome<T>(run: () => T | Promise<T>): Promise<{ readonly opened: T } | { readonly refused: string }> {
  try {
    return { opened: await run() };
  } catch (error) {
    if (isKeyfoldError(error)) return { refused: error.code };
    throw error;
  }
}

/** For functions that give undefined for what does not open. */
export function orRefuse<T>(opened: T | undefined): T {
  if (opened === undefined) throw new KeyfoldError('INTEGRITY_FAILURE', 'This does not open.');
  return opened;
}

export function expectBytes(bytes: Uint8Array, expected: Summary): void {
  expect(summary(bytes)).toEqual(expected);
}

export { bytesOf, type Recipe, type Summary };
export { casesOf } from '../../../../vectors/cases.mjs';
