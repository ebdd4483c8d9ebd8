import { ManualClock } from '@keyfold/core/testing';
import type { GcpKmsServer } from '@keyfold/testkit/gcp';
import { expect, onTestFinished, test } from 'vitest';
import { collect } from './support/collect.ts';
import { CONTEXT } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { administrator, open, startServer } from './support/server.ts';

const DAY = 24 * 3_600_000;

function operations(server: GcpKmsServer): string[] {
  return server.requests.list().map(({ operation }) => operation);
}

function admin(server: GcpKmsServer): ReturnType<typeof administrator> {
  const client = administrator(server);
  onTestFinished(() => client.close());
  return client;
}

test('a rotation makes a version and then the primary of it; old wraps open', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  server.requests.clear();
  const version = await kms.rotateKey();
  expect(version).toMatchObject({ id: '2', state: 'enabled', primary: true });
  expect(operations(server)).toEqual(['GetCryptoKey', 'ListCryptoKeyVersions', 'CreateCryptoKeyVersion', 'UpdateCryptoKeyPrimaryVersion', 'ListCryptoKeyVersions']);
  expect(await kms.currentKeyVersion()).toEqual(version);
  expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe('2');
  expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
});

test('a version of an HSM is waited for: it wraps nothing before it is enabled', async () => {
  const clock = new ManualClock(Date.now());
  const server = await startServer({ clock, generationMs: 5_000 });
  const { name } = server.createCryptoKey({ protectionLevel: 'HSM' });
  const kms = await open(server, name, { clock, rotation: { strategy: 'new-version', pollMs: 5 } });
  await failure('KEY_DISABLED', () => kms.generateDataKey({ context: CONTEXT }));
  clock.advance(5_000);
  await kms.generateDataKey({ context: CONTEXT });
  const rotating = kms.rotateKey();
  await expect.poll(() => server.requests.count('GetCryptoKeyVersion')).toBeGreaterThan(2);
  expect(server.requests.count('UpdateCryptoKeyPrimaryVersion')).toBe(0);
  expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe('1');
  clock.advance(5_000);
  expect(await rotating).toMatchObject({ id: '2', state: 'enabled' });
});

test('a wait for an HSM ends with the caller\'s signal, and the next rotation goes on with the version', async () => {
  const clock = new ManualClock(Date.now());
  const server = await startServer({ clock, generationMs: 5_000 });
  const { name } = server.createCryptoKey({ protectionLevel: 'HSM' });
  const kms = await open(server, name, { clock, rotation: { strategy: 'new-version', pollMs: 600_000 } });
  clock.advance(5_000);
  const controller = new AbortController();
  const rotating = failure('ABORTED', () => kms.rotateKey({ signal: controller.signal }));
  await expect.poll(() => server.requests.count('CreateCryptoKeyVersion')).toBe(1);
  controller.abort();
  await rotating;
  clock.advance(5_000);
  expect(await kms.rotateKey()).toMatchObject({ id: '2' });
});

test('an HSM that does not come to an end is KMS_UNAVAILABLE', async () => {
  const server = await startServer({ clock: new ManualClock(Date.now()), generationMs: 5_000 });
  const { name } = server.createCryptoKey({ protectionLevel: 'HSM' });
  const kms = await open(server, name, { rotation: { strategy: 'new-version', pollMs: 1 } });
  const error = await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
  expect(error.message).toContain('version 2');
});

test('two that rotate at once end at the same primary, the newest', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  server.faults.inject({ kind: 'latency', ms: 30, operation: 'CreateCryptoKeyVersion', count: 'always' });
  const [one, two] = await Promise.all([open(server, name), open(server, name)]);
  const { plaintext, wrapped } = await one.generateDataKey({ context: CONTEXT });
  await Promise.all([one.rotateKey(), two.rotateKey()]);
  const listed = await collect(one.listKeyVersions());
  expect(listed.map(({ primary }) => primary)).toEqual([true, ...listed.slice(1).map(() => false)]);
  expect(await two.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
});

