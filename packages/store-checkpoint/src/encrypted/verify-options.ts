import { type ErrorCode, KeyfoldError } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';
import { refuseUnknownOptions } from '../unknown-options.ts';
import type { CheckpointReceipt } from './receipt.ts';

export interface VerifyOptions extends CallOptions {
  /** Only ids that begin so, and the data objects of such ids. Default all. */
  readonly prefix?: string;
  /** The receipt of an id, kept where the storage cannot change it: anything older or other is a `receipt-mismatch`. */
  readonly expect?: (id: string) => CheckpointReceipt | undefined | Promise<CheckpointReceipt | undefined>;
  /** Whether data are read and authenticated to the end. Default true; false opens records, and looks whether data are there. */
  readonly data?: boolean;
  /** Objects at once, 1..64. Default 4. */
  readonly concurrency?: number;
  /** Told after every finding. */
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/**
 * - `ok`: record and data are authentic, whole, and as the receipt says; with `data: false` only that of the record, and that data are there
 * - `damaged`: what is there does not authenticate, is too large for a record, or is a name key that is gone; see `code`
 * - `missing-data`: the record is authentic, and its data object is absent
 * - `receipt-mismatch`: another save, or an older generation, than the receipt's
 * - `key-not-allowed`: wrapped only by keys that this store does not accept; none was asked
 * - `unchecked`: KMS or storage kept it from being looked at, see `code`: neither sound nor damaged
 * - `orphan`: a data object that no record refers to, left by an interrupted save or delete, or of a save under way
 * - `foreign`: an object that is none of this store's
 */
export type VerifyStatus =
  | 'ok'
  | 'damaged'
  | 'missing-data'
  | 'receipt-mismatch'
  | 'key-not-allowed'
  | 'unchecked'
  | 'orphan'
  | 'foreign';

/** Something that verify() found. */
export interface VerifyFinding {
  readonly status: VerifyStatus;
  /** The checkpoint, where the object tells it. */
  readonly id?: string;
  /** The object's name, where the finding is about an object. */
  readonly object?: string;
  readonly code?: ErrorCode;
  /** In a sentence what is wrong and what to do; absent when all is well. */
  readonly message?: string;
  /** Plaintext that was authenticated. */
  readonly bytes?: number;
  /** What save(), or the last rewrap, returned for what is there. */
  readonly receipt?: CheckpointReceipt;
}

/** How far verify() is. */
export interface VerifyProgress {
  readonly counts: Readonly<Record<VerifyStatus, number>>;
  /** Plaintext that was authenticated so far. */
  readonly bytes: number;
}

export interface ResolvedVerify extends Required<Pick<VerifyOptions, 'prefix' | 'data' | 'concurrency'>>, CallOptions {
  readonly expect: VerifyOptions['expect'] | undefined;
}

const KNOWN = ['prefix', 'expect', 'data', 'concurrency', 'onProgress', 'signal'] as const satisfies readonly (keyof VerifyOptions)[];

/** @throws KeyfoldError INVALID_ARGUMENT, also for a misspelt option: receipts that are not looked at must not seem to agree */
export function resolveVerify(options: VerifyOptions): ResolvedVerify {
  refuseUnknownOptions('verify()', options, KNOWN);
  const { prefix = '', data = true, concurrency = 4, expect, signal } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 64) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The option "concurrency" must be a whole number from 1 to 64.');
  }
  if (typeof data !== 'boolean') throw new KeyfoldError('INVALID_ARGUMENT', 'The option "data" must be true or false.');
  if (expect !== undefined && typeof expect !== 'function') {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The option "expect" of verify() must be a function from an id to its receipt.');
  }
  return { prefix, data, concurrency, expect, signal };
}

/** Counts findings as they come. */
export class VerifyCounter {
  readonly #counts: Record<VerifyStatus, number> = {
    ok: 0, damaged: 0, 'missing-data': 0, 'receipt-mismatch': 0, 'key-not-allowed': 0, unchecked: 0, orphan: 0, foreign: 0,
  };
  #bytes = 0;

  add(finding: VerifyFinding): VerifyProgress {
    this.#counts[finding.status]++;
    this.#bytes += finding.bytes ?? 0;
    return { counts: { ...this.#counts }, bytes: this.#bytes };
  }
}
