import { systemRandomSource } from '../crypto/random.ts';
import { type ErrorCode, KeyfoldError } from '../errors.ts';
import type { KmsClient } from '../ports/kms-client.ts';

/** What a KmsClient can be asked to do. */
export type KmsOperation = Exclude<keyof KmsClient, 'provider' | 'keyId' | 'capabilities'>;

/** How calls that failed for a moment are made again. Unknown members are refused. */
export interface KmsRetryOptions {
  /** How often a call is made at most, the first time included: 1..10; 1 retries nothing. Default 3. */
  readonly attempts?: number;
  /**
   * Milliseconds after which an attempt that has not answered is given up and
   * followed by another: 1..2,147,483,647. Attempts that none can follow may
   * take all the time that the call has left. Default: the call's timeout
   * divided by `attempts`.
   */
  readonly attemptTimeoutMs?: number;
  /** The longest first wait after KMS_UNAVAILABLE, in milliseconds: 0..60,000; doubled with every attempt. Default 100. */
  readonly baseDelayMs?: number;
  /** The same after KMS_THROTTLED, as quotas count by the second. Default 500. */
  readonly throttledDelayMs?: number;
  /** No wait is longer, in milliseconds: 0..60,000. Default 5,000. */
  readonly maxDelayMs?: number;
}

type RetriedCode = 'KMS_UNAVAILABLE' | 'KMS_THROTTLED';

/** No effect that a second time would repeat: the first data key or wrap is nobody's, and zeroed. */
const REPEATABLE: readonly RetriedCode[] = ['KMS_UNAVAILABLE', 'KMS_THROTTLED'];

/**
 * Which codes of which operations are retried, and no others: every other code
 * is an answer, which a second question does not change.
 */
const RETRIED: Readonly<Record<KmsOperation, readonly RetriedCode[]>> = {
  encrypt: REPEATABLE,
  decrypt: REPEATABLE,
  generateDataKey: REPEATABLE,
  currentKeyVersion: REPEATABLE,
  listKeyVersions: REPEATABLE,
  testConnection: REPEATABLE,
  // A rotation that went unanswered may have happened; one that was throttled has not.
  rotateKey: ['KMS_THROTTLED'],
  close: [],
};

/** Whether a call of that operation may be made again after that code. */
export function isRetried(operation: KmsOperation, code: string | undefined): code is RetriedCode {
  return RETRIED[operation].some((retried) => retried === code);
}

const MAX_ATTEMPTS = 10;
const MAX_DELAY_MS = 60_000;
/** Beyond this a timer of Node fires at once. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Draws a whole number of milliseconds from 0 to `limitMs`, each as likely as the others. */
export type Jitter = (limitMs: number) => number;

/** The operating system's randomness: processes that failed together do not come back together. */
export const systemJitter: Jitter = (limitMs) => {
  const draw = new DataView(Uint8Array.from(systemRandomSource.bytes(4)).buffer).getUint32(0);
  return Math.floor((draw / 2 ** 32) * (limitMs + 1));
};

/**
 * When a call is made again: exponential backoff with full jitter, i.e. before
 * retry n a wait that is drawn from 0 to min(maxDelay, delay * 2^(n-1)). Source:
 * M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The
 * defaults of the two delays are those of the AWS SDKs, whose cap of 20 s would
 * be longer than a whole call may take here.
 */
export class RetryPolicy {
  readonly attempts: number;
  readonly attemptTimeoutMs: number;
  readonly #delayMs: Readonly<Record<RetriedCode, number>>;
  readonly #maxDelayMs: number;
  readonly #jitter: Jitter;

  /** @throws KeyfoldError CONFIG_INVALID for members that are unknown or outside their limits */
  constructor(options: KmsRetryOptions, timeoutMs: number, jitter: Jitter) {
    refuseUnknown(options);
    const { attempts = 3, baseDelayMs = 100, throttledDelayMs = 500, maxDelayMs = 5_000 } = options;
    this.attempts = whole('attempts', attempts, 1, MAX_ATTEMPTS);
    const { attemptTimeoutMs = Math.max(1, Math.floor(timeoutMs / attempts)) } = options;
    this.attemptTimeoutMs = whole('attemptTimeoutMs', attemptTimeoutMs, 1, MAX_TIMEOUT_MS);
    this.#delayMs = {
      KMS_UNAVAILABLE: whole('baseDelayMs', baseDelayMs, 0, MAX_DELAY_MS),
      KMS_THROTTLED: whole('throttledDelayMs', throttledDelayMs, 0, MAX_DELAY_MS),
    };
    this.#maxDelayMs = whole('maxDelayMs', maxDelayMs, 0, MAX_DELAY_MS);
    this.#jitter = jitter;
  }

  /** Milliseconds to wait before the attempt after `attempt`, which ended with `code`; undefined when there is none. */
  delayAfter(operation: KmsOperation, attempt: number, code: ErrorCode): number | undefined {
    if (attempt >= this.attempts || !isRetried(operation, code)) return undefined;
    return this.#jitter(Math.min(this.#maxDelayMs, this.#delayMs[code] * 2 ** (attempt - 1)));
  }

  /** Milliseconds for this attempt alone; undefined when another could not follow a silence. */
  timeoutOf(operation: KmsOperation, attempt: number): number | undefined {
    return attempt < this.attempts && isRetried(operation, 'KMS_UNAVAILABLE') ? this.attemptTimeoutMs : undefined;
  }
}

const KNOWN = ['attempts', 'attemptTimeoutMs', 'baseDelayMs', 'throttledDelayMs', 'maxDelayMs'] as const satisfies readonly (keyof KmsRetryOptions)[];

function refuseUnknown(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalid(`The retry options are no object. Known are: ${KNOWN.join(', ')}.`);
  const unknown = Object.keys(options).find((name) => !KNOWN.some((known) => known === name));
  if (unknown !== undefined) throw invalid(`There is no retry option ${JSON.stringify(unknown)}. Known are: ${KNOWN.join(', ')}.`);
}

function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(`The retry option ${name} must be a whole number from ${min} to ${max}.`);
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', message);
}
