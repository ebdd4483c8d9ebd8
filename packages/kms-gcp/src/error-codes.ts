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
/** UNKNOWN: what gRPC makes of a failure on this side of the wire, such as a token that is not to be had. */
const UNKNOWN = 2;
/** How gRPC and google-auth-library say that there was no token to send with a call. */
const NO_TOKEN = /getting metadata from plugin failed|invalid_grant|default credentials/i;
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

/**
 * The same for what the SDK throws before it has credentials: whatever it is, the
 * service was not asked.
 */
export function credentialsError(error: unknown, doing: string): KeyfoldError {
  const [code, reason] = isNetwork(error) ? UNREACHABLE : AUTHENTICATION;
  return new KeyfoldError(code, `${doing} by Google Cloud KMS failed: ${reason}.`, { cause: error });
}

/** Whether the cause of an AUTHENTICATION_FAILED says that nothing was sent. */
export function isUnsent(cause: unknown): boolean {
  return [undefined, UNKNOWN].includes(numberOf(cause, 'code'));
}

function classify(error: unknown, doing: string): Entry {
  const message = messageOf(error);
  const code = numberOf(error, 'code');
  if ((code === undefined || code === UNKNOWN) && isNetwork(error)) return UNREACHABLE;
  if (NO_TOKEN.test(message)) return AUTHENTICATION;
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

function isNetwork(error: unknown): boolean {
  return NETWORK.test(`${messageOf(error)} ${textOf(error, 'code') ?? ''}`);
}

function messageOf(error: unknown): string {
  return textOf(error, 'details') ?? textOf(error, 'message') ?? '';
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
