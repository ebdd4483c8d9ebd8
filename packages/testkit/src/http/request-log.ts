/** A request that a local server received: who asked for what, and what became of it. Never a key or a plaintext. */
export interface LoggedRequest {
  /** When the request came in, Unix milliseconds by the clock that judges signatures. */
  readonly at: number;
  /** The request id that the answer carries. */
  readonly requestId: string;
  /** The operation by its name in the service's API, as the client asked for it. */
  readonly operation: string;
  /** Who asked, if the request could be authenticated. */
  readonly principal: string | undefined;
  /** The region that the request was signed for, if it could be authenticated. */
  readonly region: string | undefined;
  /** The full names of the keys that the request used, as far as it got. */
  readonly keys: readonly string[];
  /** The encryption context, where the operation has one. */
  readonly encryptionContext: Readonly<Record<string, string>> | undefined;
  /** `ok`, the error code of the answer, or `no answer` when a fault withheld it. */
  readonly outcome: string;
  /** The HTTP status of the answer; undefined without one. */
  readonly status: number | undefined;
  /** The kind of the fault that the request met, latency apart. */
  readonly fault: string | undefined;
}

/** The requests of a local server, oldest first, so that tests can count calls. */
export class RequestLog {
  #entries: LoggedRequest[] = [];

  /** All requests that were answered or withheld, oldest first; those of one operation, if one is named. */
  list(operation?: string): readonly LoggedRequest[] {
    return this.#entries.filter((entry) => operation === undefined || entry.operation === operation);
  }

  /** How many there were. */
  count(operation?: string): number {
    return this.list(operation).length;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#entries = [];
  }

  /** For servers, not for tests. */
  add(entry: LoggedRequest): void {
    this.#entries.push(Object.freeze(entry));
  }
}
