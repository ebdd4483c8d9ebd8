import { KeyfoldError, isKeyfoldError, type ErrorCode } from '@keyfold/core/provider';

/** What the operating system says, and what Keyfold calls it. */
const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['STORAGE_FULL', 'the disk is full; free some space and try again'],
  EDQUOT: ['STORAGE_FULL', 'the disk quota is used up; free some space and try again'],
  EACCES: ['STORAGE_DENIED', 'permission was denied; run as the owner of the keyring and its directory'],
  EPERM: ['STORAGE_DENIED', 'the operation is not permitted; run as the owner, on a file system with hard links'],
  EROFS: ['STORAGE_DENIED', 'the file system is mounted read-only'],
  EEXIST: ['ALREADY_EXISTS', 'there is a file of that name, which is not replaced'],
  ENOENT: ['KEY_NOT_FOUND', 'there is no such file or directory'],
  ENOTDIR: ['CONFIG_INVALID', 'a part of the path is no directory, or is a symbolic link, which is not followed'],
  ELOOP: ['CONFIG_INVALID', 'it is a symbolic link, which is not followed; pass the path of the file itself'],
  EISDIR: ['CONFIG_INVALID', 'it is a directory'],
  ENXIO: ['CONFIG_INVALID', 'it is no regular file'],
  ENAMETOOLONG: ['CONFIG_INVALID', 'the path is too long'],
  ENOTSUP: ['CONFIG_INVALID', 'the file system lacks something that is needed, probably hard links'],
  EOPNOTSUPP: ['CONFIG_INVALID', 'the file system lacks something that is needed, probably hard links'],
  EMLINK: ['CONFIG_INVALID', 'the file system permits no further hard links'],
};

/** Turns a failure of the file system into a typed error; a Keyfold error passes unchanged. */
export function storageError(error: unknown, doing: string): KeyfoldError {
  if (isKeyfoldError(error)) return error;
  const [code, reason] = CODES[systemCode(error) ?? ''] ?? [
    'STORAGE_FAILURE' as const,
    `the file system failed (${systemCode(error) ?? 'unknown error'})`,
  ];
  return new KeyfoldError(code, `${doing} failed: ${reason}.`, { cause: error });
}

/** Node's `error.code`, e.g. `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Runs `work` and types whatever it throws. */
export async function typed<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, doing);
  }
}

/** A path as one word of a POSIX shell, for the commands that messages suggest. */
export function shellWord(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
