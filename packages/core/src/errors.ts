/**
 * Every way in which Keyfold can refuse, as one closed set. Branch on
 * `error.code`, never on `instanceof`: two copies of this package in one
 * process would break the latter.
 */
export const ERROR_CODES = [
  // The caller's side
  'INVALID_ARGUMENT', // a value passed to a call is not usable; nothing was done
  'CONFIG_INVALID', // the configuration contradicts itself or the machine
  'NOT_SUPPORTED', // a documented option that this version does not carry out
  'RANGE_INVALID', // a byte range outside the object
  'LIMIT_EXCEEDED', // larger than a limit of the specification or of the caller
  'ABORTED', // the caller's AbortSignal fired
  'CLOSED', // used after close() or dispose()
  // Objects
  'NOT_FOUND', // no such checkpoint or object
  'ALREADY_EXISTS', // refused to replace what is there
  'CONFLICT', // another writer came first; read again and retry
  'INTEGRITY_FAILURE', // damaged, altered, foreign, or opened under another identity
  // Storage
  'STORAGE_FULL', // no space or quota left
  'STORAGE_DENIED', // the storage refuses this process
  'STORAGE_FAILURE', // any other failure of the storage
  // Keys and the KMS
  'KEY_NOT_FOUND', // the KMS has no such key or version
  'KEY_NOT_ALLOWED', // no wrap in the record is by a key that the reader accepts
  'KEY_DISABLED', // the key exists and is switched off
  'KEY_EXPIRED', // the key version is older than the rotation policy permits
  'KEY_NOT_LOADED', // no data key in memory may do this now: await prime(), load() or the asynchronous call
  'ACCESS_DENIED', // the KMS knows the caller and refuses
  'AUTHENTICATION_FAILED', // wrong password, key file or credentials
  'INVALID_CIPHERTEXT', // the KMS refuses the wrapped key or its context
  'INVALID_KEY_USAGE', // the key is of a kind that cannot do this
  'ROTATION_LIMIT', // the KMS permits no further rotation of this key
  'KMS_THROTTLED', // too many calls
  'KMS_UNAVAILABLE', // unreachable, timed out or failing
  'KMS_PROTOCOL_ERROR', // the KMS answered something that no KMS may answer
  // Accountability
  'AUDIT_FAILED', // the audit sink did not take the event
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Survives two copies of this package in one process, unlike `instanceof`. */
const BRAND = Symbol.for('keyfold.error');

/**
 * The one error class. `message` is a sentence for the person at the screen and
 * never holds a key, plaintext, password or token. `cause` is reduced to
 * `name` and `code` of the foreign error (SDK errors carry request bodies).
 */
export class KeyfoldError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: redactCause(options.cause) });
    this.name = 'KeyfoldError';
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What a logger may print. */
  toJSON(): { name: string; code: ErrorCode; message: string } {
    return { name: this.name, code: this.code, message: this.message };
  }
}

/** Whether `error` is a {@link KeyfoldError}, and has `code` if one is given. */
export function isKeyfoldError(error: unknown, code?: ErrorCode): error is KeyfoldError {
  if (typeof error !== 'object' || error === null) return false;
  try {
    return BRAND in error && (code === undefined || (error as { code?: unknown }).code === code);
  } catch {
    return false; // a proxy that refuses to be looked at
  }
}

/** What remains of a foreign error: enough to look it up, nothing that it carried. */
export interface RedactedCause {
  readonly name: string;
  readonly code?: string | number;
}

/** A Keyfold error is safe as it is; of anything else only name and code are kept. */
function redactCause(cause: unknown): KeyfoldError | RedactedCause {
  if (isKeyfoldError(cause)) return cause;
  if (cause === null) return { name: 'null' };
  if (typeof cause !== 'object') return { name: typeof cause };
  const code = property(cause, 'code');
  return {
    name: identifier(property(cause, 'name')) ?? 'Error',
    ...(identifier(code) !== undefined || Number.isSafeInteger(code)
      ? { code: code as string | number }
      : {}),
  };
}

/** Getters and proxies may throw; building an error must not. */
function property(of: object, name: 'name' | 'code'): unknown {
  try {
    return (of as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** Names and codes are identifiers; anything longer or stranger may be data. */
function identifier(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(value) ? value : undefined;
}

/**
 * The single answer to everything that does not authenticate, whichever check
 * failed: an attacker learns nothing from it.
 */
export function integrityFailure(what: string): KeyfoldError {
  return new KeyfoldError(
    'INTEGRITY_FAILURE',
    `${what} does not open: it is damaged or truncated, was altered, is not what its name says, ` +
      'or belongs to another tenant or id. Check the tenant and id; if they are right, restore it from a backup.',
  );
}

/** Throws `ABORTED` when the caller's signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.');
  }
}
