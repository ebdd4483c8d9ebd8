import { KeyfoldError, isKeyfoldError, throwIfAborted } from '@keyfold/core/provider';
import { CallEnd } from './call-end.ts';
import { credentialsError, gcpError } from './error-codes.ts';
import type { Connection, Ready } from './connection.ts';
import type { GcpCallOptions, GcpKmsApi } from './sdk.ts';

/** What every operation takes. */
export interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The one place that calls the SDK: ends calls on time, when the caller aborts and
 * when the client is closed, and lets nothing but Keyfold's errors out.
 */
export class KmsCalls {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #underWay = new Set<CallEnd>();
  #closed = false;

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws KeyfoldError CLOSED, ABORTED, and what the error table gives */
  async call<T>(doing: string, { signal }: SignalOptions, run: (api: GcpKmsApi, options: GcpCallOptions) => Promise<T>): Promise<T> {
    this.requireOpen();
    throwIfAborted(signal);
    const end = new CallEnd(signal, this.#timeoutMs);
    this.#underWay.add(end);
    try {
      const { api, headers } = await end.orEnd(this.#ready(doing));
      return await end.orEnd(run(api, this.#callOptions(headers, end.signal)), wipe);
    } catch (error) {
      throwIfAborted(signal);
      this.requireOpen();
      if (isKeyfoldError(error)) throw error;
      throw gcpError(error, doing);
    } finally {
      this.#underWay.delete(end);
      end.clear();
    }
  }

  /** @throws KeyfoldError CLOSED */
  requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This Google Cloud KMS client is closed.');
  }

  /** Ends what is under way, and the SDK's client if it was made here and nobody else has it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#underWay) end.come();
    await this.#connection.close();
  }

  async #ready(doing: string): Promise<Ready> {
    try {
      return await this.#connection.ready();
    } catch (error) {
      throw isKeyfoldError(error) ? error : credentialsError(error, doing);
    }
  }

  #callOptions(headers: Readonly<Record<string, string>>, signal: AbortSignal): GcpCallOptions {
    return {
      timeout: this.#timeoutMs,
      retry: null,
      autoPaginate: false,
      otherArgs: { headers: { ...headers }, options: { interceptors: [cancelOn(signal)] } },
    };
  }
}

/** The part of a gRPC call that cancels it. */
interface Cancellable {
  cancelWithStatus(status: number, details: string): void;
}

const CANCELLED = 1;

/**
 * Breaks a gRPC request off. The SDK's methods have no cancel(), but pass gRPC's
 * interceptors on; the REST transport ignores them, and its requests end by themselves.
 */
function cancelOn(signal: AbortSignal): <C extends Cancellable>(options: object, next: (options: object) => C) => C {
  return (options, next) => {
    const call = next(options);
    const cancel = (): void => {
      call.cancelWithStatus(CANCELLED, 'nobody waits any longer');
    };
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
    return call;
  };
}

/** A key that comes when nobody waits any longer. */
function wipe(answer: unknown): void {
  const { plaintext } = (Array.isArray(answer) ? Object(answer[0]) : {}) as { plaintext?: unknown };
  if (plaintext instanceof Uint8Array) plaintext.fill(0);
}
