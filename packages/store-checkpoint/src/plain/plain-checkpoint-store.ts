import { type CheckpointMetadata, KeyfoldError, type ObjectStore } from '@keyfold/core';
import { integrityFailure, throwIfAborted } from '@keyfold/core/provider';
import { checkAsked, chunksOf, collect, resolveMaxBytes, tooLarge } from '../checkpoint-data.ts';
import type { CallOptions, CheckpointData, CheckpointStore, LoadOptions, LoadStreamOptions, SaveOptions } from '../checkpoint-store.ts';
import { encodeIdPrefix, idOfPlain, plainName } from '../object-names.ts';
import { decodeMetadataLine, encodeMetadataLine } from './metadata-line.ts';
import { openPlain, openPlainRange } from './plain-object.ts';

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
    const { size } = await this.#objects.put(plainName(id), lineAndData(line, data, options.signal), { ...condition, signal: options.signal });
    return { size: size - line.byteLength };
  }

  async load(id: string, options: LoadOptions<PlainReceipt> = {}): Promise<Uint8Array> {
    const maxBytes = resolveMaxBytes(options.maxBytes);
    let expected: number | undefined;
    const onLength = (length: number): void => {
      expected = length;
    };
    return collect(this.#chunks(id, { ...options, maxBytes, onLength }), { what: `The checkpoint ${JSON.stringify(id)}`, maxBytes, expected: () => expected });
  }

  loadStream(id: string, options: LoadStreamOptions<PlainReceipt> = {}): AsyncIterable<Uint8Array> {
    return this.#chunks(id, options);
  }

  async readMetadata(id: string, options: CallOptions = {}): Promise<CheckpointMetadata> {
    this.#requireOpen();
    const object = await openPlain(this.#objects, id, options);
    try {
      return decodeMetadataLine(object.line, id);
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

  async *#chunks(id: string, options: LoadOptions<PlainReceipt> & { readonly onLength?: (length: number) => void }): AsyncGenerator<Uint8Array, void, undefined> {
    this.#requireOpen();
    const { range, expect, maxBytes, signal } = options;
    checkAsked(range, maxBytes);
    const onSize = (size: number): void => {
      if (expect !== undefined && sizeIn(expect) !== size) throw integrityFailure(`The checkpoint ${JSON.stringify(id)}`);
    };
    const { size, body, cancel } =
      range === undefined ? await openPlain(this.#objects, id, options) : await openPlainRange(this.#objects, id, { range, onSize, signal });
    try {
      if (range === undefined && maxBytes !== undefined && size > maxBytes) throw tooLarge(`The checkpoint ${JSON.stringify(id)}`, maxBytes);
      onSize(size);
      options.onLength?.(range === undefined ? size : range.end - range.start);
      for await (const chunk of body) {
        throwIfAborted(signal);
        yield chunk;
      }
    } finally {
      await cancel();
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This checkpoint store was closed. Open it again to go on.');
  }
}

async function* lineAndData(line: Uint8Array, data: CheckpointData, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  yield line;
  yield* chunksOf(data, signal);
}

/** @throws KeyfoldError INVALID_ARGUMENT for something that is no receipt */
function sizeIn(expect: PlainReceipt | null): number {
  if (expect !== null && Number.isSafeInteger(expect.size)) return expect.size;
  throw new KeyfoldError('INVALID_ARGUMENT', 'The option "expect" must be a receipt as save() returned it.');
}
