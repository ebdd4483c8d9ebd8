import { KeyfoldError, isKeyfoldError, throwIfAborted } from '@keyfold/core/provider';
import { awsError } from './error-codes.ts';
import type { AwsCallOptions, AwsKmsApi, AwsPage } from './sdk.ts';

/** Pages that one listing may take; AWS's own quotas end far below. */
const MAX_PAGES = 1_000;

/** What every operation takes. */
export interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The one place that calls the SDK: passes the caller's signal, and lets nothing
 * but Keyfold's errors out.
 */
export class KmsCalls {
  readonly #api: AwsKmsApi;
  readonly #owned: boolean;
  #closed = false;

  /** @param owned whether closing ends the SDK's client, i.e. whether it was made here */
  constructor(api: AwsKmsApi, owned: boolean) {
    this.#api = api;
    this.#owned = owned;
  }

  /** @throws KeyfoldError CLOSED, ABORTED, and what the error table gives */
  async call<T>(doing: string, { signal }: SignalOptions, run: (api: AwsKmsApi, options: AwsCallOptions) => Promise<T>): Promise<T> {
    this.requireOpen();
    throwIfAborted(signal);
    try {
      return await run(this.#api, signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      throwIfAborted(signal);
      this.requireOpen();
      // Its own, from within the SDK's client.
      throw isKeyfoldError(error) ? error : awsError(error, doing);
    }
  }

  /** Every page of a listing. A service that repeats itself is refused. */
  async *pages<T extends AwsPage>(
    doing: string,
    signals: SignalOptions,
    run: (api: AwsKmsApi, page: { Marker?: string }, options: AwsCallOptions) => Promise<T>,
  ): AsyncGenerator<T, void, undefined> {
    let marker: string | undefined;
    for (let count = 0; count < MAX_PAGES; count++) {
      const page = await this.call(doing, signals, (api, options) => run(api, marker === undefined ? {} : { Marker: marker }, options));
      yield page;
      if (page.Truncated !== true) return;
      if (page.NextMarker === undefined || page.NextMarker === marker) break;
      marker = page.NextMarker;
    }
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', `${doing} by AWS KMS does not come to an end: the service repeats its pages.`);
  }

  /** @throws KeyfoldError CLOSED */
  requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This AWS KMS client is closed.');
  }

  /** Ends what is under way, and the SDK's client if it was made here. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#owned) this.#api.destroy?.();
  }
}
