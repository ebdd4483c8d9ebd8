import type { ObjectStore } from '@keyfold/core';
import { digest, gathered } from './bytes.ts';

const LIMIT = 2 ** 30;

export async function allNamesIn(objects: ObjectStore): Promise<string[]> {
  return (await gathered(objects.list())).map(({ name }) => name);
}

/** Without the name key of hidden names, which is there before the first checkpoint and stays. */
export async function namesIn(objects: ObjectStore): Promise<string[]> {
  return (await allNamesIn(objects)).filter((name) => !name.endsWith('/names.kfn'));
}

/** The bytes of an object that must be there. */
export async function bytesOf(objects: ObjectStore, name: string): Promise<Uint8Array> {
  const object = await objects.read(name, { maxBytes: LIMIT });
  if (object === undefined) throw new Error(`no object ${name}`);
  return object.bytes;
}

/** Puts `bytes` in the place of whatever stands there, as somebody with access to the storage could. */
export async function plant(objects: ObjectStore, name: string, bytes: Uint8Array): Promise<void> {
  await objects.delete(name);
  await objects.put(name, bytes);
}

/** Every object with its bytes. */
export async function snapshot(objects: ObjectStore): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>();
  for (const name of await allNamesIn(objects)) all.set(name, await bytesOf(objects, name));
  return all;
}

/** Like a snapshot, for comparing: arrays of megabytes are compared slowly. */
export async function digests(objects: ObjectStore): Promise<Map<string, string>> {
  return new Map([...(await snapshot(objects))].map(([name, bytes]) => [name, digest(bytes)]));
}

/** Puts a snapshot back, and removes what is not in it. */
export async function restore(objects: ObjectStore, saved: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const name of await allNamesIn(objects)) await objects.delete(name);
  for (const [name, bytes] of saved) await objects.put(name, bytes);
}

/** The only object whose name ends so. */
export async function onlyName(objects: ObjectStore, suffix: string): Promise<string> {
  const [name, ...more] = (await namesIn(objects)).filter((candidate) => candidate.endsWith(suffix));
  if (name === undefined || more.length > 0) throw new Error(`expected one object ending in ${suffix}`);
  return name;
}