test('one that stood still before the last step and then moves the primary back, moves it on again', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const [slow, fast] = await Promise.all([open(server, name), open(server, name)]);
  const lag = server.faults.inject({ kind: 'latency', ms: 300, operation: 'UpdateCryptoKeyPrimaryVersion' });
  const slowly = slow.rotateKey();
  await expect.poll(() => lag.hits).toBe(1);
  await admin(server).createCryptoKeyVersion({ parent: name });
  await admin(server).updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '3' });
  expect(await slowly).toMatchObject({ id: '3', primary: true });
  expect(await fast.currentKeyVersion()).toMatchObject({ id: '3' });
});

test('a version that was begun is ended, for a day; an older one is left alone', async () => {
  const clock = new ManualClock(Date.now());
  const server = await startServer({ clock });
  const { name } = server.createCryptoKey();
  const kms = await open(server, name, { clock });
  await admin(server).createCryptoKeyVersion({ parent: name });
  clock.advance(DAY);
  expect(await kms.rotateKey()).toMatchObject({ id: '2' });
  await admin(server).createCryptoKeyVersion({ parent: name });
  clock.advance(DAY + 1);
  expect(await kms.rotateKey()).toMatchObject({ id: '4' });
});

test('a version that somebody disabled is not gone on with', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const kms = await open(server, name);
  await admin(server).createCryptoKeyVersion({ parent: name });
  await admin(server).updateCryptoKeyVersion({ cryptoKeyVersion: { name: `${name}/cryptoKeyVersions/2`, state: 'DISABLED' }, updateMask: { paths: ['state'] } });
  expect(await kms.rotateKey()).toMatchObject({ id: '3' });
});

test('a throttled first step has changed nothing; after it a version was made, and the error says so', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  server.faults.inject({ kind: 'throttle', operation: 'CreateCryptoKeyVersion' });
  await failure('KMS_THROTTLED', () => kms.rotateKey());
  expect(await collect(kms.listKeyVersions())).toHaveLength(1);
  server.faults.inject({ kind: 'throttle', operation: 'UpdateCryptoKeyPrimaryVersion' });
  expect((await failure('KMS_UNAVAILABLE', () => kms.rotateKey())).message).toContain('Version 2');
  server.faults.inject({ kind: 'error', status: 403, code: 'PERMISSION_DENIED', operation: 'UpdateCryptoKeyPrimaryVersion' });
  await failure('ACCESS_DENIED', () => kms.rotateKey());
  expect(await kms.rotateKey()).toMatchObject({ id: '2' });
});

test('a rotation of others that was ended is not made again because a later look is throttled', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  server.faults.inject({ kind: 'throttle', operation: 'UpdateCryptoKeyPrimaryVersion' });
  await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
  server.faults.inject({ kind: 'throttle', operation: 'ListCryptoKeyVersions', after: 1 });
  expect((await failure('KMS_UNAVAILABLE', () => kms.rotateKey())).message).toContain('Version 2 was made. Look at currentKeyVersion()');
  expect(await kms.currentKeyVersion()).toMatchObject({ id: '2' });
  expect(await collect(kms.listKeyVersions())).toHaveLength(2);
});

test('a schedule in Cloud KMS rotates by itself, every 30 days as well', async () => {
  const clock = new ManualClock(Date.now());
  const server = await startServer({ clock });
  const { name } = server.createCryptoKey();
  const kms = await open(server, name, { rotation: { strategy: 'none' } });
  const next = Math.ceil(clock.now() / 1_000) + 30 * 86_400;
  await admin(server).updateCryptoKey({
    cryptoKey: { name, rotationPeriod: { seconds: 30 * 86_400 }, nextRotationTime: { seconds: next } },
    updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
  });
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  clock.advance(31 * DAY);
  expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe('2');
  expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  await failure('NOT_SUPPORTED', () => kms.rotateKey());
});
