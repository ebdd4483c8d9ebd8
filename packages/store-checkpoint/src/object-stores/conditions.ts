import { KeyfoldError, type ByteRange, type PutCondition } from '@keyfold/core/provider';

/**
 * Refuses a put with two conditions at once.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function assertOneCondition(name: string, condition: PutCondition): void {
  if (condition.ifNoneMatch !== undefined && condition.ifMatch !== undefined) {
    throw new KeyfoldError('INVALID_ARGUMENT', `put of "${name}" takes ifNoneMatch or ifMatch, not both.`);
  }
}

/**
 * Refuses a limit that is no byte count, and an object above it.
 * @throws KeyfoldError INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function assertWithin(name: string, size: number, maxBytes: number): void {
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'maxBytes is a whole number of bytes, 0 or more.');
  }
  if (size > maxBytes) {
    throw new KeyfoldError(
      'LIMIT_EXCEEDED',
      `Object "${name}" has ${size} bytes, more than the ${maxBytes} that the caller accepts.`,
    );
  }
}

/**
 * The range asked for, or the whole object.
 * @throws KeyfoldError RANGE_INVALID
 */
export function resolveRange(name: string, size: number, range: ByteRange | undefined): ByteRange {
  if (range === undefined) return { start: 0, end: size };
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > size) {
    throw new KeyfoldError(
      'RANGE_INVALID',
      `Bytes ${start} to ${end} are not a range of object "${name}", which has ${size} bytes.`,
    );
  }
  return { start, end };
}

/** @throws KeyfoldError INVALID_ARGUMENT when a body yields anything but bytes */
export function assertChunk(name: string, chunk: unknown): asserts chunk is Uint8Array {
  if (!(chunk instanceof Uint8Array)) {
    throw new KeyfoldError('INVALID_ARGUMENT', `The body of object "${name}" has to consist of Uint8Array chunks.`);
  }
}

export function alreadyExists(name: string): KeyfoldError {
  return new KeyfoldError('ALREADY_EXISTS', `Object "${name}" exists already and was left as it is.`);
}

export function conflict(name: string): KeyfoldError {
  return new KeyfoldError(
    'CONFLICT',
    `Object "${name}" is no longer in the state that was named, or is gone: read it again and retry.`,
  );
}

/** The next state has to be told apart from the one it replaces. */
export function sameContent(name: string): KeyfoldError {
  return new KeyfoldError(
    'CONFLICT',
    `Object "${name}" cannot be replaced by the bytes it already has: the states could not be told apart.`,
  );
}
