import { KeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { CKR } from '../../src/pkcs11/constants.ts';
import { isAmbiguous, isLoss, isRefusedPin, isStale, returnValue, tokenError } from '../../src/pkcs11/error-codes.ts';

/** As the binding throws it. */
function thrown(value: number): Error {
  return Object.assign(new Error('CKR_SOMETHING'), { name: 'Pkcs11Error', code: value });
}

describe('an error of a token', () => {
  it.each([
    ['PIN_INCORRECT', 'AUTHENTICATION_FAILED'],
    ['PIN_INVALID', 'AUTHENTICATION_FAILED'],
    ['PIN_LEN_RANGE', 'AUTHENTICATION_FAILED'],
    ['PIN_EXPIRED', 'AUTHENTICATION_FAILED'],
    ['PIN_LOCKED', 'AUTHENTICATION_FAILED'],
    ['USER_PIN_NOT_INITIALIZED', 'AUTHENTICATION_FAILED'],
    ['USER_ANOTHER_ALREADY_LOGGED_IN', 'AUTHENTICATION_FAILED'],
    ['TOKEN_NOT_PRESENT', 'KMS_UNAVAILABLE'],
    ['TOKEN_NOT_RECOGNIZED', 'KMS_UNAVAILABLE'],
    ['DEVICE_REMOVED', 'KMS_UNAVAILABLE'],
    ['DEVICE_ERROR', 'KMS_UNAVAILABLE'],
    ['SESSION_HANDLE_INVALID', 'KMS_UNAVAILABLE'],
    ['SESSION_CLOSED', 'KMS_UNAVAILABLE'],
    ['USER_NOT_LOGGED_IN', 'KMS_UNAVAILABLE'],
    ['CRYPTOKI_NOT_INITIALIZED', 'KMS_UNAVAILABLE'],
    ['SLOT_ID_INVALID', 'KMS_UNAVAILABLE'],
    ['GENERAL_ERROR', 'KMS_UNAVAILABLE'],
    ['FUNCTION_FAILED', 'KMS_UNAVAILABLE'],
    ['SESSION_COUNT', 'KMS_THROTTLED'],
    ['DEVICE_MEMORY', 'LIMIT_EXCEEDED'],
    ['ENCRYPTED_DATA_INVALID', 'INVALID_CIPHERTEXT'],
    ['ENCRYPTED_DATA_LEN_RANGE', 'INVALID_CIPHERTEXT'],
    ['AEAD_DECRYPT_FAILED', 'INVALID_CIPHERTEXT'],
    ['WRAPPED_KEY_INVALID', 'INVALID_CIPHERTEXT'],
    ['WRAPPED_KEY_LEN_RANGE', 'INVALID_CIPHERTEXT'],
    ['KEY_HANDLE_INVALID', 'KEY_NOT_FOUND'],
    ['OBJECT_HANDLE_INVALID', 'KEY_NOT_FOUND'],
    ['WRAPPING_KEY_HANDLE_INVALID', 'KEY_NOT_FOUND'],
    ['UNWRAPPING_KEY_HANDLE_INVALID', 'KEY_NOT_FOUND'],
    ['MECHANISM_INVALID', 'INVALID_KEY_USAGE'],
    ['MECHANISM_PARAM_INVALID', 'INVALID_KEY_USAGE'],
    ['KEY_FUNCTION_NOT_PERMITTED', 'INVALID_KEY_USAGE'],
    ['KEY_TYPE_INCONSISTENT', 'INVALID_KEY_USAGE'],
    ['KEY_SIZE_RANGE', 'INVALID_KEY_USAGE'],
    ['FUNCTION_NOT_SUPPORTED', 'INVALID_KEY_USAGE'],
    ['TEMPLATE_INCONSISTENT', 'INVALID_KEY_USAGE'],
    ['TOKEN_WRITE_PROTECTED', 'ACCESS_DENIED'],
    ['SESSION_READ_ONLY', 'ACCESS_DENIED'],
  ] as const)('CKR_%s is %s', (name, code) => {
    const error = tokenError(thrown(CKR[name]), 'Wrapping a key');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^Wrapping a key failed: .+ \(CKR 0x[0-9a-f]+\)\.$/);
    expect(error.cause).toEqual({ name: 'Pkcs11Error', code: CKR[name] });
  });

  it('that no table has is KMS_UNAVAILABLE and names its number', () => {
    expect(tokenError(thrown(0x8000_0001), 'x')).toMatchObject({ code: 'KMS_UNAVAILABLE', message: expect.stringContaining('0x80000001') as string });
  });

  it('of the binding itself is KMS_PROTOCOL_ERROR and does not repeat its text', () => {
    const error = tokenError(new TypeError('PIN 1234 has wrong type'), 'Logging in');
    expect(error.code).toBe('KMS_PROTOCOL_ERROR');
    expect(JSON.stringify([error.message, error.cause])).not.toContain('1234');
    expect(tokenError('text', 'x').code).toBe('KMS_PROTOCOL_ERROR');
  });

  it('that is typed already stays as it is', () => {
    const typed = new KeyfoldError('CONFLICT', 'x');
    expect(tokenError(typed, 'x')).toBe(typed);
    expect([isLoss(typed), isStale(typed), isAmbiguous(typed), isRefusedPin(typed)]).toEqual([false, false, false, false]);
  });

  it('is known by its number, wherever the binding put it', () => {
    expect(returnValue(thrown(5))).toBe(5);
    expect(returnValue(new Error('CKR_ATTRIBUTE_READ_ONLY:16'))).toBe(16);
    expect(returnValue(new Error('CKR_VENDOR_DEFINED:2147483649'))).toBe(0x8000_0001);
    expect(returnValue(Object.assign(new Error('x'), { code: 0 }))).toBeUndefined();
    expect(returnValue(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBeUndefined();
  });
});
