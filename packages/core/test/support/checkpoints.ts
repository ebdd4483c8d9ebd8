import type { KeyObject } from 'node:crypto';
import { isKeyfoldError } from '../../src/errors.ts';
import { type KeyRecord, parseKeyRecord } from '../../src/format/key-record.ts';
import { KeyCache } from '../../src/keys/key-cache.ts';
import type { KmsClient } from '../../src/ports/kms-client.ts';
import { openCheckpointData } from '../../src/sealing/checkpoint-opener.ts';
import { keyPolicy } from '../../src/sealing/key-policy.ts';
import { type CheckpointIdentity, type OpenedKeyRecord, openCheckpointRecord } from '../../src/sealing/open-key-record.ts';
import { signKeyRecord } from '../../src/sealing/record-mac.ts';
import { type SealCheckpointOptions, sealCheckpoint } from '../../src/sealing/seal-checkpoint.ts';
import { ALL_SUITES, type SuiteName } from '../../src/sealing/suites.ts';
import { MemoryKms } from '../../src/testing/memory-kms.ts';
import { secretKey } from './bytes.ts';

export const IDENTITY: CheckpointIdentity = { tenant: 'acme', checkpoint: 'job-7/chk-42' };

/** Remembers copies of the DEKs that it made, which no real KMS does. */
export class LeakyKms extends MemoryKms {
  readonly deks: Uint8Array[] = [];

  override async generateDataKey(options: Parameters<MemoryKms['generateDataKey']>[0]): ReturnType<MemoryKms['generateDataKey']> {
    const made = await super.generateDataKey(options);
    this.deks.push(Uint8Array.from(made.plaintext));
    return made;
  }
}

export interface Sealed {
  readonly record: Uint8Array;
  readonly data: Uint8Array;
  readonly dekBytes: Uint8Array;
  readonly dek: KeyObject;
}

export async function seal(kms: LeakyKms, plaintext: Uint8Array, options: Partial<SealCheckpointOptions> = {}): Promise<Sealed> {
  const sealer = await sealCheckpoint({ ...IDENTITY, kms, ...options });
  const dekBytes = kms.deks.at(-1) ?? new Uint8Array(0);
  return {
    record: sealer.record,
    data: new Uint8Array(Buffer.concat([sealer.lead, ...sealer.push(plaintext), sealer.end()])),
    dekBytes,
    dek: secretKey(dekBytes),
  };
}

/** A record changed by somebody who has its DEK: everything behind the MAC is at stake. */
export function resigned(sealed: Sealed, change: (record: KeyRecord) => KeyRecord): Uint8Array {
  return signKeyRecord(sealed.dek, change(parseKeyRecord(sealed.record).record));
}

export interface Reader {
  readonly kms: KmsClient | readonly KmsClient[];
  readonly identity?: CheckpointIdentity;
  readonly cache?: KeyCache;
  readonly signal?: AbortSignal;
  /** Default every one that there is. */
  readonly suites?: readonly SuiteName[];
}

export function openRecord(record: Uint8Array, { kms, identity = IDENTITY, cache = new KeyCache(), signal, suites = ALL_SUITES }: Reader): Promise<OpenedKeyRecord> {
  return openCheckpointRecord(record, identity, { policy: keyPolicy([kms].flat(), { suites }), cache, signal });
}

/** The whole plaintext, as a reader gets it who waits for the end. */
export async function open(record: Uint8Array, data: Uint8Array | AsyncIterable<Uint8Array>, reader: Reader): Promise<Buffer> {
  const opened = await openRecord(record, reader);
  try {
    const chunks = openCheckpointData(opened, reader.identity ?? IDENTITY, data instanceof Uint8Array ? chunked([data]) : data);
    return Buffer.concat(await collect(chunks));
  } finally {
    opened.lease.release();
  }
}

export async function* chunked(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  await Promise.resolve();
  yield* chunks;
}

/** The code of the KeyfoldError that `run` rejects with; fails on any other outcome. */
export async function codeOf(run: Promise<unknown>): Promise<string> {
  const error = await rejection(run);
  if (isKeyfoldError(error)) return error.code;
  throw error;
}

/** What `run` rejects with; fails when it resolves. */
export async function rejection(run: Promise<unknown>): Promise<unknown> {
  try {
    await run;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection, and it resolved');
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
