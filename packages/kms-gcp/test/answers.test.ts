import type { GcpKmsServer } from '@keyfold/testkit/gcp';
import { expect, onTestFinished, test } from 'vitest';
import type { GcpKmsApi } from '../src/index.ts';
import type { GcpKmsClient } from '../src/gcp-kms-client.ts';
import { collect } from './support/collect.ts';
import { CONTEXT, KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { administrator, open, startServer } from './support/server.ts';

/** A client of the user's that puts answers of its own in the place of Google's. */
async function answering(server: GcpKmsServer, name: string, answers: Partial<Record<keyof GcpKmsApi, unknown>>): Promise<GcpKmsClient> {
  const client = administrator(server);
  await client.initialize();
  onTestFinished(() => client.close());
  const fixed = Object.fromEntries(Object.entries(answers).map(([method, answer]) => [method, () => Promise.resolve(answer)]));
  return open(server, name, { client: Object.assign(client, fixed) });
}

const version = (id: string, more: object = {}): object => ({ name: `${KEY}/cryptoKeyVersions/${id}`, state: 'ENABLED', ...more });

test.each([
  ['nothing', {}, 'KMS_PROTOCOL_ERROR'],
  ['another key', { name: `${KEY}2`, purpose: 'ENCRYPT_DECRYPT', primary: version('1') }, 'KMS_PROTOCOL_ERROR'],
  ['a primary of another key', { name: KEY, purpose: 'ENCRYPT_DECRYPT', primary: { name: `${KEY}2/cryptoKeyVersions/1` } }, 'KMS_PROTOCOL_ERROR'],
  ['no purpose', { name: KEY, primary: version('1') }, 'INVALID_KEY_USAGE'],
  ['no primary', { name: KEY, purpose: 'ENCRYPT_DECRYPT', primary: null }, 'KEY_DISABLED'],
] as const)('an answer about %s is no current version', async (_, key, code) => {
  const server = await startServer();
  const kms = await answering(server, KEY, { getCryptoKey: [key] });
  await failure(code, () => kms.currentKeyVersion());
  await failure(code, () => kms.rotateKey());
});

test('states are those of the port, by name and by number; times are milliseconds', async () => {
  const server = await startServer();
  const states = [1, 'DISABLED', 'DESTROYED', 4, 'PENDING_GENERATION', 'GENERATION_FAILED', 'SOMETHING_NEW', 99, null];
  const versions = states.map((state, index) => version(String(index + 1), { state, createTime: { seconds: '1700000000', nanos: 5_000_000 } }));
  const kms = await answering(server, KEY, {
    getCryptoKey: [{ name: KEY, purpose: 1, primary: version('1') }],
    listCryptoKeyVersions: [[...versions, version('10', { createTime: { seconds: 'x' } }), version('11', { createTime: {} })], null],
  });
  const listed = await collect(kms.listKeyVersions());
  expect(listed.map(({ id, state, createdAt }) => [id, state, createdAt])).toEqual([
    ['11', 'enabled', undefined], ['10', 'enabled', undefined],
    ...['unknown', 'unknown', 'unknown', 'destroyed', 'disabled', 'disabled', 'destroyed', 'disabled', 'enabled'].map((state, index) => [String(9 - index), state, 1_700_000_000_005]),
  ]);
  expect(listed.filter(({ primary }) => primary).map(({ id }) => id)).toEqual(['1']);
});

test('many pages of versions are read to their end, and a service that repeats one is refused', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const admin = administrator(server);
  for (let i = 0; i < 120; i++) await admin.createCryptoKeyVersion({ parent: name });
  await admin.close();
  const kms = await open(server, name);
  const listed = await collect(kms.listKeyVersions());
  expect(listed.map(({ id }) => id)).toEqual(Array.from({ length: 121 }, (_, index) => String(121 - index)));
  const repeating = await answering(server, name, { listCryptoKeyVersions: [[], { pageToken: 'again' }] });
  await failure('KMS_PROTOCOL_ERROR', () => collect(repeating.listKeyVersions()));
});

