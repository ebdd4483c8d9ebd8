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

export interface GuardOptions {
  readonly meter: Meter;
  readonly clock: Clock;
  /** Milliseconds that one call may take before it ends with KMS_UNAVAILABLE. */
  readonly timeoutMs: number;
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

  constructor(inner: KmsClient, options: GuardOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get provider(): string {
    return this.#inner.provider;
  }

  get keyId(): string {
    return this.#inner.keyId;
  }

  get capabilities(): KmsCapabilities {
    return this.#inner.capabilities;
  }

  async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const wrapped = await this.#call('encrypt', options, (signal) => this.#inner.encrypt(plaintext, { ...options, signal }));
    return this.#ownWrap(wrapped);
  }

  async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return checkedDek(await this.#call('decrypt', options, (signal) => this.#inner.decrypt(wrapped, { ...options, signal })));
  }

  async generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    const { plaintext, wrapped } = await this.#call('generateDataKey', options, (signal) =>
      this.#inner.generateDataKey({ ...options, signal }),
    );
    return { plaintext: checkedDek(plaintext), wrapped: this.#ownWrap(wrapped) };
  }

  async currentKeyVersion(options?: Signalled): Promise<KeyVersion> {
    return this.#call('currentKeyVersion', options, (signal) => this.#inner.currentKeyVersion({ signal }));
  }

  async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    const iterator = this.#inner.listKeyVersions({ signal: options?.signal })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.#call('listKeyVersions', options, () => iterator.next());
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  async rotateKey(options?: Signalled): Promise<KeyVersion> {
    return this.#call('rotateKey', options, (signal) => this.#inner.rotateKey({ signal }));
  }

  async testConnection(options?: Signalled): Promise<KmsHealth> {
    return this.#call('testConnection', options, (signal) => this.#inner.testConnection({ signal }));
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  /** One call: measured, and over at the latest when the caller aborts or the time is up. */
  async #call<T>(operation: string, options: Signalled, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    throwIfAborted(options?.signal);
    const { clock, meter } = this.#options;
    const started = clock.now();
    try {
      const result = await this.#bounded(options?.signal, run);
      meter.observe('kmsCallSeconds', (clock.now() - started) / 1000, { provider: this.provider, operation, outcome: 'success' });
      return result;
    } catch (error) {
      meter.observe('kmsCallSeconds', (clock.now() - started) / 1000, { provider: this.provider, operation, outcome: 'failure' });
      throw isKeyfoldError(error)
        ? error
        : new KeyfoldError('KMS_UNAVAILABLE', `The ${this.provider} KMS failed in an unexpected way during ${operation}.`, { cause: error });
    }
  }

  /** Ends on time even when the provider ignores its signal. */
  async #bounded<T>(caller: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    const gate = new AbortController();
    return new Promise<T>((resolve, reject) => {
      const stop = (error: KeyfoldError): void => {
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
      run(gate.signal)
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer);
          caller?.removeEventListener('abort', onAbort);
        });
    });
  }

  #ownWrap(wrapped: WrappedKey): WrappedKey {
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${this.provider} KMS wrapped under another key than the configured one.`);
    }
    return wrapped;
  }
}

function checkedDek(dek: Uint8Array): Uint8Array {
  if (dek.byteLength === DEK_BYTES) return dek;
  dek.fill(0);
  throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The KMS returned a key of ${dek.byteLength} bytes instead of ${DEK_BYTES}.`);
}
