import { isUint8Array } from 'node:util/types';
import { KeyfoldError, isKeyfoldError, throwIfAborted } from '../errors.ts';
import type { Clock } from '../clock.ts';
import type {
  KeyVersion,
  KmsCallOptions,
  KmsCapabilities,
  KmsClient,
  KmsHealth,
  WrappedKey,
} from '../ports/kms-client.ts';
import type { Meter } from '../ports/metrics-sink.ts';

const DEK_BYTES = 32;
/** Beyond this a timer of Node fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** How a GuardedKmsClient measures and limits calls. */
export interface GuardOptions {
  readonly meter: Meter;
  readonly clock: Clock;
  /** Milliseconds that one call may take before it ends with KMS_UNAVAILABLE: 1..2,147,483,647. */
  readonly timeoutMs: number;
}

/** An answer of the provider's: checked before anybody sees it, zeroed when it comes too late. */
interface Answer<T> {
  readonly check: (answer: T) => void;
  readonly discard: (answer: T) => void;
}

type Signalled = { readonly signal?: AbortSignal | undefined } | undefined;

/**
 * Stands around every KmsClient, so that a provider only maps calls and errors:
 * ends calls that hang, measures them, lets nothing through that is no
 * KeyfoldError, and refuses answers that no KMS may give. Closing is left to
 * whoever made the client.
 */
export class GuardedKmsClient implements KmsClient {
  readonly #inner: KmsClient;
  readonly #options: GuardOptions;

  /** @throws KeyfoldError CONFIG_INVALID for a timeout outside its limits */
  constructor(inner: KmsClient, options: GuardOptions) {
    const { timeoutMs } = options;
    if (!(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) {
      throw new KeyfoldError('CONFIG_INVALID', `GuardedKmsClient: timeoutMs must be a number of 1 to ${MAX_TIMEOUT_MS}.`);
    }
    this.#inner = inner;
    this.#options = options;
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
    return this.#call('encrypt', options, (signal) => this.#inner.encrypt(plaintext, { ...options, signal }), {
      check: (wrapped) => {
        this.#checkWrap(wrapped);
      },
      discard: () => undefined,
    });
  }

  async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return this.#call('decrypt', options, (signal) => this.#inner.decrypt(wrapped, { ...options, signal }), {
      check: checkDek,
      discard: zero,
    });
  }

  async generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    return this.#call('generateDataKey', options, (signal) => this.#inner.generateDataKey({ ...options, signal }), {
      check: ({ plaintext, wrapped }) => {
        checkDek(plaintext);
        this.#checkWrap(wrapped);
      },
      discard: ({ plaintext }) => {
        zero(plaintext);
      },
    });
  }

  async currentKeyVersion(options?: Signalled): Promise<KeyVersion> {
    return this.#call('currentKeyVersion', options, (signal) => this.#inner.currentKeyVersion({ signal }));
  }

  async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    const gate = new AbortController();
    let iterator: AsyncIterator<KeyVersion> | undefined;
    const next = async (): Promise<IteratorResult<KeyVersion>> => {
      iterator ??= this.#inner.listKeyVersions({ signal: gate.signal })[Symbol.asyncIterator]();
      return iterator.next();
    };
    try {
      for (;;) {
        const step = await this.#call('listKeyVersions', options, next);
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      gate.abort();
      // Not waited for: behind a next() that hangs, return() hangs too.
      begin(() => iterator?.return?.()).catch(() => undefined);
    }
  }

  async rotateKey(options?: Signalled): Promise<KeyVersion> {
    return this.#call('rotateKey', options, (signal) => this.#inner.rotateKey({ signal }));
  }

  /** Reports a KMS that does not answer; rejects only with ABORTED. */
  async testConnection(options?: Signalled): Promise<KmsHealth> {
    try {
      return await this.#call('testConnection', options, (signal) => this.#inner.testConnection({ signal }));
    } catch (error) {
      if (!isKeyfoldError(error) || error.code === 'ABORTED') throw error;
      const problem = { code: error.code, message: error.message };
      return { reachable: false, permitted: false, keyEnabled: false, roundTrip: false, problem };
    }
  }

  /** Closes the guarded client. */
  async close(): Promise<void> {
    await this.#call('close', undefined, () => this.#inner.close());
  }

  /** One call: measured, and over at the latest when the caller aborts or the time is up. */
  async #call<T>(operation: string, options: Signalled, run: (signal: AbortSignal) => Promise<T>, answer?: Answer<T>): Promise<T> {
    throwIfAborted(options?.signal);
    const { clock, meter } = this.#options;
    const started = clock.now();
    const measure = (outcome: 'success' | 'failure'): void => {
      // A wall clock may have been set back meanwhile.
      meter.observe('kmsCallSeconds', Math.max(0, clock.now() - started) / 1000, { provider: this.provider, operation, outcome });
    };
    try {
      const result = await this.#bounded(options?.signal, run, answer?.discard);
      this.#refuseBad(result, answer);
      measure('success');
      return result;
    } catch (error) {
      measure('failure');
      throw isKeyfoldError(error)
        ? error
        : new KeyfoldError('KMS_UNAVAILABLE', `The ${this.provider} KMS failed in an unexpected way during ${operation}.`, { cause: error });
    }
  }

  #refuseBad<T>(result: T, answer: Answer<T> | undefined): void {
    try {
      answer?.check(result);
    } catch (error) {
      discardQuietly(result, answer?.discard);
      throw isKeyfoldError(error)
        ? error
        : new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${this.provider} KMS answered something that is no key or wrap.`, { cause: error });
    }
  }

  /** Ends on time even when the provider ignores its signal; a key that it gives later is zeroed. */
  async #bounded<T>(caller: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>, discard?: (late: T) => void): Promise<T> {
    const { timeoutMs } = this.#options;
    const gate = new AbortController();
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const stop = (error: KeyfoldError): void => {
        over = true;
        reject(error);
        gate.abort(error);
      };
      const onAbort = (): void => {
        stop(new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.'));
      };
      const timer = setTimeout(() => {
        stop(new KeyfoldError('KMS_UNAVAILABLE', `The ${this.provider} KMS did not answer within ${timeoutMs} ms. Check the network and the service's status, then try again.`));
      }, timeoutMs);
      caller?.addEventListener('abort', onAbort, { once: true });
      begin(() => run(gate.signal))
        .then((result) => {
          if (over) discardQuietly(result, discard);
          else resolve(result);
        }, reject)
        .finally(() => {
          clearTimeout(timer);
          caller?.removeEventListener('abort', onAbort);
        });
    });
  }

  #checkWrap(wrapped: WrappedKey): void {
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${this.provider} KMS wrapped under another key than the configured one.`);
    }
  }
}

function checkDek(dek: unknown): void {
  if (isUint8Array(dek) && dek.byteLength === DEK_BYTES) return;
  throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The KMS returned something else than a key of ${DEK_BYTES} bytes.`);
}

function zero(key: Uint8Array): void {
  key.fill(0);
}

/** Runs at once; what it throws at once becomes a rejection. */
function begin<T>(run: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((settle) => {
    settle(run());
  });
}

/** What a provider answers in defiance of its types may be anything. */
function discardQuietly<T>(answer: T, discard: ((answer: T) => void) | undefined): void {
  try {
    discard?.(answer);
  } catch {
    // No key, then.
  }
}
