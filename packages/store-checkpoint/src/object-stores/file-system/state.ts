import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, read as readCallback, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { KeyfoldError } from '@keyfold/core/provider';
import { attempt, errno, storageError } from './fs-errors.ts';
import type { Location } from './paths.ts';

const readAsync = promisify(readCallback);

const CHUNK = 1_048_576;
/** Reads of what was just written come from memory; a trip to the thread pool would double their cost. */
const SYNCHRONOUS = 65_536;
/** Without O_NONBLOCK opening a FIFO that somebody put there would wait for ever. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** An open file that is to be closed by whoever has it. */
export interface OpenFile {
  readonly fd: number;
  readonly size: number;
  readonly lastModified: number;
  /** Another one after every put, which makes a new file. Not the change time: links that come and go move it. */
  readonly identity: string;
}

/** What stands at a name now, by content. */
export interface State {
  readonly etag: string;
}

/** The first 16 bytes of SHA-256 of the content, as 32 lowercase hex digits. */
export function etagOf(content: Uint8Array): string {
  return shorten(createHash('sha256').update(content).digest('hex'));
}

/** Or undefined when nothing stands there. Follows no link. */
export function openFile(location: Location): OpenFile | undefined {
  const doing = `read object "${location.name}"`;
  let fd: number;
  try {
    fd = openSync(location.path, FLAGS);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw storageError(error, doing, location.path);
  }
  try {
    const stats = attempt(doing, location.path, () => fstatSync(fd));
    assertRegular(stats, location);
    const identity = `${stats.dev}-${stats.ino}-${stats.mtimeMs}`;
    return { fd, size: stats.size, lastModified: Math.floor(stats.mtimeMs), identity };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @throws KeyfoldError STORAGE_FAILURE for anything that no store has written */
export function assertRegular(stats: Stats, location: Location): void {
  if (stats.isFile()) return;
  const kind = stats.isDirectory()
    ? 'a directory'
    : stats.isSymbolicLink()
      ? 'a symbolic link, which the store does not follow'
      : 'a device, pipe or socket';
  throw new KeyfoldError(
    'STORAGE_FAILURE',
    `Object "${location.name}" (${location.path}) is no file but ${kind}. Move it away or use another name.`,
  );
}

/** `length` bytes from `offset`. @throws KeyfoldError STORAGE_FAILURE when the file ends before */
export async function readExactly(
  location: Location,
  fd: number,
  offset: number,
  length: number,
  memory?: (bytes: number) => Uint8Array | undefined,
): Promise<Uint8Array> {
  // No Buffer is handed out: its slice() would alias.
  const buffer = memory?.(length) ?? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  for (let done = 0; done < length; ) {
    const count = await readSome(location, fd, buffer, done, offset + done);
    if (count === 0) {
      throw new KeyfoldError(
        'STORAGE_FAILURE',
        `Object "${location.name}" (${location.path}) became shorter while it was read: something other than the store changes it.`,
      );
    }
    done += count;
  }
  return buffer;
}

/** What stands at the name, whatever its size. */
export async function currentState(location: Location): Promise<State | undefined> {
  const file = openFile(location);
  if (file === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    for (let offset = 0; offset < file.size; offset += CHUNK) {
      hash.update(await readExactly(location, file.fd, offset, Math.min(CHUNK, file.size - offset)));
    }
    return { etag: shorten(hash.digest('hex')) };
  } finally {
    closeSync(file.fd);
  }
}

async function readSome(
  location: Location,
  fd: number,
  buffer: Uint8Array,
  done: number,
  position: number,
): Promise<number> {
  const rest = buffer.byteLength - done;
  try {
    if (rest <= SYNCHRONOUS) return readSync(fd, buffer, done, rest, position);
    const { bytesRead } = await readAsync(fd, buffer, done, rest, position);
    return bytesRead;
  } catch (error) {
    throw storageError(error, `read object "${location.name}"`, location.path);
  }
}

function shorten(digest: string): string {
  return digest.slice(0, 32);
}
