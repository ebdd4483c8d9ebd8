import { closeSync, constants, fsync, openSync, unlinkSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { throwIfAborted, type ObjectBody } from '@keyfold/core/provider';
import { assertChunk } from '../conditions.ts';
import { ChunkWriter } from './chunk-writer.ts';
import type { FileSystemContext } from './context.ts';
import { attempt, attemptAsync, errno, storageError } from './fs-errors.ts';
import { temporaryPath } from './internal-names.ts';
import type { Location } from './paths.ts';

const fsyncAsync = promisify(fsync);

/** Up to here a few synchronous calls cost less than as many trips to the thread pool. */
const SMALL = 1_048_576;
const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/** A body that is whole and durable under a temporary name. */
export interface Staged {
  readonly path: string;
  readonly size: number;
}

/**
 * Writes `body` next to where it will stand. Nothing remains when it fails; an
 * error of the body itself is passed on as it is.
 */
export async function stage(
  context: FileSystemContext,
  location: Location,
  body: ObjectBody,
  signal: AbortSignal | undefined,
): Promise<Staged> {
  const doing = `write object "${location.name}"`;
  const { fd, path } = await openTemporary(context, location, doing);
  try {
    await context.step('stage:opened');
    const size =
      body instanceof Uint8Array && body.byteLength <= SMALL
        ? await writeSmall(context, fd, body, doing, location.path)
        : await writeChunks(context, fd, body, location, doing, signal);
    await context.step('stage:synced');
    return { path, size };
  } catch (error) {
    discard(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Removes a temporary file, if it is there. What cannot be removed is left to `sweep`. */
export function discard(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The error that led here, or the success, is what the caller needs to hear of.
  }
}

async function openTemporary(
  context: FileSystemContext,
  location: Location,
  doing: string,
): Promise<{ readonly fd: number; readonly path: string }> {
  const path = temporaryPath(location.directory);
  const open = (): number => openSync(path, CREATE, 0o600);
  await context.directories.ensure(location.parents);
  try {
    return { fd: open(), path };
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw storageError(error, doing, location.path);
    // The directory was there once; somebody tidied up.
    context.directories.forget();
    await context.directories.ensure(location.parents);
    return { fd: attempt(doing, location.path, open), path };
  }
}

async function writeSmall(
  context: FileSystemContext,
  fd: number,
  body: Uint8Array,
  doing: string,
  path: string,
): Promise<number> {
  attempt(doing, path, () => {
    for (let done = 0; done < body.byteLength; ) done += writeSync(fd, body, done);
  });
  await context.step('stage:written');
  await attemptAsync(doing, path, () => fsyncAsync(fd));
  return body.byteLength;
}

async function writeChunks(
  context: FileSystemContext,
  fd: number,
  body: ObjectBody,
  location: Location,
  doing: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const writer = new ChunkWriter(fd, doing, location.path);
  try {
    // What was given whole does not change before the put is over.
    const release = body instanceof Uint8Array ? nothing : body.release?.bind(body);
    for await (const chunk of body instanceof Uint8Array ? slices(body) : body) {
      throwIfAborted(signal);
      assertChunk(location.name, chunk);
      await writer.add(chunk, release);
    }
    throwIfAborted(signal);
    await context.step('stage:written');
    return await writer.finish();
  } finally {
    await writer.idle();
  }
}

function* slices(body: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < body.byteLength; start += SMALL) yield body.subarray(start, start + SMALL);
}

function nothing(): void {
  // A view of the caller's array: there is nothing to give back.
}