test('a rotation believes no answer about another version', async () => {
  const server = await startServer({ generationMs: 60_000 });
  const { name } = server.createCryptoKey();
  const older = await answering(server, name, { updateCryptoKeyPrimaryVersion: [{ name, purpose: 'ENCRYPT_DECRYPT', primary: { name: `${name}/cryptoKeyVersions/1`, state: 'ENABLED' } }] });
  await failure('KMS_PROTOCOL_ERROR', () => older.rotateKey());
  const foreign = await answering(server, server.createCryptoKey().name, { createCryptoKeyVersion: [version('1')] });
  await failure('KMS_PROTOCOL_ERROR', () => foreign.rotateKey());
  const pending = { name: `${name}/cryptoKeyVersions/7`, state: 'PENDING_GENERATION', createTime: { seconds: String(Math.floor(Date.now() / 1_000)) } };
  const rotation = { listCryptoKeyVersions: [[pending], null] };
  const other = await answering(server, name, { ...rotation, getCryptoKeyVersion: [{ ...pending, name: `${name}/cryptoKeyVersions/8` }] });
  await failure('KMS_PROTOCOL_ERROR', () => other.rotateKey());
  const failed = await answering(server, name, { ...rotation, getCryptoKeyVersion: [{ ...pending, state: 'GENERATION_FAILED' }] });
  await failure('CONFLICT', () => failed.rotateKey());
});

test('a key that others keep rotating ends in CONFLICT', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const client = administrator(server);
  const real = administrator(server);
  onTestFinished(async () => {
    await Promise.all([client.close(), real.close()]);
  });
  Object.assign(client, {
    updateCryptoKeyPrimaryVersion: async (request: { name: string; cryptoKeyVersionId: string }) => {
      await real.createCryptoKeyVersion({ parent: name });
      return real.updateCryptoKeyPrimaryVersion(request);
    },
  });
  const kms = await open(server, name, { client });
  await failure('CONFLICT', () => kms.rotateKey());
});

test('testConnection() reports another key that has the right checksum, and a primary that is off', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  // The CRC-32C of 32 zero bytes (RFC 3720, B.4).
  const kms = await answering(server, name, { decrypt: [{ plaintext: Buffer.alloc(32), plaintextCrc32c: { value: String(0x8a9136aa) } }] });
  expect(await kms.testConnection()).toMatchObject({ reachable: true, roundTrip: false, problem: { code: 'KMS_PROTOCOL_ERROR' } });
  const off = await answering(server, name, { getCryptoKey: [{ name, purpose: 'ENCRYPT_DECRYPT', primary: { name: `${name}/cryptoKeyVersions/1`, state: 'DESTROYED' } }] });
  expect(await off.testConnection()).toMatchObject({ reachable: true, keyEnabled: false, problem: { code: 'KEY_DISABLED' } });
});

test('text in the place of bytes is no key', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const real = await open(server, name);
  const { wrapped } = await real.generateDataKey({ context: CONTEXT });
  const kms = await answering(server, name, { decrypt: [{ plaintext: 'AAAA', plaintextCrc32c: { value: 0 } }] });
  await failure('KMS_PROTOCOL_ERROR', () => kms.decrypt(wrapped, { context: CONTEXT }));
});

test('a key that comes when nobody waits any longer is overwritten', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const { wrapped } = await (await open(server, name)).generateDataKey({ context: CONTEXT });
  const client = administrator(server);
  onTestFinished(() => client.close());
  const plaintext = Buffer.alloc(32, 7);
  let answer: (late: unknown) => void = () => undefined;
  Object.assign(client, { decrypt: () => new Promise((resolve) => (answer = resolve)) });
  const kms = await open(server, name, { client });
  const controller = new AbortController();
  const waiting = failure('ABORTED', () => kms.decrypt(wrapped, { context: CONTEXT, signal: controller.signal }));
  await client.initialize();
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await waiting;
  answer([{ plaintext }]);
  await expect.poll(() => plaintext.every((byte) => byte === 0)).toBe(true);
});
