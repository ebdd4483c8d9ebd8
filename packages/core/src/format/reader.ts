import { decodeUtf8 } from '../bytes.ts';

/** Thrown by parsers; never leaves core, callers turn it into one generic error. */
export class MalformedError extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'MalformedError';
  }
}

/**
 * Reads big-endian fields front to back. Lengths are compared with their caps
 * and with what is left before anything is sliced or allocated.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #data: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  u8(): number {
    return this.#data.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#data.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#data.getUint32(this.#advance(4));
  }

  /** A 64-bit integer below 2^53. */
  u64(): number {
    const value = this.#data.getBigUint64(this.#advance(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedError('integer of 2^53 or more');
    return Number(value);
  }

  /** Bytes behind an 8-, 16- or 32-bit length of `min..max`. */
  prefixed(bits: 8 | 16 | 32, min: number, max: number): Uint8Array {
    const length = bits === 8 ? this.u8() : bits === 16 ? this.u16() : this.u32();
    if (length < min || length > max) throw new MalformedError('length outside its limits');
    return this.take(length);
  }

  /** Strict UTF-8 behind a length; must match `pattern` whole if one is given. */
  text(bits: 8 | 16 | 32, min: number, max: number, pattern?: RegExp): string {
    const text = decodeUtf8(this.prefixed(bits, min, max));
    if (text === undefined || (pattern !== undefined && !pattern.test(text))) {
      throw new MalformedError('malformed text');
    }
    return text;
  }

  /** Refuses trailing bytes. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedError('trailing bytes');
  }

  #advance(length: number): number {
    if (!(length >= 0 && length <= this.remaining)) throw new MalformedError('truncated');
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
