import { KeyfoldError, isKeyfoldError, type ErrorCode } from '@keyfold/core/provider';
import { CKR } from './constants.ts';

type Row = readonly [ErrorCode, string];

const GONE = 'the token is gone or was reset; the next call looks for it again';
const SESSION = 'the session is over, because the token was reset or the user was logged out; the next call opens another';
const CIPHERTEXT = 'the wrapped key is damaged, or was wrapped under another encryption context';
const USAGE = 'the key is of a kind, or the token of a make, that cannot do this';
const PIN_FORM = 'the token does not take a PIN of this length or these characters';

/** What a token returns, and what Keyfold calls it. */
const CODES: ReadonlyMap<number, Row> = new Map<number, Row>([
  [CKR.SLOT_ID_INVALID, ['KMS_UNAVAILABLE', GONE]],
  [CKR.DEVICE_ERROR, ['KMS_UNAVAILABLE', 'the token or the way to it has a fault; look at its own log']],
  [CKR.DEVICE_MEMORY, ['LIMIT_EXCEEDED', 'the token has no room left; destroy what is no longer needed']],
  [CKR.DEVICE_REMOVED, ['KMS_UNAVAILABLE', GONE]],
  [CKR.TOKEN_NOT_PRESENT, ['KMS_UNAVAILABLE', GONE]],
  [CKR.TOKEN_NOT_RECOGNIZED, ['KMS_UNAVAILABLE', GONE]],
  [CKR.SESSION_CLOSED, ['KMS_UNAVAILABLE', SESSION]],
  [CKR.SESSION_HANDLE_INVALID, ['KMS_UNAVAILABLE', SESSION]],
  [CKR.USER_NOT_LOGGED_IN, ['KMS_UNAVAILABLE', SESSION]],
  [CKR.CRYPTOKI_NOT_INITIALIZED, ['KMS_UNAVAILABLE', 'something in this process finalised the PKCS#11 module; the next call initialises it again']],
  [CKR.SESSION_COUNT, ['KMS_THROTTLED', 'the token has no session left; lower the option sessions here or in other processes']],
  [CKR.PIN_INCORRECT, ['AUTHENTICATION_FAILED', 'the PIN is wrong. It is not tried again, because tokens lock: correct it and open a new client']],
  [CKR.PIN_INVALID, ['AUTHENTICATION_FAILED', PIN_FORM]],
  [CKR.PIN_LEN_RANGE, ['AUTHENTICATION_FAILED', PIN_FORM]],
  [CKR.PIN_EXPIRED, ['AUTHENTICATION_FAILED', "the PIN has expired; set a new one with the token's own tool"]],
  [CKR.PIN_LOCKED, ['AUTHENTICATION_FAILED', 'the PIN is locked after too many wrong ones; the security officer has to set a new one']],
  [CKR.USER_PIN_NOT_INITIALIZED, ['AUTHENTICATION_FAILED', 'the token has no user PIN yet; the security officer has to set one']],
  [CKR.USER_ANOTHER_ALREADY_LOGGED_IN, ['AUTHENTICATION_FAILED', 'the security officer is logged in to the token in this process; log out first']],
  [CKR.ENCRYPTED_DATA_INVALID, ['INVALID_CIPHERTEXT', CIPHERTEXT]],
  [CKR.ENCRYPTED_DATA_LEN_RANGE, ['INVALID_CIPHERTEXT', CIPHERTEXT]],
  [CKR.AEAD_DECRYPT_FAILED, ['INVALID_CIPHERTEXT', CIPHERTEXT]],
  [CKR.WRAPPED_KEY_INVALID, ['INVALID_CIPHERTEXT', CIPHERTEXT]],
  [CKR.WRAPPED_KEY_LEN_RANGE, ['INVALID_CIPHERTEXT', CIPHERTEXT]],
  [CKR.KEY_HANDLE_INVALID, ['KEY_NOT_FOUND', 'the key is no longer on the token']],
  [CKR.OBJECT_HANDLE_INVALID, ['KEY_NOT_FOUND', 'the key is no longer on the token']],
  [CKR.WRAPPING_KEY_HANDLE_INVALID, ['KEY_NOT_FOUND', 'the key is no longer on the token']],
  [CKR.UNWRAPPING_KEY_HANDLE_INVALID, ['KEY_NOT_FOUND', 'the key is no longer on the token']],
  [CKR.KEY_FUNCTION_NOT_PERMITTED, ['INVALID_KEY_USAGE', 'the attributes of the key do not permit this']],
  [CKR.KEY_SIZE_RANGE, ['INVALID_KEY_USAGE', USAGE]],
  [CKR.KEY_TYPE_INCONSISTENT, ['INVALID_KEY_USAGE', USAGE]],
  [CKR.MECHANISM_INVALID, ['INVALID_KEY_USAGE', USAGE]],
  [CKR.MECHANISM_PARAM_INVALID, ['INVALID_KEY_USAGE', USAGE]],
  [CKR.FUNCTION_NOT_SUPPORTED, ['INVALID_KEY_USAGE', USAGE]],
  [CKR.TEMPLATE_INCONSISTENT, ['INVALID_KEY_USAGE', 'the token does not permit a key with these attributes']],
  [CKR.TOKEN_WRITE_PROTECTED, ['ACCESS_DENIED', 'the token is write-protected']],
  [CKR.SESSION_READ_ONLY, ['ACCESS_DENIED', 'the token gives read-only sessions alone']],
]);

