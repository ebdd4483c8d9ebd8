import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, unlink, type FileHandle } from 'node:fs/promises';
import { KeyfoldError } from '@keyfold/core/provider';
import { shellWord, storageError, systemCode, typed } from './error-codes.ts';

/** Changes whenever another file takes the name or the file's bytes change. */
export type FileStamp = string;

export interface PrivateFile {
  readonly bytes: Uint8Array;
  readonly stamp: FileStamp;
}

// O_NONBLOCK: opening a FIFO that someone put there must not hang.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * The content of a file that nobody else may read, or undefined when there is
 * none. All checks are made on the open descriptor, so nothing can be swapped
 * between check and use. A file that is larger than `maxBytes` is not read.
 * @throws KeyfoldError CONFIG_INVALID, INTEGRITY_FAILURE (too large), STORAGE_*
 */
export async function readPrivateFile(path: string, what: string, maxBytes: number): Promise<PrivateFile | undefined> {
  return typed(`Reading ${what} ${path}`, async () => {
    const handle = await openIfThere(path);
    if (handle === undefined) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw new KeyfoldError('CONFIG_INVALID', `${what} ${path} is no regular file.`);
      requirePrivate(stats, path, what, 0o177, '600');
      if (stats.size > BigInt(maxBytes)) {
        throw new KeyfoldError('INTEGRITY_FAILURE', `${what} ${path} is larger than the ${maxBytes} bytes that it may have.`);
      }
      return { bytes: await readAll(handle, Number(stats.size)), stamp: stampOf(stats) };
    } finally {
      await handle.close();
    }
  });
}

/** The stamp of what has the name now, or undefined when nothing has. */
export async function currentStamp(path: string): Promise<FileStamp | undefined> {
  try {
    return stampOf(await lstat(path, { bigint: true }));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw storageError(error, `Looking at ${path}`);
  }
}

/**
 * Refuses a directory that others may look into or that is a symbolic link.
 * @throws KeyfoldError CONFIG_INVALID, KEY_NOT_FOUND (no directory), STORAGE_DENIED
 */
export async function requirePrivateDirectory(path: string): Promise<void> {
  effectiveUser();
  await withDirectory(path, READ, async (handle) => {
    requirePrivate(await handle.stat({ bigint: true }), path, 'The directory', 0o077, '700');
  });
}

/** Makes renames, links and removals in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await withDirectory(path, constants.O_RDONLY, (handle) => handle.sync());
}

/** Writes a new file of mode 0600 and makes its bytes durable; on failure nothing is left behind. */
export async function writePrivateFile(path: string, bytes: Uint8Array, onCreated?: () => void): Promise<void> {
  await typed(`Writing ${path}`, async () => {
    const handle = await open(path, CREATE, 0o600);
    try {
      onCreated?.();
      // An unusual umask may have taken bits away that the owner needs.
      await handle.chmod(0o600);
      await handle.writeFile(bytes);
      await handle.sync();
      await handle.close();
    } catch (error) {
      await handle.close().catch(() => undefined);
      await removeIfThere(path);
      throw error;
    }
  });
}

/** Whether there was something to remove. */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw storageError(error, `Removing ${path}`);
  }
}

async function openIfThere(path: string, flags = READ): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function withDirectory(path: string, flags: number, use: (handle: FileHandle) => Promise<void>): Promise<void> {
  await typed(`Opening the directory ${path}`, async () => {
    const handle = await openIfThere(path, flags | constants.O_DIRECTORY);
    if (handle === undefined) {
      throw new KeyfoldError('KEY_NOT_FOUND', `There is no directory ${path}. Make it with: mkdir -m 700 ${shellWord(path)}`);
    }
    try {
      await use(handle);
    } finally {
      await handle.close();
    }
  });
}

async function readAll(handle: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function requirePrivate(stats: BigIntStats, path: string, what: string, forbidden: number, mode: string): void {
  if (stats.uid !== BigInt(effectiveUser())) {
    throw new KeyfoldError(
      'CONFIG_INVALID',
      `${what} ${path} belongs to another user. Run as its owner, or: chown ${effectiveUser()} ${shellWord(path)}`,
    );
  }
  if ((stats.mode & BigInt(forbidden)) !== 0n) {
    throw new KeyfoldError(
      'CONFIG_INVALID',
      `${what} ${path} is open to others (mode ${(stats.mode & 0o777n).toString(8)}). Run: chmod ${mode} ${shellWord(path)}`,
    );
  }
}

function effectiveUser(): number {
  if (process.geteuid === undefined) {
    throw new KeyfoldError('NOT_SUPPORTED', 'Local keyrings need POSIX owners and modes; this system has none.');
  }
  return process.geteuid();
}

function stampOf(stats: BigIntStats): FileStamp {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}
