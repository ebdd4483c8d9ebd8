import { KeyfoldError } from '@keyfold/core';
import { decodeUtf8, encodeUtf8 } from '@keyfold/core/provider';

const ID_LIMIT_BYTES = 1_024;
const RECORD_SUFFIX = '.kfk';
const DATA_SUFFIX = '.kfc';
const PLAIN_SUFFIX = '.kfp';
const MARK_SUFFIX = '.kfg';

/** What an object store must take as a name. */
const NAME_LIMIT = 3_072;
/** What a data object's name has besides the id: a dot, the object id in hex, and the suffix. */
const LONGEST_SUFFIX = 1 + 32 + DATA_SUFFIX.length;

/**
 * The object name of an id: what is outside `[a-z0-9._/-]` is percent-encoded
 * with lowercase digits, capitals included, because file systems fold case and
 * normalise Unicode.
 * @throws KeyfoldError INVALID_ARGUMENT for an id that is too long, holds NUL, or whose segments are empty, `.` or `..`
 */
export function encodeId(id: string): string {
  if (typeof id !== 'string' || id.length === 0 || id.length > ID_LIMIT_BYTES) throw invalidId('has 1 to 1,024 UTF-8 bytes');
  const bytes = encodeUtf8(id, 'The checkpoint id');
  if (bytes.byteLength > ID_LIMIT_BYTES) throw invalidId('has 1 to 1,024 UTF-8 bytes');
  if (id.includes('\0')) throw invalidId('has no NUL character');
  const segments = id.split('/');
  if (segments.some(isNoSegment)) {
    throw invalidId('has no empty, "." or ".." segments and neither begins nor ends with "/"');
  }
  // `a.kfk` is the file of the checkpoint `a`, so it cannot be a directory as well.
  if (segments.slice(0, -1).some((segment) => /\.kf[kcpg]$/.test(segment))) {
    throw invalidId('has no segment before a "/" that ends in ".kfk", ".kfc", ".kfp" or ".kfg"');
  }
  const encoded = percentEncode(bytes);
  if (encoded.length > NAME_LIMIT - LONGEST_SUFFIX) {
    throw invalidId(`has at most ${NAME_LIMIT - LONGEST_SUFFIX} characters once what is outside [a-z0-9._/-] counts as three`);
  }
  return encoded;
}

/**
 * The object-name prefix of an id prefix; it may end in the middle of a segment.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function encodeIdPrefix(prefix: string): string {
  const bytes = typeof prefix === 'string' && prefix.length <= ID_LIMIT_BYTES ? encodeUtf8(prefix, 'The prefix') : undefined;
  const complete = bytes === undefined ? [] : prefix.split('/').slice(0, -1);
  if (bytes === undefined || bytes.byteLength > ID_LIMIT_BYTES || complete.some(isNoSegment)) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'A prefix has at most 1,024 UTF-8 bytes and no empty, "." or ".." segments before a "/".');
  }
  return percentEncode(bytes);
}

/** Where an id's key record stands, and its data when they are inline. */
export function recordName(id: string): string {
  return encodeId(id) + RECORD_SUFFIX;
}

/** Where the data object of one save stands. */
export function dataName(id: string, objectIdHex: string): string {
  return `${encodeId(id)}.${objectIdHex}${DATA_SUFFIX}`;
}

/** The id of a record's name, or undefined for any other object. */
export function idOfRecord(name: string): string | undefined {
  return name.endsWith(RECORD_SUFFIX) ? decodeId(name.slice(0, -RECORD_SUFFIX.length)) : undefined;
}

/** The id and the object id of a data object's name, or undefined for any other object. */
export function partsOfData(name: string): { readonly id: string; readonly objectId: string } | undefined {
  return partsBefore(name, DATA_SUFFIX);
}

/** Where the collection of garbage notes that it has seen a data object without a record. */
export function markName(id: string, objectIdHex: string): string {
  return `${encodeId(id)}.${objectIdHex}${MARK_SUFFIX}`;
}

/** Whose mark a name is, or undefined for any other object. */
export function partsOfMark(name: string): { readonly id: string; readonly objectId: string } | undefined {
  return partsBefore(name, MARK_SUFFIX);
}

function partsBefore(name: string, suffix: string): { readonly id: string; readonly objectId: string } | undefined {
  if (!name.endsWith(suffix)) return undefined;
  const [, encoded, objectId] = /^(.+)\.([0-9a-f]{32})$/s.exec(name.slice(0, -suffix.length)) ?? [];
  const id = encoded === undefined ? undefined : decodeId(encoded);
  return id === undefined || objectId === undefined ? undefined : { id, objectId };
}

/** Where the plain store keeps an id. */
export function plainName(id: string): string {
  return encodeId(id) + PLAIN_SUFFIX;
}

/** The id of a plain object's name, or undefined for any other object. */
export function idOfPlain(name: string): string | undefined {
  return name.endsWith(PLAIN_SUFFIX) ? decodeId(name.slice(0, -PLAIN_SUFFIX.length)) : undefined;
}

/** The id that encodes to exactly `name`, or undefined when there is none: nobody's encoding is second-guessed. */
function decodeId(name: string): string | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code !== 0x25) bytes.push(code);
    else {
      bytes.push(Number.parseInt(name.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  const id = decodeUtf8(Uint8Array.from(bytes));
  try {
    return id !== undefined && encodeId(id) === name ? id : undefined;
  } catch {
    return undefined;
  }
}

function isNoSegment(segment: string): boolean {
  return segment === '' || segment === '.' || segment === '..';
}

function percentEncode(bytes: Uint8Array): string {
  let encoded = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    encoded += /[a-z0-9._/-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return encoded;
}

function invalidId(rule: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', `A checkpoint id ${rule}.`);
}
