import { isUint8Array } from 'node:util/types';
import type { Clock } from '../clock.ts';
import { ERROR_CODES, KeyfoldError, isKeyfoldError } from '../errors.ts';
import type { KeyVersion, KmsCallOptions, KmsCapabilities, KmsClient, KmsHealth, WrappedKey } from '../ports/kms-client.ts';
import type { Meter } from '../ports/metrics-sink.ts';
import { type DataKey, answersOf } from './answers.ts';
import { CallGuard } from './call-guard.ts';
import { listVersions } from './listing.ts';
import { type Jitter, type KmsRetryOptions, MAX_TIMEOUT_MS, RetryPolicy, isRetried, systemJitter } from './retry-policy.ts';
import { type Timers, systemTimers } from './timers.ts';

/** How a GuardedKmsClient measures, limits and repeats calls. */
export interface GuardOptions {
  readonly meter: Meter;
  readonly clock: Clock;
  /**
   * Milliseconds after which a call ends at the latest, with all its attempts
   * and the waits between them: 1..2,147,483,647. In a listing of key versions
   * every step is a call.
   */
  readonly timeoutMs: number;
  /** Default: three attempts. */
  readonly retry?: KmsRetryOptions | undefined;
  /** For tests: waits that are ended by hand. Default: the machine's timers. */
  readonly timers?: Timers | undefined;
  /** For tests: what is drawn between 0 and the longest wait. Default: the operating system's randomness. */
  readonly jitter?: Jitter | undefined;
}

type Signalled = { readonly signal?: AbortSignal | undefined } | undefined;

/**
 * Stands around every KmsClient, so that a provider only maps calls and errors:
 * ends calls that hang, repeats those that failed for a moment, measures every
 * attempt, lets nothing through that is no KeyfoldError, and refuses answers
 * that no KMS may give. Closing is left to whoever made the client. Stores and
 * vaults put their own around what they are given, so give them none.
 *
 * Repeated are KMS_UNAVAILABLE and KMS_THROTTLED; of rotateKey() only
 * KMS_THROTTLED, as a rotation that went unanswered may have happened. A call
 * that is given up ends with the error of its last attempt.
 */
export class GuardedKmsClient implements KmsClient {
  readonly #inner: KmsClient;
  readonly #calls: CallGuard;
  readonly #answers: ReturnType<typeof answersOf>;

  /** @throws KeyfoldError CONFIG_INVALID for a timeout or retry options outside their limits */
  constructor(inner: KmsClient, { meter, clock, timeoutMs, retry = {}, timers = systemTimers, jitter = systemJitter }: GuardOptions) {
    if (!(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) {
      throw new KeyfoldError('CONFIG_INVALID', `GuardedKmsClient: timeoutMs must be a number of 1 to ${MAX_TIMEOUT_MS}.`);
    }
    this.#inner = inner;
    this.#answers = answersOf(inner);
    this.#calls = new CallGuard({ provider: inner.provider, meter, clock, timers, timeoutMs, retry: new RetryPolicy(retry, timeoutMs, jitter) });
  }

  /** The guarded client's. */
  get provider(): string {
    return this.#inner.provider;
  }

  /** The guarded client's. */
  get keyId(): string {
    return this.#inner.keyId;
  }

  /** The guarded client's. */
  get capabilities(): KmsCapabilities {
    return this.#inner.capabilities;
  }

  async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const [key, context] = [copyOf(plaintext), { ...options.context }];
    const run = (signal: AbortSignal): Promise<WrappedKey> => this.#inner.encrypt(key, { context, signal });
    try {
      return await this.#calls.call({ operation: 'encrypt', signal: options.signal, run, answer: this.#answers.wrap });
    } finally {
      if (key !== plaintext) key.fill(0);
    }
  }

  async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const [own, context] = [{ ...wrapped, ciphertext: copyOf(wrapped.ciphertext) }, { ...options.context }];
    const run = (signal: AbortSignal): Promise<Uint8Array> => this.#inner.decrypt(own, { context, signal });
    return this.#calls.call({ operation: 'decrypt', signal: options.signal, run, answer: this.#answers.dek });
  }

  async generateDataKey(options: KmsCallOptions): Promise<DataKey> {
    const context = { ...options.context };
    const run = (signal: AbortSignal): Promise<DataKey> => this.#inner.generateDataKey({ context, signal });
    return this.#calls.call({ operation: 'generateDataKey', signal: options.signal, run, answer: this.#answers.dataKey });
  }

  async currentKeyVersion(options?: Signalled): Promise<KeyVersion> {
    return this.#calls.call({ operation: 'currentKeyVersion', signal: options?.signal, run: (signal) => this.#inner.currentKeyVersion({ signal }) });
  }

  /** Retried until the first version is out. */
  listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    return listVersions(this.#calls, (signal) => this.#inner.listKeyVersions({ signal }), options?.signal);
  }

  async rotateKey(options?: Signalled): Promise<KeyVersion> {
    return this.#calls.call({ operation: 'rotateKey', signal: options?.signal, run: (signal) => this.#inner.rotateKey({ signal }) });
  }

  /** Reports a KMS that does not answer; rejects only with ABORTED. */
  async testConnection(options?: Signalled): Promise<KmsHealth> {
    let reported: KmsHealth | undefined;
    const run = async (signal: AbortSignal): Promise<KmsHealth> => {
      reported = undefined;
      const health = await this.#inner.testConnection({ signal });
      const failure = passing(health);
      if (failure === undefined) return health;
      reported = health;
      throw failure;
    };
    try {
      return await this.#calls.call({ operation: 'testConnection', signal: options?.signal, run });
    } catch (error) {
      if (!isKeyfoldError(error) || error.code === 'ABORTED') throw error;
      const problem = { code: error.code, message: error.message };
      return reported ?? { reachable: false, permitted: false, keyEnabled: false, roundTrip: false, problem };
    }
  }

  /** Closes the guarded client. */
  async close(): Promise<void> {
    await this.#calls.call({ operation: 'close', signal: undefined, run: () => this.#inner.close() });
  }
}

/** The caller may zero what it passed at once, and a later attempt needs it. What is no array of bytes is the provider's to refuse. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return isUint8Array(bytes) ? Uint8Array.from(bytes) : bytes;
}

/** The error of a test that reports, rather than rejects with, something that may pass. */
function passing({ problem }: KmsHealth): KeyfoldError | undefined {
  const code = ERROR_CODES.find((known) => known === problem?.code);
  return problem === undefined || !isRetried('testConnection', code) ? undefined : new KeyfoldError(code, problem.message);
}
