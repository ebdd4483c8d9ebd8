import { KMS } from '@aws-sdk/client-kms';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '@keyfold/core/testing';
import { AwsKms } from '../src/index.ts';
import { ACCOUNT, CONTEXT, CREDENTIALS, OTHER_CONTEXT, REGION } from './support/constants.ts';
import { collect } from './support/collect.ts';
import { failure } from './support/expect-code.ts';
import { administrator, open, startServer } from './support/server.ts';

const NATIVE = { use: 'checkpoint', tenant: 'acme', scope: 'job-7/chk-42', dek: '07'.repeat(16), keyfold: '1' };

describe('what AWS KMS is asked', () => {
  test('GenerateDataKey and Decrypt name the key by its ARN, and bind the context as a map', async () => {
    const server = await startServer();
    const { arn, keyId } = server.createKey();
    const kms = await open(server, keyId);
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    await kms.decrypt(wrapped, { context: CONTEXT });
    expect(kms.keyId).toBe(arn);
    expect(wrapped).toMatchObject({ provider: 'aws-kms', keyId: arn, algorithm: 'SYMMETRIC_DEFAULT' });
    expect(wrapped.keyVersion).toMatch(/^[0-9a-f]{64}$/);
    expect(server.requests.list().map(({ operation, keys, encryptionContext }) => ({ operation, keys, encryptionContext }))).toEqual([
      { operation: 'DescribeKey', keys: [arn], encryptionContext: undefined },
      { operation: 'GenerateDataKey', keys: [arn], encryptionContext: NATIVE },
      { operation: 'Decrypt', keys: [arn], encryptionContext: NATIVE },
    ]);
  });

  test('a key ARN is looked up by nobody', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    await kms.generateDataKey({ context: CONTEXT });
    expect(server.requests.list().map(({ operation }) => operation)).toEqual(['GenerateDataKey']);
  });

  test('trap: Encrypt does not say which material it used, so the version is what the verifying Decrypt reports', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    const wrapped = await kms.encrypt(new Uint8Array(32).fill(1), { context: CONTEXT });
    expect(server.requests.list().map(({ operation }) => operation)).toEqual(['Encrypt', 'Decrypt']);
    expect(wrapped.keyVersion).toBe((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion);
  });

  test('a wrap that gives another key back is refused before it can be stored', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    server.faults.inject({ kind: 'wrong-key', operation: 'Decrypt' });
    await failure('KMS_PROTOCOL_ERROR', () => kms.encrypt(new Uint8Array(32), { context: CONTEXT }));
  });

  test.each([16, 31, 33, 64])('a data key of %i bytes is refused', async (bytes) => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn, { client: administrator(server) });
    const real = administrator(server);
    const odd = await open(server, kms.keyId, { client: Object.assign(administrator(server), { generateDataKey: async (input: { KeyId: string }) => ({ ...(await real.generateDataKey({ ...input, KeySpec: undefined, NumberOfBytes: bytes })) }) }) });
    await failure('KMS_PROTOCOL_ERROR', () => odd.generateDataKey({ context: CONTEXT }));
  });

  test('another encryption context does not open, nor does one that no wrap has', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    await failure('INVALID_CIPHERTEXT', () => kms.decrypt(wrapped, { context: OTHER_CONTEXT }));
    const asked = server.requests.count();
    await failure('INVALID_CIPHERTEXT', () => kms.decrypt(wrapped, { context: { ...CONTEXT, purpose: 'field' } }));
    await failure('INVALID_CIPHERTEXT', () => kms.decrypt({ ...wrapped, ciphertext: new Uint8Array(6_145) }, { context: CONTEXT }));
    await failure('INVALID_ARGUMENT', () => kms.generateDataKey({ context: { ...CONTEXT, purpose: 'field' } }));
    expect(server.requests.count()).toBe(asked);
  });

  test('a service that tells of no key material gives an unknown version, and opens', async () => {
    const server = await startServer();
    server.faults.inject({ kind: 'omit', members: ['KeyMaterialId', 'CurrentKeyMaterialId'], count: 'always' });
    const { arn, keyId } = server.createKey({ alias: 'alias/app' });
    const key = await open(server, arn);
    const { plaintext, wrapped } = await key.generateDataKey({ context: CONTEXT });
    expect(wrapped.keyVersion).toBe('');
    expect(await key.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
    expect((await key.encrypt(plaintext, { context: CONTEXT })).keyVersion).toBe('');
    expect(await key.currentKeyVersion()).toMatchObject({ id: '', primary: true, state: 'enabled' });
    expect(await collect(key.listKeyVersions())).toHaveLength(1);
    const alias = await open(server, 'alias/app');
    expect((await alias.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe(keyId);
  });

  test('a client of the user\'s own is used as it is, and stays open', async () => {
    const server = await startServer();
    const client = new KMS({ region: REGION, endpoint: server.endpoint, credentials: { ...server.credentials } });
    let destroyed = 0;
    const destroy = client.destroy.bind(client);
    client.destroy = () => {
      destroyed++;
      destroy();
    };
    const kms = await AwsKms.open({ keyId: server.createKey().arn, client });
    await kms.generateDataKey({ context: CONTEXT });
    await kms.close();
    await kms.close();
    await failure('CLOSED', () => kms.generateDataKey({ context: CONTEXT }));
    expect((await client.listKeys({})).Keys).toHaveLength(1);
    expect(destroyed).toBe(0);
    client.destroy();
  });
});

describe('which key may unwrap', () => {
  test('trap: old ciphertext does not open through a moved alias, so Decrypt names the key that the record has', async () => {
    const server = await startServer();
    const first = server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app');
    const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
    expect(wrapped.keyId).toBe(`arn:aws:kms:${REGION}:${ACCOUNT}:alias/app`);
    expect(wrapped.keyVersion).toMatch(new RegExp(`^${first.keyId}/[0-9a-f]{64}$`));
    const admin = administrator(server);
    await admin.createAlias({ AliasName: 'alias/app-v1', TargetKeyId: first.keyId });
    await admin.updateAlias({ AliasName: 'alias/app', TargetKeyId: server.createKey().keyId });
    await expect(admin.decrypt({ KeyId: 'alias/app', CiphertextBlob: wrapped.ciphertext, EncryptionContext: NATIVE })).rejects.toMatchObject({ name: 'IncorrectKeyException' });
    expect(await (await open(server, 'alias/app')).decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
    expect(server.requests.list('Decrypt').at(-1)?.keys).toEqual([first.arn]);
  });

  test('a key that a record names, but no alias, is never asked', async () => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app');
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    for (const keyVersion of [server.createKey().keyId, `${server.createKey({ alias: 'alias/app-vault' }).keyId}/x`, server.createKey({ alias: 'alias/app-v01' }).keyId, server.createKey({ alias: 'alias/other-v1' }).keyId, '', '/', 'arn:aws:kms:eu-west-1:999999999999:key/x', wrapped.keyVersion.replace('/', '//')]) {
      await failure('KEY_NOT_ALLOWED', () => kms.decrypt({ ...wrapped, keyVersion }, { context: CONTEXT }));
    }
    expect(server.requests.count('Decrypt')).toBe(0);
  });

  test('planted records cost one listing in five seconds, not one each', async () => {
    const server = await startServer();
    const clock = new ManualClock();
    server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app', { clock });
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    server.requests.clear();
    clock.advance(5_000);
    for (let i = 0; i < 20; i++) await failure('KEY_NOT_ALLOWED', () => kms.decrypt({ ...wrapped, keyVersion: `planted-${i}` }, { context: CONTEXT }));
    expect(server.requests.count('ListAliases')).toBe(1);
    clock.advance(5_000);
    await failure('KEY_NOT_ALLOWED', () => kms.decrypt({ ...wrapped, keyVersion: 'planted' }, { context: CONTEXT }));
    expect(server.requests.count('ListAliases')).toBe(2);
  });

  test('what others rotated to a moment ago is found by reading the aliases anew', async () => {
    const server = await startServer();
    const clock = new ManualClock();
    const first = server.createKey({ alias: 'alias/app' });
    const reader = await open(server, 'alias/app', { clock });
    await reader.generateDataKey({ context: CONTEXT });
    const writer = await open(server, 'alias/app');
    const admin = administrator(server);
    await admin.createAlias({ AliasName: 'alias/app-v1', TargetKeyId: first.keyId });
    await admin.updateAlias({ AliasName: 'alias/app', TargetKeyId: server.createKey({ alias: 'alias/app-v2' }).keyId });
    const { plaintext, wrapped } = await writer.generateDataKey({ context: CONTEXT });
    clock.advance(5_000);
    expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test('a key whose alias was taken away stops unwrapping within five minutes', async () => {
    const server = await startServer();
    const clock = new ManualClock();
    server.createKey({ alias: 'alias/app' });
    const old = server.createKey({ alias: 'alias/app-v1' });
    const kms = await open(server, 'alias/app', { clock });
    const admin = administrator(server);
    const made = await admin.generateDataKey({ KeyId: old.keyId, KeySpec: 'AES_256', EncryptionContext: NATIVE });
    const wrapped = { provider: 'aws-kms', keyId: kms.keyId, keyVersion: old.keyId, algorithm: 'SYMMETRIC_DEFAULT', ciphertext: new Uint8Array(made.CiphertextBlob ?? []) };
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toHaveLength(32);
    await admin.deleteAlias({ AliasName: 'alias/app-v1' });
    clock.advance(299_999);
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toHaveLength(32);
    clock.advance(1);
    await failure('KEY_NOT_ALLOWED', () => kms.decrypt(wrapped, { context: CONTEXT }));
  });

  test('while AWS does not answer about aliases, what it said before holds', async () => {
    const server = await startServer();
    const clock = new ManualClock();
    server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app', { clock });
    const { wrapped } = await kms.generateDataKey({ context: CONTEXT });
    clock.advance(300_000);
    server.faults.inject({ kind: 'throttle', operation: 'ListAliases', count: 2 });
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toHaveLength(32);
    await failure('KMS_THROTTLED', () => kms.decrypt({ ...wrapped, keyVersion: 'unknown' }, { context: CONTEXT }));
    server.faults.inject({ kind: 'error', status: 400, code: 'AccessDeniedException', operation: 'ListAliases' });
    await failure('ACCESS_DENIED', () => kms.decrypt(wrapped, { context: CONTEXT }));
  });

  test('one who gives up waiting for the aliases does not end it for the others', async () => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const { wrapped } = await (await open(server, 'alias/app')).generateDataKey({ context: CONTEXT });
    const kms = await open(server, 'alias/app');
    const hang = server.faults.inject({ kind: 'latency', ms: 100, operation: 'ListAliases' });
    const controller = new AbortController();
    const patient = kms.decrypt(wrapped, { context: CONTEXT });
    const impatient = failure('ABORTED', () => kms.decrypt(wrapped, { context: CONTEXT, signal: controller.signal }));
    controller.abort();
    await impatient;
    expect(await patient).toHaveLength(32);
    expect(hang.hits).toBe(1);
    expect(server.requests.count('ListAliases')).toBe(2);
  });
});

describe('what is refused at the door', () => {
  test('a key that signs', async () => {
    const server = await startServer();
    const { KeyMetadata: rsa } = await administrator(server).createKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    await failure('INVALID_KEY_USAGE', () => open(server, rsa?.KeyId ?? ''));
  });

  test('an alias that is not there', async () => {
    const server = await startServer();
    await failure('KEY_NOT_FOUND', () => open(server, 'alias/none'));
  });

  test('a caller without rights, and one without credentials that AWS knows', async () => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const nobody = server.addPrincipal({ policy: { Statement: { Effect: 'Deny', Action: 'kms:*', Resource: '*' } } });
    await failure('ACCESS_DENIED', () => open(server, 'alias/app', { clientOptions: { credentials: nobody } }));
    await failure('AUTHENTICATION_FAILED', () => open(server, 'alias/app', { clientOptions: { credentials: CREDENTIALS } }));
  });

  test('an abort', async () => {
    const server = await startServer();
    await failure('ABORTED', () => AwsKms.open({ keyId: 'alias/app', region: REGION, endpoint: server.endpoint }, { signal: AbortSignal.abort() }));
  });
});
