import assert from 'node:assert/strict';
import type { ErrorCode, ObjectInfo, ObjectStore } from '@keyfold/core/provider';
import { isKeyfoldError } from '@keyfold/core/provider';
import type { PlannedCase } from '../suite.ts';
import { collect, present, sameBytes } from '../expect.ts';
import { MIB, type ObjectStoreConformanceOptions, type ObjectStoreSubject } from './options.ts';

/** A group of cases, with those left out that do not apply. */
export type ObjectStoreGroup = <Subject extends ObjectStoreSubject>(options: ObjectStoreConformanceOptions<Subject>) => PlannedCase<Subject>[];

const READ_LIMIT = 16 * MIB;

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Distinct at every position up to far beyond a chunk's length. */
export function pattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = Math.imul(index + 1, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, length);
}

/** Chunks that the writer takes back, as the port permits, as soon as the next one is asked for. */
export async function* chunksOf(content: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < content.byteLength; start += size) {
    const chunk = content.slice(start, start + size);
    yield await Promise.resolve(chunk);
    chunk.fill(0xee);
  }
}

/** A body that gives `content` and then fails. */
export async function* failingAfter(content: Uint8Array, failure: unknown): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(content);
  throw failure;
}

export async function textOf(store: ObjectStore, name: string): Promise<string | undefined> {
  const content = await store.read(name, { maxBytes: MIB });
  return content && new TextDecoder().decode(content.bytes);
}

/** The etag of what has to be there. */
export async function etagOf(store: ObjectStore, name: string): Promise<string> {
  return present(await store.read(name, { maxBytes: READ_LIMIT }), `"${name}" should be there, and is not`).etag;
}

/** All of an open object, which has to be there. */
export async function opened(store: ObjectStore, name: string, options?: Parameters<ObjectStore['open']>[1]): Promise<Uint8Array> {
  const object = present(await store.open(name, options), `"${name}" should be there, and is not`);
  return joined(object.body);
}

export async function joined(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Buffer.concat(await collect(body));
}

export async function requireContent(store: ObjectStore, name: string, content: Uint8Array): Promise<void> {
  sameBytes(await opened(store, name), content, `"${name}" opened`);
  const read = await store.read(name, { maxBytes: Math.max(content.byteLength, 1) });
  sameBytes(present(read, `"${name}" cannot be read`).bytes, content, `"${name}" read`);
}

export async function listed(store: ObjectStore, prefix?: string): Promise<ObjectInfo[]> {
  return collect(store.list(prefix === undefined ? {} : { prefix }));
}

export async function namesOf(store: ObjectStore, prefix?: string): Promise<string[]> {
  return (await listed(store, prefix)).map(({ name }) => name);
}

/** That nothing stands in the store. */
export async function requireEmpty(store: ObjectStore, after: string): Promise<void> {
  assert.deepEqual(await namesOf(store), [], `something is in the store after ${after}`);
}

/** How something ended that may end in either way. */
export async function outcome(work: Promise<unknown>): Promise<ErrorCode | 'OK'> {
  try {
    await work;
    return 'OK';
  } catch (error) {
    return isKeyfoldError(error) ? error.code : assert.fail(`a ${typeof error} that is no KeyfoldError was thrown`);
  }
}
