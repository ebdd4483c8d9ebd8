import { KeyfoldError, type ErrorCode } from '@keyfold/core/provider';

type Entry = readonly [ErrorCode, string];

const AUTHENTICATION: Entry = ['AUTHENTICATION_FAILED', 'there are no credentials, or AWS does not accept them; check the profile, role, token and clock of this machine'];
const UNAVAILABLE: Entry = ['KMS_UNAVAILABLE', 'the service failed or did not answer in time; try again'];
const UNREACHABLE: Entry = ['KMS_UNAVAILABLE', 'the service could not be reached; check the network, region and endpoint'];
const THROTTLED: Entry = ['KMS_THROTTLED', 'too many requests for the quota of this account and region; slow down, or ask AWS for a higher quota'];
const INVALID: Entry = ['INVALID_CIPHERTEXT', 'the wrapped key is damaged, or belongs to another key or encryption context'];
const STATE: Entry = ['KEY_DISABLED', 'the key is disabled, being deleted or not ready; look at its state and enable it'];
const USAGE: Entry = ['INVALID_KEY_USAGE', 'this kind of key cannot do that; a symmetric encryption key (SYMMETRIC_DEFAULT) is needed'];
const CONFIG: Entry = ['CONFIG_INVALID', 'AWS refuses the form of the request; check the key id, region and endpoint'];

/** What AWS and its SDK call their errors, and what Keyfold calls them. */
const BY_NAME: Readonly<Record<string, Entry>> = {
  NotFoundException: ['KEY_NOT_FOUND', 'there is no such key or alias in this account and region; check the key id and region'],
  AccessDeniedException: ['ACCESS_DENIED', 'AWS knows the caller and refuses; check the key policy, the IAM policy and their encryption-context conditions'],
  CredentialsProviderError: AUTHENTICATION,
  TokenProviderError: AUTHENTICATION,
  ExpiredToken: AUTHENTICATION,
  ExpiredTokenException: AUTHENTICATION,
  RequestExpired: AUTHENTICATION,
  RequestInTheFuture: AUTHENTICATION,
  RequestTimeTooSkewed: AUTHENTICATION,
  UnrecognizedClientException: AUTHENTICATION,
  InvalidClientTokenId: AUTHENTICATION,
  InvalidSignatureException: AUTHENTICATION,
  SignatureDoesNotMatch: AUTHENTICATION,
  IncompleteSignature: AUTHENTICATION,
  IncompleteSignatureException: AUTHENTICATION,
  MissingAuthenticationToken: AUTHENTICATION,
  MissingAuthenticationTokenException: AUTHENTICATION,
  NotAuthorized: AUTHENTICATION,
  AuthFailure: AUTHENTICATION,
  OptInRequired: AUTHENTICATION,
  InvalidGrantTokenException: AUTHENTICATION,
  // What the services say that the SDK gets its credentials from (STS, IAM Identity Center); KMS itself denies by AccessDeniedException.
  AccessDenied: AUTHENTICATION,
  IDPRejectedClaimException: AUTHENTICATION,
  InvalidIdentityTokenException: AUTHENTICATION,
  RegionDisabledException: AUTHENTICATION,
  UnauthorizedException: AUTHENTICATION,
  UnauthorizedClientException: AUTHENTICATION,
  InvalidClientException: AUTHENTICATION,
  InvalidGrantException: AUTHENTICATION,
  IDPCommunicationErrorException: UNAVAILABLE,
  InternalServerException: UNAVAILABLE,
  DisabledException: STATE,
  KMSInvalidStateException: STATE,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  ThrottledException: THROTTLED,
  TooManyRequestsException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  KMSInternal: UNAVAILABLE,
  KMSInternalException: UNAVAILABLE,
  DependencyTimeout: UNAVAILABLE,
  DependencyTimeoutException: UNAVAILABLE,
  KeyUnavailable: UNAVAILABLE,
  KeyUnavailableException: UNAVAILABLE,
  InternalFailure: UNAVAILABLE,
  ServiceUnavailable: UNAVAILABLE,
  ServiceUnavailableException: UNAVAILABLE,
  RequestTimeout: UNAVAILABLE,
  RequestTimeoutException: UNAVAILABLE,
  TimeoutError: UNAVAILABLE,
  InvalidCiphertextException: INVALID,
  IncorrectKeyException: INVALID,
  InvalidKeyUsageException: USAGE,
  UnsupportedOperationException: USAGE,
  LimitExceededException: ['ROTATION_LIMIT', 'AWS permits no further rotation of this key, or no further key in this account; use the alias strategy, or ask AWS for a higher quota'],
  ConflictException: ['CONFLICT', 'an automatic rotation of this key is under way or begins within 20 minutes; try again afterwards'],
  AlreadyExistsException: ['CONFLICT', 'somebody else was first; read the state anew and try again'],
  InvalidArnException: CONFIG,
  InvalidAliasNameException: CONFIG,
  MalformedPolicyDocumentException: CONFIG,
  TagException: CONFIG,
  ValidationException: CONFIG,
  EndpointError: CONFIG,
};

/** Node's codes of a service that cannot be reached; TLS ones are matched by pattern. */
const NETWORK_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL',
  'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EPROTO', 'HPE_INVALID_CONSTANT', 'UND_ERR_SOCKET',
]);
const TLS_CODES = /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/**
 * Turns whatever the SDK throws into a typed error. The SDK's own error goes no
 * further: it carries the request, and with that a key in clear.
 * @param doing what failed, e.g. `Decrypt`
 */
export function awsError(error: unknown, doing: string): KeyfoldError {
  const [code, reason] = classify(error);
  return new KeyfoldError(code, `${doing} by AWS KMS failed: ${reason}.`, { cause: error });
}

function classify(error: unknown): Entry {
  const name = text(error, 'name');
  const known = name !== undefined && Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (known !== undefined) return known;
  const systemCode = text(error, 'code');
  if (systemCode !== undefined && (NETWORK_CODES.has(systemCode) || TLS_CODES.test(systemCode))) return UNREACHABLE;
  // The SDK's own errors for what was never configured have no name of their own.
  if (text(error, 'message')?.startsWith('Region is missing') === true) return ['CONFIG_INVALID', 'no region is configured; pass region, or a key ARN'];
  return classifyStatus(httpStatus(error));
}

/** A load balancer's page, say: the SDK fails on it with a SyntaxError, whatever its status. */
function classifyStatus(status: number | undefined): Entry {
  if (status === 429) return THROTTLED;
  if (status === undefined || status >= 500) return UNAVAILABLE;
  return ['KMS_PROTOCOL_ERROR', 'something answered in a way that AWS KMS does not; look for a proxy or a wrong endpoint'];
}

function httpStatus(error: unknown): number | undefined {
  for (const [holder, key] of [['$metadata', 'httpStatusCode'], ['$response', 'statusCode']] as const) {
    const status = property(property(error, holder), key);
    if (typeof status === 'number') return status;
  }
  return undefined;
}

function text(of: unknown, key: string): string | undefined {
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
