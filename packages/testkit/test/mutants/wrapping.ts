import { KeyfoldError, type KmsCallOptions, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { memoryOptions } from '../support/memory-options.ts';
import { broken, declared, type Mutant } from './mutant.ts';

function damaged(): KeyfoldError {
  return new KeyfoldError('INVALID_CIPHERTEXT', 'The memory KMS refuses the wrap.');
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Replaces what encrypt() and generateDataKey() make, and what decrypt() opens. */
function recoded(
  code: (ciphertext: Uint8Array, plaintext: Uint8Array) => Uint8Array,
  decode: (ciphertext: Uint8Array) => Uint8Array | readonly Uint8Array[],
): typeof MemoryKms {
  return class extends MemoryKms {
    override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
      const copy = Uint8Array.from(plaintext);
      const wrapped = await super.encrypt(plaintext, options);
      return { ...wrapped, ciphertext: code(wrapped.ciphertext, copy) };
    }

    override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
      const { plaintext, wrapped } = await super.generateDataKey(options);
      return { plaintext, wrapped: { ...wrapped, ciphertext: code(wrapped.ciphertext, plaintext) } };
    }

    override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
      const decoded = decode(Uint8Array.from(wrapped.ciphertext));
      const candidates = decoded instanceof Uint8Array ? [decoded] : decoded;
      for (const ciphertext of candidates.slice(0, -1)) {
        const opened = await super.decrypt({ ...wrapped, ciphertext }, options).catch(() => undefined);
        if (opened !== undefined) return opened;
      }
      return super.decrypt({ ...wrapped, ciphertext: candidates.at(-1) ?? new Uint8Array(0) }, options);
    }
  };
}

class LosesLongKeys extends MemoryKms {
  override encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    return super.encrypt(plaintext.byteLength === 64 ? plaintext.slice(0, 32) : plaintext, options);
  }
}

class ShortDataKeys extends MemoryKms {
  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const { plaintext } = await super.generateDataKey(options);
    const short = plaintext.slice(0, 16);
    return { plaintext: short, wrapped: await super.encrypt(short, options) };
  }
}

class Deterministic extends MemoryKms {
  readonly #made = new Map<string, WrappedKey>();

  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const name = `${this.calls.get('rotateKey') ?? 0} ${Buffer.from(plaintext).toString('hex')} ${JSON.stringify(options.context)}`;
    const fresh = await super.encrypt(plaintext, options);
    const wrapped = this.#made.get(name) ?? fresh;
    this.#made.set(name, wrapped);
    return wrapped;
  }
}

/** The key in clear behind its wrap, well checked. */
class ShowsTheKey extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const copy = Uint8Array.from(plaintext);
    const wrapped = await super.encrypt(plaintext, options);
    return { ...wrapped, ciphertext: joined(wrapped.ciphertext, copy) };
  }

  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const { plaintext, wrapped } = await super.generateDataKey(options);
    return { plaintext, wrapped: { ...wrapped, ciphertext: joined(wrapped.ciphertext, plaintext) } };
  }

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const all = Uint8Array.from(wrapped.ciphertext);
    const end = 72 + (all.byteLength - 72) / 2;
    const opened = await super.decrypt({ ...wrapped, ciphertext: all.slice(0, end) }, options);
    if (Buffer.compare(all.slice(end), opened) !== 0) throw damaged();
    return opened;
  }
}

class TwoAlgorithms extends MemoryKms {
  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const { plaintext, wrapped } = await super.generateDataKey(options);
    return { plaintext, wrapped: { ...wrapped, algorithm: 'memory-wrap-v2' } };
  }

  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt(wrapped.algorithm === 'memory-wrap-v2' ? { ...wrapped, algorithm: 'memory-wrap-v1' } : wrapped, options);
  }
}

class IgnoresAlgorithm extends MemoryKms {
  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt({ ...wrapped, algorithm: 'memory-wrap-v1' }, options);
  }
}

/** Past sixteen calls at once, an answer goes to whoever asked last. */
class MixesUp extends MemoryKms {
  #underWay = 0;
  #last: Uint8Array | undefined;

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    this.#underWay++;
    try {
      const crowded = this.#underWay > 16;
      const opened = await super.decrypt(wrapped, options);
      const answer = crowded && this.#last !== undefined ? this.#last : opened;
      this.#last = Uint8Array.from(opened);
      return answer;
    } finally {
      this.#underWay--;
    }
  }
}

/** Two names for one key. */
class SameKey extends MemoryKms {
  twin: MemoryKms | undefined;

  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    if (this.twin === undefined) return super.encrypt(plaintext, options);
    return { ...(await this.twin.encrypt(plaintext, options)), keyId: this.keyId };
  }

  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    if (this.twin === undefined) return super.decrypt(wrapped, options);
    return this.twin.decrypt({ ...wrapped, keyId: this.twin.keyId }, options);
  }
}

/** Everything up to the last zeros, as some file systems and padded columns give it back. */
function withoutZeros(ciphertext: Uint8Array): Uint8Array[] {
  const candidates = [ciphertext];
  for (let rest = ciphertext; rest.at(-1) === 0; rest = rest.slice(0, -1)) candidates.push(rest.slice(0, -1));
  return candidates;
}

export const WRAPPING: readonly Mutant[] = [
  broken('loses half of the longest keys', LosesLongKeys, ['wrap.round-trip']),
  broken('makes data keys of 16 bytes', ShortDataKeys, ['wrap.data-key']),
  broken('wraps deterministically', Deterministic, ['wrap.random']),
  broken('leaves the key in its wrap', ShowsTheKey, ['wrap.hidden']),
  broken('names two algorithms', TwoAlgorithms, ['wrap.names']),
  broken('mixes up answers when many calls are under way', MixesUp, ['wrap.at-once']),
  declared('opens nothing in another client', { reopen: () => new MemoryKms('one') }, ['wrap.reopen']),
  broken('puts a byte in front that nobody checks', recoded((ciphertext) => joined(Uint8Array.of(1), ciphertext), (all) => all.slice(1)), ['tamper.flip']),
  broken(
    'puts a byte behind that need not be there',
    recoded((ciphertext) => joined(ciphertext, Uint8Array.of(0)), (all) => (all.at(-1) === 0 ? [all.slice(0, -1), all] : all)),
    ['tamper.truncate'],
  ),
  broken('ignores zeros behind a wrap', recoded((ciphertext) => ciphertext, withoutZeros), ['tamper.extend']),
  broken('ignores how a wrap was made', IgnoresAlgorithm, ['tamper.algorithm']),
  declared(
    'has one key under two names, closed with its first client',
    {
      setUp: () => {
        const client = new SameKey('one');
        const other = new SameKey('two');
        other.twin = client;
        return { client, other };
      },
      calls: ({ client }) => memoryOptions().calls?.({ client, other: new MemoryKms() }) ?? 0,
    },
    ['close.alone', 'tamper.other-key'],
  ),
];
