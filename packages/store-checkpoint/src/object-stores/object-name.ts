import { KeyfoldError } from '@keyfold/core/provider';

const MAX_LENGTH = 3_072;
const CHARACTERS = /^[a-z0-9._/%-]*$/;
const SEGMENT = /^[a-z0-9._%-]+$/;

/**
 * Refuses what is no name of an object: 1..3,072 characters of `[a-z0-9._/%-]`,
 * no empty, `.` or `..` segment.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function assertObjectName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.length === 0 || name.length > MAX_LENGTH || !CHARACTERS.test(name)) {
    throw new KeyfoldError(
      'INVALID_ARGUMENT',
      `${quote(name)} is not an object name: use 1 to ${MAX_LENGTH} characters of a-z, 0-9, ".", "_", "-", "%" and "/".`,
    );
  }
  if (!name.split('/').every(isObjectSegment)) {
    throw new KeyfoldError(
      'INVALID_ARGUMENT',
      `${quote(name)} is not an object name: between slashes it has an empty, "." or ".." part, or begins or ends with a slash.`,
    );
  }
}

/**
 * Refuses what no name can begin with. Its last part may be cut anywhere.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function assertObjectPrefix(prefix: unknown): asserts prefix is string {
  const whole = typeof prefix === 'string' ? prefix.split('/').slice(0, -1) : [];
  if (
    typeof prefix !== 'string' ||
    prefix.length > MAX_LENGTH ||
    !CHARACTERS.test(prefix) ||
    !whole.every(isObjectSegment)
  ) {
    throw new KeyfoldError('INVALID_ARGUMENT', `${quote(prefix)} is not the beginning of any object name.`);
  }
}

/** Whether `text` can stand between the slashes of a name. */
export function isObjectSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== '.' && text !== '..';
}

/** Escaped and short, so that a hostile name cannot forge lines of a log. */
function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : `A ${typeof value}`;
}
