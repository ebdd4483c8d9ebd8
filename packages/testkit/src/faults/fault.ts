/** What a fault does to the request that it meets. */
export type FaultEffect =
  /** Waits before the request is carried out. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Answers with this HTTP status and error code, in the error shape of the service. */
  | { readonly kind: 'error'; readonly status: number; readonly code: string; readonly message?: string | undefined }
  /** Answers as the service does to a caller above its request rate. */
  | { readonly kind: 'throttle' }
  /** Answers 503 with an HTML page, as a load balancer in front of the service does. */
  | { readonly kind: 'html-503' }
  /** Answers that the caller's credentials have expired. */
  | { readonly kind: 'expired-credentials' }
  /** Never answers; the connection stays open until the client or the server closes it. */
  | { readonly kind: 'hang'; readonly when?: FaultMoment | undefined }
  /** Resets the connection instead of answering. */
  | { readonly kind: 'reset'; readonly when?: FaultMoment | undefined }
  /** Carries the request out, sends the headers and the first bytes of the answer, then resets the connection. */
  | { readonly kind: 'truncate'; readonly bytes?: number | undefined }
  /** Answers with other key bytes of the same length. */
  | { readonly kind: 'wrong-key' }
  /** Answers with the first bytes of the key only: 16, or as many as `bytes` says. */
  | { readonly kind: 'short-key'; readonly bytes?: number | undefined }
  /** Answers as if another key of the service had been used. */
  | { readonly kind: 'wrong-key-id' }
  /** Answers with checksums that are not those of the bytes beside them, where the service has checksums. */
  | { readonly kind: 'wrong-crc' }
  /** Leaves members out of the answer, as older services and other emulators do. */
  | { readonly kind: 'omit'; readonly members: readonly string[] };

/** Whether the request is carried out before its answer is lost: `before` (the default) or `after`. */
export type FaultMoment = 'before' | 'after';

/** Which requests a fault meets. */
export interface FaultScope {
  /** The operation by its name in the service's API; every operation when left out. */
  readonly operation?: string | undefined;
  /** How many matching requests pass unharmed first; 0 when left out. */
  readonly after?: number | undefined;
  /** How many requests it meets after that; 1 when left out, `'always'` until it is removed. */
  readonly count?: number | 'always' | undefined;
}

/** A fault on request: an effect, and the requests that it meets. */
export type Fault = FaultEffect & FaultScope;

/** The name of an effect. */
export type FaultKind = FaultEffect['kind'];
