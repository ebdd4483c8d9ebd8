import { ERROR_CODES, KeyfoldError, isKeyfoldError, type KeyVersion, type KmsCallOptions, type KmsHealth, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import type { KmsFaults } from '../../src/index.ts';
import { CREDENTIAL, MEMORY_FAULTS, failing, type MemorySubject } from '../support/memory-options.ts';
import { ERROR_CASES, broken, declared, type Mutant } from './mutant.ts';

type Signalled = Parameters<MemoryKms['rotateKey']>[0];
type FaultName = Exclude<keyof KmsFaults<MemorySubject>, 'hanging'>;

const NAMES = Object.keys(MEMORY_FAULTS).filter((name): name is FaultName => name !== 'hanging');
/** testConnection() is tried for all but the rotation limit. */
const HEALTH = NAMES.filter((name) => name !== 'rotationLimit').map((name) => `health.${name}`);
const UNGUARDED = HEALTH.filter((id) => id !== 'health.wrongKey' && id !== 'health.shortKey');

class RejectsTests extends MemoryKms {
  override async testConnection(options?: Signalled): Promise<KmsHealth> {
    const { problem, ...health } = await super.testConnection(options);
    if (problem === undefined) return health;
    throw new KeyfoldError(ERROR_CODES.find((code) => code === problem.code) ?? 'KMS_UNAVAILABLE', problem.message);
  }
}

function reporting(change: (health: KmsHealth) => KmsHealth): typeof MemoryKms {
  return class extends MemoryKms {
    override async testConnection(options?: Signalled): Promise<KmsHealth> {
      return change(await super.testConnection(options));
    }
  };
}

const flags = { reachable: true, permitted: true, keyEnabled: true };

/** Cannot list versions while anything is wrong, and calls it something else. */
class MisnamesInLists extends MemoryKms {
  override async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    try {
      yield* super.listKeyVersions(options);
    } catch (error) {
      throw isKeyfoldError(error, 'KMS_THROTTLED') ? new KeyfoldError('KMS_UNAVAILABLE', 'The memory KMS is unavailable.') : error;
    }
  }
}

/** Never gets over a refusal. */
class HoldsAGrudge extends MemoryKms {
  #refused: unknown;

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    try {
      const opened = await super.decrypt(wrapped, options);
      if (this.#refused !== undefined) throw new KeyfoldError('ACCESS_DENIED', 'The memory KMS refuses the caller.');
      return opened;
    } catch (error) {
      if (isKeyfoldError(error, 'ACCESS_DENIED')) this.#refused = error;
      throw error;
    }
  }
}

/** Says `text` to whoever brings a damaged wrap. */
function saying(text: string): typeof MemoryKms {
  return failingWith(() => new KeyfoldError('INVALID_CIPHERTEXT', text));
}

function failingWith(make: (key: Uint8Array) => Error): typeof MemoryKms {
  return class extends MemoryKms {
    readonly #seen: Uint8Array[] = [];

    override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
      this.#seen.push(Uint8Array.from(plaintext));
      return super.encrypt(plaintext, options);
    }

    override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
      try {
        return await super.decrypt(wrapped, options);
      } catch (error) {
        throw isKeyfoldError(error, 'INVALID_CIPHERTEXT') ? make(this.#seen[0] ?? new Uint8Array(0)) : error;
      }
    }
  };
}

/** An error with something more on it, the way SDKs hang requests on theirs. */
function carrying(extra: (key: Uint8Array) => object): typeof MemoryKms {
  return failingWith((key) => Object.assign(new KeyfoldError('INVALID_CIPHERTEXT', 'The memory KMS refuses the wrap.'), extra(key)));
}

const text = (key: Uint8Array, encoding: BufferEncoding): string => Buffer.from(key).toString(encoding);

export const FAULTS: readonly Mutant[] = [
  ...NAMES.map((name) =>
    declared(
      `has another code for the fault "${name}"`,
      { faults: { ...MEMORY_FAULTS, [name]: failing('INVALID_CIPHERTEXT') } },
      [`fault.${name}`, ...HEALTH.filter((id) => id === `health.${name}`)],
    ),
  ),
  broken('rejects tests of the connection', RejectsTests, UNGUARDED),
  broken('reports no code', reporting(({ reachable, permitted, keyEnabled, roundTrip }) => ({ reachable, permitted, keyEnabled, roundTrip })), HEALTH),
  broken('reports a round trip that was none', reporting((health) => ({ ...health, roundTrip: true })), HEALTH),
  broken('reports nothing but the round trip', reporting((health) => ({ ...health, ...flags })), ['denied', 'disabled', 'notFound', 'refused', 'reset', 'unauthenticated'].map((name) => `health.${name}`)),
  broken('reports that nothing is reachable', reporting((health) => (health.roundTrip ? health : { ...health, reachable: false })), ['denied', 'disabled', 'wrongUsage'].map((name) => `health.${name}`)),
  broken('reports a round trip that failed when all is well', reporting((health) => ({ ...health, roundTrip: false })), ['abort.never', 'health.well', ...HEALTH]),
  broken('has another code when it lists versions', MisnamesInLists, ['fault.throttled']),
  broken('never gets over a refusal', HoldsAGrudge, ['fault.denied']),
  broken('throws what is no KeyfoldError', failingWith(() => new Error('The wrap is damaged.')), [
    ...['context.added', 'context.alike', 'context.changed', 'context.removed'],
    ...['tamper.algorithm', 'tamper.extend', 'tamper.flip', 'tamper.other-key', 'tamper.truncate', 'error.typed'],
  ]),
  broken('says nothing', saying('failed'), ['error.typed']),
  broken('says what it did not look at', saying('The wrap undefined is damaged.'), ['error.typed']),
  broken('says the password', saying(`The password ${CREDENTIAL} is of no use.`), ['error.credentials']),
  broken('reports the password', reporting((health) => (health.problem === undefined ? health : { ...health, problem: { ...health.problem, message: `Sent ${text(Buffer.from(CREDENTIAL), 'base64')}.` } })), ['error.credentials']),
  broken('has the key in its message', failingWith((key) => new KeyfoldError('INVALID_CIPHERTEXT', `Not opened: ${text(key, 'hex')}.`)), ['error.secrets']),
  broken('has the key in the cause', carrying((key) => ({ cause: { request: { body: Uint8Array.from(key) } } })), ['error.secrets']),
  broken('has the key as base64 in a request', carrying((key) => ({ request: { body: JSON.stringify({ Plaintext: text(key, 'base64') }) } })), ['error.secrets']),
  broken('has the key in a hidden property', carrying((key) => Object.defineProperty({ $response: {} }, '$response', { enumerable: true, value: new Map([['key', { list: [...key] }]]) })), ['error.secrets']),
  broken('has a part of the key', carrying((key) => ({ beginning: text(key.subarray(5, 13), 'base64url') })), ['error.secrets']),
  broken('opens what is damaged', class extends MemoryKms {
    override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
      return super.decrypt(wrapped, options).catch((error: unknown) => {
        if (isKeyfoldError(error, 'INVALID_CIPHERTEXT')) return new Uint8Array(32);
        throw error;
      });
    }
  }, [
    ...['context.added', 'context.alike', 'context.changed', 'context.removed'],
    ...['tamper.algorithm', 'tamper.extend', 'tamper.flip', 'tamper.other-key', 'tamper.truncate', ...ERROR_CASES],
  ]),
];
