import type { OpenObject } from '../../src/ports/object-store.ts';
import { KeyfoldError } from '../../src/errors.ts';
import type { OpenPart } from '../../src/sealing/object-parts.ts';
import type { ByteRange } from '../../src/ports/object-store.ts';

/** What a storage gave for one read. */
export interface Version {
  readonly bytes: Uint8Array;
  readonly identity?: string;
}

/** An object in memory that counts what is read of it, and may be another one at every read. */
export class PartSource {
  /** The ranges that were asked for, in order. */
  readonly asked: ByteRange[] = [];
  cancelled = 0;
  readonly #versions: readonly (Version | undefined)[];
  readonly #chunkBytes: number;

  /** @param versions what is there at each read; the last one from then on */
  constructor(versions: readonly (Version | undefined)[], chunkBytes = 100_000) {
    this.#versions = versions;
    this.#chunkBytes = chunkBytes;
  }

  static of(bytes: Uint8Array): PartSource {
    return new PartSource([{ bytes }]);
  }

  get bytesRead(): number {
    return this.asked.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  readonly open: OpenPart = async (range) => {
    const version = await Promise.resolve(this.#versions[Math.min(this.asked.length, this.#versions.length - 1)]);
    this.asked.push(range);
    if (version === undefined) return undefined;
    const { bytes } = version;
    if (range.end > bytes.byteLength) throw new KeyfoldError('RANGE_INVALID', 'The storage has no such range.');
    return { ...this.#object(bytes, range), ...(version.identity === undefined ? {} : { identity: version.identity }) };
  };

  #object(bytes: Uint8Array, range: ByteRange): OpenObject {
    return {
      size: bytes.byteLength,
      body: slices(bytes.subarray(range.start, range.end), this.#chunkBytes),
      cancel: () => {
        this.cancelled++;
        return Promise.resolve();
      },
    };
  }
}

async function* slices(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += size) yield await Promise.resolve(bytes.slice(at, at + size));
}
