import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import * as sdk from '@aws-sdk/client-kms';
import { ERROR_CODES, type ErrorCode } from '@keyfold/core/provider';
import { awsError } from '../src/error-codes.ts';

const TABLE: readonly (readonly [ErrorCode, readonly string[]])[] = [
  ['KEY_NOT_FOUND', ['NotFoundException']],
  ['ACCESS_DENIED', ['AccessDeniedException']],
  ['AUTHENTICATION_FAILED', ['CredentialsProviderError', 'TokenProviderError', 'ExpiredToken', 'ExpiredTokenException', 'UnrecognizedClientException', 'InvalidSignatureException', 'InvalidClientTokenId', 'IncompleteSignature', 'MissingAuthenticationTokenException', 'RequestExpired', 'InvalidGrantTokenException', 'AccessDenied', 'IDPRejectedClaimException', 'InvalidIdentityTokenException', 'RegionDisabledException', 'UnauthorizedException', 'UnauthorizedClientException', 'InvalidClientException', 'InvalidGrantException']],
  ['KEY_DISABLED', ['DisabledException', 'KMSInvalidStateException']],
  ['KMS_THROTTLED', ['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'RequestLimitExceeded']],
  ['KMS_UNAVAILABLE', ['KMSInternalException', 'DependencyTimeoutException', 'KeyUnavailableException', 'TimeoutError', 'ServiceUnavailableException', 'InternalFailure', 'RequestTimeout', 'IDPCommunicationErrorException', 'InternalServerException']],
  ['INVALID_CIPHERTEXT', ['InvalidCiphertextException', 'IncorrectKeyException']],
  ['INVALID_KEY_USAGE', ['InvalidKeyUsageException', 'UnsupportedOperationException']],
  ['ROTATION_LIMIT', ['LimitExceededException']],
  ['CONFLICT', ['ConflictException', 'AlreadyExistsException']],
  ['CONFIG_INVALID', ['InvalidArnException', 'InvalidAliasNameException', 'ValidationException', 'MalformedPolicyDocumentException', 'TagException']],
];

describe('every error of AWS has one code', () => {
  test.each(TABLE.flatMap(([code, names]) => names.map((name) => [name, code] as const)))('%s is %s', (name, code) => {
    expect(awsError(Object.assign(new Error('x'), { name, $metadata: { httpStatusCode: 400 } }), 'Decrypt').code).toBe(code);
  });

  test.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EPROTO', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])(
    'the network error %s is KMS_UNAVAILABLE',
    (code) => {
      expect(awsError(Object.assign(new Error('x'), { code }), 'Decrypt').code).toBe('KMS_UNAVAILABLE');
    },
  );

  test.each([
    [500, 'KMS_UNAVAILABLE'], [503, 'KMS_UNAVAILABLE'], [429, 'KMS_THROTTLED'], [200, 'KMS_PROTOCOL_ERROR'], [403, 'KMS_PROTOCOL_ERROR'],
  ] as const)('a page of HTML with status %i, on which the SDK fails with a SyntaxError, is %s', (httpStatusCode, code) => {
    expect(awsError(Object.assign(new SyntaxError('Unexpected token <'), { $metadata: { httpStatusCode } }), 'Decrypt').code).toBe(code);
    expect(awsError(Object.assign(new SyntaxError('Unexpected token <'), { $response: { statusCode: httpStatusCode } }), 'Decrypt').code).toBe(code);
  });

  test('the SDK\'s error for a missing region is CONFIG_INVALID', () => {
    expect(awsError(new Error('Region is missing'), 'Decrypt').code).toBe('CONFIG_INVALID');
  });

  test.each([[undefined], [null], ['text'], [new Error('of no kind')], [Object.assign(new Error('x'), { name: '__proto__' })], [Object.assign(new Error('x'), { name: 'constructor' })]])(
    'what is unknown counts as the service\'s failure: %s',
    (error) => {
      expect(awsError(error, 'Decrypt').code).toBe('KMS_UNAVAILABLE');
    },
  );

  test('an error that refuses to be looked at is survived', () => {
    const hostile = new Proxy({}, { get: () => { throw new Error('no'); } });
    expect(awsError(hostile, 'Decrypt').code).toBe('KMS_UNAVAILABLE');
  });

  test('the SDK has no error for the operations used that the table leaves to chance', () => {
    const used = ['AlreadyExists', 'Conflict', 'DependencyTimeout', 'Disabled', 'IncorrectKey', 'InvalidAliasName', 'InvalidArn', 'InvalidCiphertext', 'InvalidGrantToken', 'InvalidKeyUsage', 'KMSInternal', 'KMSInvalidState', 'KeyUnavailable', 'LimitExceeded', 'MalformedPolicyDocument', 'NotFound', 'Tag', 'UnsupportedOperation'];
    const tested = new Set(TABLE.flatMap(([, names]) => names));
    for (const name of used) {
      expect(Object.keys(sdk)).toContain(`${name}Exception`);
      expect(tested).toContain(`${name}Exception`);
    }
  });
});

describe('an error that goes out', () => {
  test('says what failed and what helps, and carries nothing of the SDK\'s error', () => {
    const secret = 'c2VjcmV0LWtleS1pbi1jbGVhcg';
    const error = Object.assign(new Error(secret), { name: 'AccessDeniedException', $response: { body: secret }, $metadata: { httpStatusCode: 400, requestId: secret }, request: { body: { Plaintext: secret } } });
    const out = awsError(error, 'Encrypt');
    expect(out.message).toMatch(/^Encrypt by AWS KMS failed: .*check the key policy/);
    expect(out.cause).toEqual({ name: 'AccessDeniedException' });
    expect(inspect(out, { depth: 9, showHidden: true }) + JSON.stringify(out) + String(out.stack)).not.toContain(secret);
  });

  test('has a code of the closed set', () => {
    for (const [code] of TABLE) expect(ERROR_CODES).toContain(code);
  });
});
