import type { KmsCallOptions, WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { MEMORY_FAULTS } from '../support/memory-options.ts';
import { broken, type Mutant } from './mutant.ts';

/** Gives the same array to everybody who opens the same wrap. */
class SharesArrays extends MemoryKms {
  readonly #opened = new Map<string, Uint8Array>();

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const name = Buffer.from(wrapped.ciphertext).toString('hex');
    const fresh = await super.decrypt(wrapped, options);
    const opened = this.#opened.get(name) ?? fresh;
    this.#opened.set(name, opened);
    return opened;
  }
}

/** Takes memory for its keys from a pool, as Buffer.from() does. */
class TakesFromAPool extends MemoryKms {
  #pool = new ArrayBuffer(4_096);
  #used = 0;

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const opened = await super.decrypt(wrapped, options);
    if (this.#used + opened.byteLength > this.#pool.byteLength) {
      this.#pool = new ArrayBuffer(4_096);
      this.#used = 0;
    }
    const pooled = new Uint8Array(this.#pool, this.#used, opened.byteLength);
    this.#used += opened.byteLength;
    pooled.set(opened);
    return pooled;
  }
}

/** Keeps the data key that it gave away, and gives it again. */
class KeepsDataKeys extends MemoryKms {
  readonly #kept = new Map<string, Uint8Array>();

  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const made = await super.generateDataKey(options);
    this.#kept.set(Buffer.from(made.wrapped.ciphertext).toString('hex'), made.plaintext);
    return made;
  }

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const opened = await super.decrypt(wrapped, options);
    const kept = this.#kept.get(Buffer.from(wrapped.ciphertext).toString('hex'));
    return kept === undefined ? opened : Uint8Array.from(kept);
  }
}

/** Turns the wrap that it is given round, opens it, and leaves it so; both ways are a wrap to it. */
class ChangesItsArguments extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const given = Uint8Array.from(wrapped.ciphertext);
    const open = (ciphertext: Uint8Array): Promise<Uint8Array> => super.decrypt({ ...wrapped, ciphertext }, options);
    const opened = await open(given).catch(() => open(Uint8Array.from(given).reverse()));
    wrapped.ciphertext.reverse();
    return opened;
  }
}

/** Zeroes what it has wrapped, as if it were its own. */
class ZeroesItsArguments extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const wrapped = await super.encrypt(plaintext, options);
    plaintext.fill(0);
    return wrapped;
  }
}

/** Does something else before it reads what is to be wrapped. */
class ReadsLate extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    await Promise.resolve();
    return super.encrypt(plaintext, options);
  }
}

class ReadsWrapsLate extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    await Promise.resolve();
    return super.decrypt(wrapped, options);
  }
}

/** Every case that wraps a key of its own and compares. */
const COMPARING = [
  ...Object.keys(MEMORY_FAULTS).flatMap((name) => (name === 'hanging' ? [] : [`fault.${name}`])),
  ...['abort.never', 'abort.timeout', 'close.alone', 'own.arguments', 'own.copies', 'rotate.meanwhile', 'rotate.old-wraps'],
  ...['wrap.at-once', 'wrap.order-of-context', 'wrap.reopen', 'wrap.round-trip'],
];

export const OWNERSHIP: readonly Mutant[] = [
  broken('gives one array to two', SharesArrays, ['own.copies', 'own.memory']),
  broken('gives keys out of a pool', TakesFromAPool, ['own.memory']),
  broken('keeps data keys that it gave away', KeepsDataKeys, ['own.copies']),
  broken('changes a wrap that it opens', ChangesItsArguments, ['own.arguments']),
  broken('zeroes a key that it wraps', ZeroesItsArguments, COMPARING),
  broken('reads a key after it has waited', ReadsLate, ['own.at-once']),
  broken('reads a wrap after it has waited', ReadsWrapsLate, ['own.at-once']),
];
