import { KeyfoldError, type ErrorCode } from '@keyfold/core/provider';

type Entry = readonly [ErrorCode, string];

const AUTHENTICATION: Entry = ['AUTHENTICATION_FAILED', 'there are no credentials, or Google does not accept them; check GOOGLE_APPLICATION_CREDENTIALS or the service account, and the clock of this machine'];
const DENIED: Entry = ['ACCESS_DENIED', 'Google knows the caller and refuses, or there is no such key; check the IAM roles on the key, and its name'];
const NOT_FOUND: Entry = ['KEY_NOT_FOUND', 'there is no such key or version; check the name, project and location'];
const DISABLED: Entry = ['KEY_DISABLED', 'the key version is disabled, destroyed or not ready; look at its state in Cloud KMS'];
const USAGE: Entry = ['INVALID_KEY_USAGE', 'this kind of key cannot do that; a key of the purpose ENCRYPT_DECRYPT is needed'];
const INVALID: Entry = ['INVALID_CIPHERTEXT', 'the wrapped key is damaged, or belongs to another key or encryption context'];
const CONFIG: Entry = ['CONFIG_INVALID', 'Google refuses the form of the request; check the key name and endpoint'];
const THROTTLED: Entry = ['KMS_THROTTLED', 'too many requests for the quota of this project; slow down, or ask Google for a higher quota'];
const UNAVAILABLE: Entry = ['KMS_UNAVAILABLE', 'the service failed or did not answer in time; try again'];
const UNREACHABLE: Entry = ['KMS_UNAVAILABLE', 'the service could not be reached; check the network and endpoint'];
const PROTOCOL: Entry = ['KMS_PROTOCOL_ERROR', 'something answered in a way that Cloud KMS does not; look for a proxy or a wrong endpoint'];
const CORRUPTED: Entry = ['KMS_PROTOCOL_ERROR', 'the request arrived with another checksum than it was sent with; it was damaged on the way'];
const CONFLICT: Entry = ['CONFLICT', 'somebody else was first; read the state anew and try again'];

/** What a gRPC status means where the operation makes no difference (google.rpc.Code). */
const BY_GRPC_CODE: Readonly<Record<number, Entry>> = {
  1: UNAVAILABLE, // CANCELLED, and not by us
  2: UNAVAILABLE, // UNKNOWN
  4: UNAVAILABLE, // DEADLINE_EXCEEDED
  5: NOT_FOUND,
  6: CONFLICT, // ALREADY_EXISTS
  7: DENIED,
  8: THROTTLED, // RESOURCE_EXHAUSTED
  10: CONFLICT, // ABORTED
  11: CONFIG, // OUT_OF_RANGE
  12: PROTOCOL, // UNIMPLEMENTED
  13: UNAVAILABLE, // INTERNAL
  14: UNAVAILABLE,
  15: UNAVAILABLE, // DATA_LOSS
  16: AUTHENTICATION, // UNAUTHENTICATED
};

/** The same for HTTP, which the REST transport gives instead. 400 stands for two gRPC codes: its text decides. */
const BY_HTTP_STATUS: Readonly<Record<number, Entry>> = {
  401: AUTHENTICATION,
  403: DENIED,
  404: NOT_FOUND,
  408: UNAVAILABLE,
  409: CONFLICT,
  429: THROTTLED,
  499: UNAVAILABLE,
};

const FAILED_PRECONDITION = 9;
const INVALID_ARGUMENT = 3;
/** How google-auth-library and gRPC say that there is no token to send. */
const NO_CREDENTIALS = /default credentials|getting metadata from plugin|invalid_grant|no access(?:, refresh)? token|refresh token|unable to detect a project|impersonat|credential/i;
const NETWORK = /ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|socket hang up|network|fetch failed/i;

/**
 * Turns whatever the SDK throws into a typed error. The SDK's own error goes no
 * further: one of the REST transport carries the request, and with that a key in clear.
 * @param doing what failed, e.g. `Decrypt`
 */
export function gcpError(error: unknown, doing: string): KeyfoldError {
  const [code, reason] = classify(error, doing);
  return new KeyfoldError(code, `${doing} by Google Cloud KMS failed: ${reason}.`, { cause: error });
}

/** Whether an error says that credentials never left this machine. */
export function isUnsent(error: unknown): boolean {
  return numberOf(error, 'code') === undefined && numberOf(error, 'status') === undefined;
}

function classify(error: unknown, doing: string): Entry {
  const message = textOf(error, 'details') ?? textOf(error, 'message') ?? '';
  const code = numberOf(error, 'code');
  if (code === undefined || code === 2) {
    // No gRPC status, or that of a failure on this side of the wire.
    if (NETWORK.test(`${message} ${textOf(error, 'code') ?? ''}`)) return UNREACHABLE;
    if (NO_CREDENTIALS.test(message)) return AUTHENTICATION;
  }
  const status = code !== undefined && code >= 100 ? code : numberOf(error, 'status');
  if (code === INVALID_ARGUMENT || code === FAILED_PRECONDITION || status === 400) return refusedRequest(code, message, doing);
  if (code !== undefined && code < 100) return BY_GRPC_CODE[code] ?? UNAVAILABLE;
  return byStatus(status);
}

/** INVALID_ARGUMENT and FAILED_PRECONDITION, which are one and the same over HTTP. */
function refusedRequest(code: number | undefined, message: string, doing: string): Entry {
  if (/crc32c|checksum/i.test(message)) return CORRUPTED;
  if (/purpose|algorithm|protection level/i.test(message)) return USAGE;
  if (code === FAILED_PRECONDITION || /not enabled|current state|FAILED_PRECONDITION/i.test(message)) return DISABLED;
  return doing === 'Decrypt' ? INVALID : CONFIG;
}

function byStatus(status: number | undefined): Entry {
  if (status === undefined || status >= 500) return UNAVAILABLE;
  return BY_HTTP_STATUS[status] ?? PROTOCOL;
}

function numberOf(of: unknown, key: string): number | undefined {
  const value = property(of, key);
  const number = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
}

function textOf(of: unknown, key: string): string | undefined {
  const value = property(of, key);
  return typeof value === 'string' ? value : undefined;
}

/** Foreign errors may be anything; looking at one must not throw. */
function property(of: unknown, key: string): unknown {
  if (typeof of !== 'object' || of === null) return undefined;
  try {
    return (of as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}
