import { KeyfoldError, type OpenedKeyRecord } from '@keyfold/core';
import { integrityFailure, toHex } from '@keyfold/core/provider';

/**
 * What save() returns. Keep it where the storage cannot change it, and pass it
 * as `expect`: then an older or other checkpoint under the same id is refused.
 * It is not secret.
 */
export interface CheckpointReceipt {
  /** 32 hex digits: this save. */
  readonly objectId: string;
  /** 64 hex digits: commits to the data key, the salt, tenant and id. Whoever has that data key can still make other data. */
  readonly commitment: string;
  /** The record's generation; later rewraps have higher ones. */
  readonly generation: number;
}

/**
 * @throws KeyfoldError INVALID_ARGUMENT for something that is no receipt, INTEGRITY_FAILURE when the stored record is
 *   of another save or of an older generation
 */
export function checkReceipt(expect: CheckpointReceipt | undefined, opened: OpenedKeyRecord, id: string): void {
  if (expect === undefined) return;
  if (!matchesReceipt(expect, opened)) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
}

/**
 * Whether the record is of the save that `expect` is the receipt of, or of a later generation of it.
 * @throws KeyfoldError INVALID_ARGUMENT for something that is no receipt
 */
export function matchesReceipt(expect: CheckpointReceipt, opened: OpenedKeyRecord): boolean {
  if (!isReceipt(expect)) throw new KeyfoldError('INVALID_ARGUMENT', 'The option "expect" must be a receipt as save() returned it.');
  const { objectId, commitment, generation } = receiptOf(opened);
  return objectId === expect.objectId && commitment === expect.commitment && generation >= expect.generation;
}

/** What save(), or the last rewrap, would have returned for this record. */
export function receiptOf({ parsed: { record } }: OpenedKeyRecord): CheckpointReceipt {
  return { objectId: toHex(record.objectId), commitment: toHex(record.binding), generation: record.generation };
}

/**
 * @throws KeyfoldError INVALID_ARGUMENT for something that is no generation, INTEGRITY_FAILURE when the record's is lower
 */
export function checkGeneration(minimum: number | undefined, opened: OpenedKeyRecord, id: string): void {
  if (minimum === undefined) return;
  if (!Number.isSafeInteger(minimum) || minimum < 1) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The option "minimumGeneration" must be a whole number from 1.');
  }
  if (opened.parsed.record.generation < minimum) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
}

function isReceipt(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { objectId, commitment, generation } = value as Partial<Record<string, unknown>>;
  return isHex(objectId, 32) && isHex(commitment, 64) && Number.isSafeInteger(generation);
}

function isHex(value: unknown, digits: number): boolean {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value);
}
