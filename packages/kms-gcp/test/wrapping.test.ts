import { kmsAad } from '@keyfold/core/provider';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../src/crc32c.ts';
import { collect } from './support/collect.ts';
import { CONTEXT, OTHER_CONTEXT } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { administrator, bearer, open, startServer } from './support/server.ts';

test('CRC-32C is that of RFC 3720, and not the CRC-32 of node:zlib', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test('a wrap names the key, and the version that Encrypt says it used; the context is its AAD', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const kms = await open(server, name);
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  expect(wrapped).toMatchObject({ provider: 'gcp-kms', keyId: name, keyVersion: '1', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' });
  const admin = administrator(server);
  const [opened] = await admin.decrypt({ name, ciphertext: wrapped.ciphertext, additionalAuthenticatedData: kmsAad(CONTEXT) });
  expect(Buffer.from(opened.plaintext ?? '')).toEqual(Buffer.from(plaintext));
  await admin.close();
  await failure('INVALID_CIPHERTEXT', () => kms.decrypt(wrapped, { context: OTHER_CONTEXT }));
});

describe('trap: the SDK drops misspelt fields, verifies no checksum and looks at no name', () => {
  test.each([
    ['no word that the plaintext came whole', { kind: 'omit', members: ['verifiedPlaintextCrc32c'] }],
    ['no word that the context came whole', { kind: 'omit', members: ['verifiedAdditionalAuthenticatedDataCrc32c'] }],
    ['a wrap of other bytes', { kind: 'wrong-key' }],
    ['a wrap of fewer bytes', { kind: 'short-key' }],
    ['a wrong checksum of the wrap', { kind: 'wrong-crc' }],
    ['no checksum of the wrap', { kind: 'omit', members: ['ciphertextCrc32c'] }],
    ['no wrap', { kind: 'omit', members: ['ciphertext'] }],
    ['another key\'s name', { kind: 'wrong-key-id' }],
    ['no name', { kind: 'omit', members: ['name'] }],
  ] as const)('wrapping: %s is KMS_PROTOCOL_ERROR', async (_, fault) => {
    const server = await startServer();
    const kms = await open(server, server.createCryptoKey().name);
    server.faults.inject({ ...fault, operation: 'Encrypt', count: 2 });
    await failure('KMS_PROTOCOL_ERROR', () => kms.encrypt(new Uint8Array(32), { context: CONTEXT }));
    await failure('KMS_PROTOCOL_ERROR', () => kms.generateDataKey({ context: CONTEXT }));
    await kms.generateDataKey({ context: CONTEXT });
  });

  test.each([
    ['other bytes', { kind: 'wrong-key' }],
    ['fewer bytes', { kind: 'short-key' }],
    ['no bytes', { kind: 'short-key', bytes: 0 }],
    ['a wrong checksum', { kind: 'wrong-crc' }],
    ['no checksum', { kind: 'omit', members: ['plaintextCrc32c'] }],
    ['no key', { kind: 'omit', members: ['plaintext'] }],
  ] as const)('unwrapping: %s is KMS_PROTOCOL_ERROR', async (_, fault) => {
    const server = await startServer();
    const kms = await open(server, server.createCryptoKey().name);
    const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
    server.faults.inject({ ...fault, operation: 'Decrypt' });
    await failure('KMS_PROTOCOL_ERROR', () => kms.decrypt(wrapped, { context: CONTEXT }));
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test('every checksum is sent: the service refuses what was damaged on its way', async () => {
    const server = await startServer();
    const { name } = server.createCryptoKey();
    const real = administrator(server);
    await real.initialize();
    const damage = { plaintext: false, additionalAuthenticatedData: false, ciphertext: false };
    const damaged = <R extends object>(request: R): R =>
      Object.fromEntries(Object.entries(request).map(([field, value]) => [field, value instanceof Uint8Array && damage[field as keyof typeof damage] ? Buffer.concat([value, Buffer.of(1)]) : (value as unknown)])) as R;
    const client = Object.assign(administrator(server), {
      encrypt: (request: object, options: object) => real.encrypt(damaged(request), options),
      decrypt: (request: object, options: object) => real.decrypt(damaged(request), options),
    });
    const kms = await open(server, name, { client });
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    for (const [field, act] of [
      ['plaintext', () => kms.generateDataKey({ context: CONTEXT })],
      ['additionalAuthenticatedData', () => kms.generateDataKey({ context: CONTEXT })],
      ['additionalAuthenticatedData', () => kms.decrypt(wrapped, { context: CONTEXT })],
      ['ciphertext', () => kms.decrypt(wrapped, { context: CONTEXT })],
    ] as const) {
      damage[field] = true;
      await failure('KMS_PROTOCOL_ERROR', act);
      damage[field] = false;
    }
    await Promise.all([real.close(), client.close()]);
  });
});

test('a wrap of another algorithm, or of a length that there is not, is refused without a call', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
  const before = server.requests.count();
  for (const change of [{ algorithm: 'AES' }, { ciphertext: new Uint8Array(0) }, { ciphertext: new Uint8Array(4_097) }]) {
    await failure('INVALID_CIPHERTEXT', () => kms.decrypt({ ...wrapped, ...change }, { context: CONTEXT }));
  }
  expect(server.requests.count()).toBe(before);
});

test('the version in a record decides nothing: Cloud KMS is given the name of the key', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  expect(await kms.decrypt({ ...wrapped, keyVersion: '99' }, { context: CONTEXT })).toEqual(plaintext);
});

test('a key that was made to sign is INVALID_KEY_USAGE', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey({ purpose: 'ASYMMETRIC_SIGN' }).name);
  await failure('INVALID_KEY_USAGE', () => kms.generateDataKey({ context: CONTEXT }));
  await failure('INVALID_KEY_USAGE', () => kms.currentKeyVersion());
  expect(await kms.testConnection()).toMatchObject({ reachable: true, roundTrip: false, problem: { code: 'INVALID_KEY_USAGE' } });
});