/** After these nothing that was opened before is of use. */
const LOSSES: readonly number[] = [
  CKR.SLOT_ID_INVALID,
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.TOKEN_NOT_PRESENT,
  CKR.TOKEN_NOT_RECOGNIZED,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.USER_NOT_LOGGED_IN,
  CKR.CRYPTOKI_NOT_INITIALIZED,
];

/** What was known of the keys' handles or flags is out of date. */
const STALE: readonly number[] = [
  CKR.KEY_HANDLE_INVALID,
  CKR.OBJECT_HANDLE_INVALID,
  CKR.WRAPPING_KEY_HANDLE_INVALID,
  CKR.UNWRAPPING_KEY_HANDLE_INVALID,
  CKR.KEY_FUNCTION_NOT_PERMITTED,
];

/**
 * Turns what the binding threw into a typed error; a Keyfold error passes unchanged.
 * Texts of the binding are not repeated: only the number of the return value is.
 */
export function tokenError(error: unknown, doing: string): KeyfoldError {
  if (isKeyfoldError(error)) return error;
  const value = returnValue(error);
  if (value === undefined) {
    return new KeyfoldError('KMS_PROTOCOL_ERROR', `${doing} failed: the PKCS#11 binding refused the call.`, { cause: error });
  }
  const [code, reason] = CODES.get(value) ?? (['KMS_UNAVAILABLE', 'the token reports a failure that says no more; look at its own log'] as const);
  return new KeyfoldError(code, `${doing} failed: ${reason} (CKR 0x${value.toString(16)}).`, {
    cause: { name: 'Pkcs11Error', code: value },
  });
}

/** Whether the connection to the token has to be made anew. */
export function isLoss(error: unknown): boolean {
  return includes(LOSSES, error);
}

/** Whether a second look at the keys may help. */
export function isStale(error: unknown): boolean {
  return includes(STALE, error);
}

/** What tokens return both for a ciphertext that does not authenticate and for a fault of their own. */
export function isAmbiguous(error: unknown): boolean {
  return includes([CKR.GENERAL_ERROR, CKR.FUNCTION_FAILED], error);
}

/** Whether a PIN was tried and refused, so that it must not be tried again. */
export function isRefusedPin(error: unknown): boolean {
  return includes([CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE, CKR.PIN_EXPIRED, CKR.PIN_LOCKED], error);
}

/**
 * The CKR_* number of what the binding threw. Some of its methods throw an
 * error with `code`, some one whose message is `CKR_NAME:number`.
 */
export function returnValue(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'number' && error.code > 0) return error.code;
  const number = /^(?:CKR_\w+|Unknown error):(\d+)$/.exec(error.message)?.[1];
  return number === undefined ? undefined : Number(number);
}

function includes(values: readonly number[], error: unknown): boolean {
  const value = returnValue(error);
  return value !== undefined && values.includes(value);
}
