import { createSecretKey, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { constantTimeEqual, view } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import type { RandomSource } from './random.ts';

const REDACTED = '[SecretBytes]';

/**
 * Key material that shows itself nowhere (string conversion, JSON, inspect,
 * spread) and is overwritten with zeros on dispose. The garbage collector may
 * have copied memory before; zeroing narrows the window and promises no more.
 */
export class SecretBytes {
  readonly #bytes: Uint8Array;
  #disposed = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes over `bytes`: the caller must not use that memory again. */
  static adopt(bytes: Uint8Array): SecretBytes {
    return new SecretBytes(bytes);
  }

  /** Copies `bytes`, which stay the caller's to zero. */
  static copyOf(bytes: Uint8Array): SecretBytes {
    return new SecretBytes(new Uint8Array(bytes));
  }

  /** `length` bytes from `random`. */
  static random(length: number, random: RandomSource): SecretBytes {
    return new SecretBytes(random.bytes(length));
  }

  /** How many bytes; known after dispose, too. */
  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** Whether the bytes are zeros by now. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Lends the bytes to `use`, which must neither keep nor change them.
   * @throws KeyfoldError CLOSED after dispose
   */
  expose<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#disposed) throw new KeyfoldError('CLOSED', 'This key was disposed of and can no longer be used.');
    return use(this.#bytes);
  }

  /** A KeyObject over a copy in OpenSSL's memory, which Node cleanses when it frees it. */
  toKeyObject(): KeyObject {
    return this.expose((bytes) => createSecretKey(view(bytes)));
  }

  /** Compares in constant time. */
  equals(other: SecretBytes): boolean {
    return this.expose((a) => other.expose((b) => constantTimeEqual(a, b)));
  }

  /** Overwrites the bytes with zeros; calling it again does nothing. */
  dispose(): void {
    this.#disposed = true;
    this.#bytes.fill(0);
  }

  /** {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Never the bytes. */
  toString(): string {
    return REDACTED;
  }

  /** Never the bytes. */
  toJSON(): string {
    return REDACTED;
  }

  /** Never the bytes. */
  [inspect.custom](): string {
    return REDACTED;
  }
}