test('each role may do what it is for, and no more', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const as = (...roles: ('roles/cloudkms.cryptoKeyEncrypter' | 'roles/cloudkms.cryptoKeyDecrypter' | 'roles/cloudkms.viewer')[]): ReturnType<typeof open> =>
    open(server, name, { clientOptions: { authClient: bearer(server.addPrincipal({ roles, resources: [name] })) } });
  const [writer, reader, both, viewer] = await Promise.all([
    as('roles/cloudkms.cryptoKeyEncrypter'), as('roles/cloudkms.cryptoKeyDecrypter'), as('roles/cloudkms.cryptoKeyEncrypter', 'roles/cloudkms.cryptoKeyDecrypter'), as('roles/cloudkms.viewer'),
  ]);
  const permissions = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeys.update', 'cloudkms.cryptoKeyVersions.create', 'cloudkms.cryptoKeyVersions.get', 'cloudkms.cryptoKeyVersions.list'];
  const rotator = await open(server, name, { clientOptions: { authClient: bearer(server.addPrincipal({ permissions, resources: [name] })) } });
  const { plaintext, wrapped } = await writer.generateDataKey({ context: CONTEXT });
  await failure('ACCESS_DENIED', () => writer.decrypt(wrapped, { context: CONTEXT }));
  await failure('ACCESS_DENIED', () => reader.generateDataKey({ context: CONTEXT }));
  expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  expect(await both.testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
  expect(await writer.testConnection()).toMatchObject({ reachable: true, permitted: false, problem: { code: 'ACCESS_DENIED' } });
  expect(await collect(viewer.listKeyVersions())).toHaveLength(1);
  await failure('ACCESS_DENIED', () => viewer.rotateKey());
  expect(await rotator.rotateKey()).toMatchObject({ id: '2', primary: true });
  await failure('ACCESS_DENIED', () => rotator.generateDataKey({ context: CONTEXT }));
});

test('testConnection() reports a key that comes back as another, and a test tenant that can be none', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const kms = await open(server, name);
  server.faults.inject({ kind: 'wrong-key', operation: 'Decrypt' });
  expect(await kms.testConnection()).toMatchObject({ reachable: true, roundTrip: false, problem: { code: 'KMS_PROTOCOL_ERROR' } });
  expect(await (await open(server, name, { testTenant: 'x'.repeat(257) })).testConnection()).toMatchObject({ roundTrip: false, problem: { code: 'INVALID_ARGUMENT' } });
});
