import { type CheckpointMetadata, KeyfoldError, type ObjectStore } from '@keyfold/core';
import { integrityFailure, throwIfAborted } from '@keyfold/core/provider';
import { chunksOf, collect, resolveMaxBytes, tooLarge } from '../checkpoint-data.ts';
import type { CallOptions, CheckpointData, CheckpointStore, LoadOptions, LoadStreamOptions, SaveOptions } from '../checkpoint-store.ts';
import { encodeIdPrefix, idOfPlain, plainName } from '../object-names.ts';
import { decodeMetadataLine, encodeMetadataLine, splitFirstLine } from './metadata-line.ts';

/** What a plain save() returns. It pins nothing but the size: a plain store cannot tell alteration. */
export interface PlainReceipt {
  /** Bytes of the data. */
  readonly size: number;
}

/**
 * Checkpoints as they are, readable by everybody who can read the storage: for
 * development, for measuring what encryption costs, and to compare with. One
 * object `<id>.kfp` each: a line of JSON metadata, then the data.
 * See {@link CheckpointStore} for the calls and codes.
 */
export class PlainCheckpointStore implements CheckpointStore<PlainReceipt> {
  readonly #objects: ObjectStore;
  #closed = false;

  constructor(options: { readonly objects: ObjectStore }) {
    this.#objects = options.objects;
  }

  async save(id: string, data: CheckpointData, options: SaveOptions = {}): Promise<PlainReceipt> {
    this.#requireOpen();
    const line = encodeMetadataLine(options.metadata ?? {});
    const condition = options.overwrite === true ? {} : ({ ifNoneMatch: '*' } as const);
    const { size } = await this.#objects.put(plainName(id), body(line, data, options.signal), { ...condition, signal: options.signal });
    return { size: size - line.byteLength };
  }

  async load(id: string, options: LoadOptions<PlainReceipt> = {}): Promise<Uint8Array> {
    const maxBytes = resolveMaxBytes(options.maxBytes);
    return collect(this.#chunks(id, { ...options, maxBytes }), maxBytes, `The checkpoint ${JSON.stringify(id)}`);
  }

  loadStream(id: string, options: LoadStreamOptions<PlainReceipt> = {}): AsyncIterable<Uint8Array> {
    return this.#chunks(id, options);
  }

  async readMetadata(id: string, options: CallOptions = {}): Promise<CheckpointMetadata> {
    this.#requireOpen();
    const object = await this.#open(id, options);
    try {
      return decodeMetadataLine((await splitFirstLine(object.body, id)).line, id);
    } finally {
      await object.cancel();
    }
  }

  async delete(id: string, options: CallOptions = {}): Promise<boolean> {
    this.#requireOpen();
    return this.#objects.delete(plainName(id), { signal: options.signal });
  }

  async *list(options: { readonly prefix?: string } & CallOptions = {}): AsyncIterable<string> {
    this.#requireOpen();
    const prefix = options.prefix ?? '';
    for await (const { name } of this.#objects.list({ prefix: encodeIdPrefix(prefix), signal: options.signal })) {
      const id = idOfPlain(name);
      // `a.kfp` begins with "a.", and `a` does not.
      if (id?.startsWith(prefix) === true) yield id;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async *#chunks(id: string, options: LoadOptions<PlainReceipt>): AsyncGenerator<Uint8Array, void, undefined> {
    this.#requireOpen();
    const object = await this.#open(id, options);
    try {
      const { line, rest } = await splitFirstLine(object.body, id);
      const size = object.size - line.byteLength - 1;
      if (size > (options.maxBytes ?? Number.POSITIVE_INFINITY)) throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, Number(options.maxBytes));
      if (options.expect !== undefined && sizeIn(options.expect) !== size) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
      for await (const chunk of rest) {
        throwIfAborted(options.signal);
        yield chunk;
      }
    } finally {
      await object.cancel();
    }
  }

  async #open(id: string, options: CallOptions): Promise<NonNullable<Awaited<ReturnType<ObjectStore['open']>>>> {
    const object = await this.#objects.open(plainName(id), { signal: options.signal });
    if (object === undefined) throw new KeyfoldError('NOT_FOUND', `There is no checkpoint ${JSON.stringify(id)}. Check the id; list() gives those that are there.`);
    return object;
  }

  #requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This checkpoint store was closed. Open it again to go on.');
  }
}

async function* body(line: Uint8Array, data: CheckpointData, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  yield line;
  yield* chunksOf(data, signal);
}

/** @throws KeyfoldError INVALID_ARGUMENT for something that is no receipt */
function sizeIn(expect: PlainReceipt | null): number {
  if (expect !== null && Number.isSafeInteger(expect.size)) return expect.size;
  throw new KeyfoldError('INVALID_ARGUMENT', 'The option "expect" must be a receipt as save() returned it.');
}
