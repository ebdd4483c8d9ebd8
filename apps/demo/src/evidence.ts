import { isKeyfoldError } from '@keyfold/core';
import { LocalKms } from '@keyfold/kms-local';
import { EncryptedCheckpointStore, FileSystemObjectStore } from '@keyfold/store-checkpoint';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TENANT, type Workspace, openStore } from './store.ts';
import { seededRandom } from './seeded-random.ts';
import { WordIndex } from './word-index.ts';

/** Every file below a directory, with its bytes. */
function filesBelow(directory: string): { readonly name: string; readonly path: string }[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ name: entry.name, path: join(entry.parentPath, entry.name) }));
}

/** The data file of a checkpoint that is too large to stand inside its record, or the record that holds it. */
function dataFileOf(workspace: Workspace, id: string, root = workspace.checkpoints): string {
  const stem = join(root, id);
  const data = filesBelow(root).find(({ path }) => path.startsWith(`${stem}.`) && path.endsWith('.kfc'));
  return data?.path ?? `${stem}.kfk`;
}

export interface RawBytes {
  readonly file: string;
  readonly size: number;
  /** The first bytes, 16 a row, in hex. */
  readonly rows: readonly string[];
  readonly bitsPerByte: number;
  /** Words of the state that were searched for, and how many of them the file holds. */
  readonly searched: number;
  readonly found: number;
}

/** What somebody who steals the disk sees: searches the raw file for words that the state certainly holds. */
export async function lookAtRawBytes(workspace: Workspace, id: string): Promise<RawBytes> {
  const { store, close } = await openStore(workspace);
  const plaintext = Buffer.from(await store.load(id));
  await close();
  const file = dataFileOf(workspace, id);
  const raw = readFileSync(file);
  const words = plaintext
    .toString('utf8')
    .split('\n')
    .map((line) => line.slice(0, line.indexOf('\t')))
    .filter((word) => word.length >= 8)
    .slice(0, 200);
  return {
    file,
    size: raw.byteLength,
    rows: [0, 16, 32, 48, 64, 80].map((offset) => raw.subarray(offset, offset + 16).toString('hex').replace(/(..)(?=.)/g, '$1 ')),
    bitsPerByte: entropy(raw),
    searched: words.length,
    found: words.filter((word) => raw.includes(word)).length,
  };
}

/** Shannon entropy of the byte values. */
function entropy(bytes: Uint8Array): number {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / bytes.byteLength) * Math.log2(count / bytes.byteLength), 0);
}

export interface Refusal {
  readonly what: string;
  /** The error's code, or NOT_REFUSED, which would be a defect. */
  readonly code: string;
  readonly message: string;
}

/** Opens the checkpoint in ways that must fail, on copies. */
export async function provokeRefusals(workspace: Workspace, id: string, directory: string, seed: number): Promise<Refusal[]> {
  const copy = join(directory, 'tampered');
  cpSync(workspace.checkpoints, copy, { recursive: true });
  const file = dataFileOf(workspace, id, copy);
  const bytes = readFileSync(file);
  const bit = Math.floor(seededRandom(seed, 'bit') * bytes.byteLength * 8);
  const byte = Math.floor(bit / 8);
  bytes.writeUInt8(bytes.readUInt8(byte) ^ (1 << (bit % 8)), byte);
  writeFileSync(file, bytes);
  const otherKeys = join(directory, 'other-keys');
  mkdirSync(otherKeys, { mode: 0o700 });
  return [
    await refusal(`one bit flipped (bit ${bit.toLocaleString('en')} of the data)`, async () => {
      const { store, close } = await openStore(workspace, copy);
      await store.load(id).finally(close);
    }),
    await refusal('opened as another tenant', async () => {
      const { store, close } = await openStore(workspace, workspace.checkpoints, 'somebody-else');
      await store.load(id).finally(close);
    }),
    await refusal('opened with another keyring', async () => {
      const kms = await LocalKms.create(join(otherKeys, 'keyring.kf'), { key: randomBytes(32) });
      const store = await EncryptedCheckpointStore.open({ objects: new FileSystemObjectStore(workspace.checkpoints), kms, tenant: TENANT });
      await store.load(id).finally(() => kms.close());
    }),
    await refusal('keyring opened with a wrong key', async () => {
      await LocalKms.open(workspace.keyring, { key: randomBytes(32) });
    }),
  ];
}

/** How an attempt that must fail fails. */
export async function refusal(what: string, attempt: () => Promise<void>): Promise<Refusal> {
  try {
    await attempt();
    return { what, code: 'NOT_REFUSED', message: 'It should have been.' };
  } catch (error) {
    if (!isKeyfoldError(error)) throw error;
    return { what, code: error.code, message: error.message };
  }
}

export interface Rotation {
  readonly from: string;
  readonly to: string;
  /** Milliseconds until the new key version was in use. */
  readonly rotateMs: number;
  readonly rewrapped: number;
  readonly dataFilesUntouched: boolean;
  readonly readable: number;
  /** SHA-256 of the restored state of `id`. */
  readonly sha256: string;
}

/** A new key version, every checkpoint's key wrapped anew, and everything still there. */
export async function rotateAndRewrap(workspace: Workspace, id: string): Promise<Rotation> {
  const { kms, store, close } = await openStore(workspace);
  const before = dataDigests(workspace);
  const from = await kms.currentKeyVersion();
  const started = performance.now();
  const to = await kms.rotateKey();
  const rotateMs = performance.now() - started;
  let rewrapped = 0;
  for await (const each of store.list()) rewrapped += Number((await store.rewrap(each)).outcome === 'rewrapped');
  let readable = 0;
  for await (const each of store.list()) {
    await WordIndex.restore(store.loadStream(each));
    readable++;
  }
  const { sha256 } = (await WordIndex.restore(store.loadStream(id))).digest();
  await close();
  return { from: from.id, to: to.id, rotateMs, rewrapped, dataFilesUntouched: before === dataDigests(workspace), readable, sha256 };
}

/** One digest over names and contents of all data files. */
function dataDigests(workspace: Workspace): string {
  const hash = createHash('sha256');
  for (const { name, path } of filesBelow(workspace.checkpoints).toSorted((a, b) => a.path.localeCompare(b.path, 'en'))) {
    if (name.endsWith('.kfc')) hash.update(name).update(readFileSync(path));
  }
  return hash.digest('hex');
}
