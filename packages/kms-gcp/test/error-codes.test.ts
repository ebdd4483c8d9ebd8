import { expect, test } from 'vitest';
import { gcpError } from '../src/error-codes.ts';

const GRPC: readonly [number, string][] = [
  [1, 'KMS_UNAVAILABLE'], [2, 'KMS_UNAVAILABLE'], [3, 'CONFIG_INVALID'], [4, 'KMS_UNAVAILABLE'], [5, 'KEY_NOT_FOUND'], [6, 'CONFLICT'], [7, 'ACCESS_DENIED'],
  [8, 'KMS_THROTTLED'], [9, 'KEY_DISABLED'], [10, 'CONFLICT'], [11, 'CONFIG_INVALID'], [12, 'KMS_PROTOCOL_ERROR'], [13, 'KMS_UNAVAILABLE'], [14, 'KMS_UNAVAILABLE'],
  [15, 'KMS_UNAVAILABLE'], [16, 'AUTHENTICATION_FAILED'], [17, 'KMS_UNAVAILABLE'],
];

test.each(GRPC)('the gRPC status %i is %s', (code, expected) => {
  expect(gcpError({ code, details: 'said so' }, 'Encrypt').code).toBe(expected);
});

const HTTP: readonly [number, string][] = [
  [400, 'CONFIG_INVALID'], [401, 'AUTHENTICATION_FAILED'], [403, 'ACCESS_DENIED'], [404, 'KEY_NOT_FOUND'], [408, 'KMS_UNAVAILABLE'], [409, 'CONFLICT'],
  [418, 'KMS_PROTOCOL_ERROR'], [429, 'KMS_THROTTLED'], [499, 'KMS_UNAVAILABLE'], [500, 'KMS_UNAVAILABLE'], [503, 'KMS_UNAVAILABLE'], [504, 'KMS_UNAVAILABLE'],
];

test.each(HTTP)('trap: the REST transport gives HTTP statuses instead; %i is %s, in whichever member it stands', (status, expected) => {
  for (const error of [{ code: status }, { code: String(status) }, { status }, { status, code: 'ERR_BAD_REQUEST' }]) {
    expect(gcpError({ ...error, message: 'said so' }, 'Encrypt').code).toBe(expected);
  }
});

const WORDS: readonly [object, string, string][] = [
  [{ code: 3 }, 'Decrypt', 'INVALID_CIPHERTEXT'],
  [{ status: 400, message: 'Decryption failed: verify that \'name\' refers to the correct CryptoKey.' }, 'Decrypt', 'INVALID_CIPHERTEXT'],
  [{ code: 3, details: 'The checksum in field plaintext_crc32c did not match the data in field plaintext.' }, 'Encrypt', 'KMS_PROTOCOL_ERROR'],
  [{ code: 3, details: 'The checksum in field ciphertext_crc32c did not match the data in field ciphertext.' }, 'Decrypt', 'KMS_PROTOCOL_ERROR'],
  [{ code: 3, details: 'K has the purpose ASYMMETRIC_SIGN.' }, 'Decrypt', 'INVALID_KEY_USAGE'],
  [{ code: 9, details: 'K has the purpose MAC.' }, 'Encrypt', 'INVALID_KEY_USAGE'],
  [{ code: 9, details: 'V is not enabled, current state is: DESTROYED.' }, 'Decrypt', 'KEY_DISABLED'],
  [{ status: 400, message: 'V is not enabled, current state is: DISABLED.' }, 'Decrypt', 'KEY_DISABLED'],
  [{ message: 'Could not load the default credentials. Browse to https://cloud.google.com' }, 'Encrypt', 'AUTHENTICATION_FAILED'],
  [{ code: 2, details: 'Getting metadata from plugin failed with error: invalid_grant' }, 'Encrypt', 'AUTHENTICATION_FAILED'],
  [{ code: 2, details: 'Getting metadata from plugin failed with error: getaddrinfo ENOTFOUND oauth2.googleapis.com' }, 'Encrypt', 'KMS_UNAVAILABLE'],
  [{ code: 'ECONNREFUSED', message: 'connect' }, 'Encrypt', 'KMS_UNAVAILABLE'],
  [{ message: 'request failed' }, 'Encrypt', 'KMS_UNAVAILABLE'],
];

test.each(WORDS)('%j of %s is %s', (error, doing, expected) => {
  expect(gcpError(error, doing).code).toBe(expected);
});

test.each([undefined, null, 'The client has already been closed.', 7, new Proxy({}, { get: () => { throw new Error('no'); } })])('what is no error at all is KMS_UNAVAILABLE', (error) => {
  expect(gcpError(error, 'Encrypt').code).toBe('KMS_UNAVAILABLE');
});

test('nothing of the SDK\'s error but its name and code goes on: it may carry the request', () => {
  const foreign = Object.assign(new Error('hunter2'), { name: 'GaxiosError', status: 503, code: '503x hunter2', config: { data: 'hunter2' } });
  const error = gcpError(foreign, 'Encrypt');
  expect(error.cause).toEqual({ name: 'GaxiosError' });
  expect(JSON.stringify(error) + String(error.stack)).not.toContain('hunter2');
});
