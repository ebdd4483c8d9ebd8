import { KeyfoldError, isKeyfoldError, type ErrorCode } from '@keyfold/core/provider';

const TABLE: Readonly<Record<string, readonly [ErrorCode, string] | undefined>> = {
  ENOSPC: ['STORAGE_FULL', 'the file system is full. Free some space; nothing was changed.'],
  EDQUOT: ['STORAGE_FULL', 'the disk quota is used up. Free some space; nothing was changed.'],
  EACCES: ['STORAGE_DENIED', 'permission denied. Check owner and mode of the file and of the directories above it.'],
  EPERM: [
    'STORAGE_DENIED',
    'the operation is not permitted. Check owner, mode and attributes, and that the file system has hard links.',
  ],
  EROFS: ['STORAGE_DENIED', 'the file system is mounted read-only.'],
  ENAMETOOLONG: ['INVALID_ARGUMENT', 'the path is too long for the file system. Use a shorter name or root.'],
  ENOTDIR: ['STORAGE_FAILURE', 'a part of the path is a file, not a directory. Move that file away.'],
  ELOOP: ['STORAGE_FAILURE', 'it is a symbolic link, and links below the root are not followed. Remove the link.'],
  EISDIR: ['STORAGE_FAILURE', 'it is a directory, not a file. No object can have the name of a directory.'],
  ENOENT: ['STORAGE_FAILURE', 'a file or directory disappeared meanwhile. Check what else works in this directory.'],
  EMFILE: ['STORAGE_FAILURE', 'this process has too many open files. Raise its limit or close open objects.'],
  ENFILE: ['STORAGE_FAILURE', 'the machine has too many open files.'],
  EIO: ['STORAGE_FAILURE', 'the device reported an input/output error. Check the disk.'],
};

/** The code of a system error, or undefined for anything else. */
export function errno(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** A system error as one of ours; what is ours already is passed on. */
export function storageError(error: unknown, doing: string, path: string): KeyfoldError {
  if (isKeyfoldError(error)) return error;
  const code = errno(error) ?? 'an unknown error';
  const [kind, advice] = TABLE[code] ?? ['STORAGE_FAILURE', `the file system answered ${code}.`];
  return new KeyfoldError(kind, `Could not ${doing} (${path}): ${advice}`, { cause: error });
}

/** @throws KeyfoldError STORAGE_FULL, STORAGE_DENIED, STORAGE_FAILURE, INVALID_ARGUMENT */
export function attempt<T>(doing: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw storageError(error, doing, path);
  }
}

/** {@link attempt} for a promise. */
export async function attemptAsync<T>(doing: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw storageError(error, doing, path);
  }
}

/** Whether `run` did its work; false when the system answered one of `codes`. */
export function unless(codes: readonly string[], doing: string, path: string, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (codes.includes(errno(error) ?? '')) return false;
    throw storageError(error, doing, path);
  }
}
