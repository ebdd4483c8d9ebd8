import { KeyfoldError } from '../errors.ts';
import type { ByteRange } from '../ports/object-store.ts';

/**
 * Refuses what is no range of anything, before anything is read.
 * @throws KeyfoldError RANGE_INVALID
 */
export function checkRange(range: unknown): asserts range is ByteRange {
  const { start, end } = typeof range === 'object' && range !== null ? (range as Partial<ByteRange>) : {};
  if (isOffset(start) && isOffset(end) && start <= end) return;
  throw new KeyfoldError('RANGE_INVALID', 'A range has a "start" and an "end" in whole bytes, with 0 <= start <= end.');
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** For a range that ends behind `length`, which must be known for certain. */
export function rangeInvalid(what: string, range: ByteRange, length: number): KeyfoldError {
  return new KeyfoldError('RANGE_INVALID', `${what} has ${length} bytes; ${range.start} to ${range.end} is no range of it.`);
}
