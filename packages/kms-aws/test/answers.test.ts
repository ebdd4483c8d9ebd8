import type { KMS } from '@aws-sdk/client-kms';
import type { AwsKmsServer } from '@keyfold/testkit/aws';
import { describe, expect, test } from 'vitest';
import { AwsKms } from '../src/index.ts';
import { CONTEXT, KEY_ARN } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { collect } from './support/collect.ts';
import { administrator, open, startServer } from './support/server.ts';

/** A client of the user's that puts answers of its own in the place of AWS's. */
function answering(server: AwsKmsServer, answers: Partial<Record<keyof KMS, (input: never) => unknown>>): KMS {
  return Object.assign(administrator(server), answers);
}

describe('answers that are about something else', () => {
  test.each([
    ['nothing', {}],
    ['no ARN', { KeyMetadata: { KeyId: 'k' } }],
    ['an alias', { KeyMetadata: { Arn: 'arn:aws:kms:eu-west-1:111122223333:alias/app' } }],
    ['a bare id', { KeyMetadata: { Arn: '1234' } }],
    ['a key of another region', { KeyMetadata: { Arn: KEY_ARN.replace('eu-west-1', 'us-east-1') } }],
  ])('a description of %s opens no alias', async (_, answer) => {
    const server = await startServer();
    const client = answering(server, { describeKey: () => Promise.resolve(answer) });
    await failure('KMS_PROTOCOL_ERROR', () => open(server, 'alias/app', { client }));
  });

  test('a description of another key opens no key id, and none of another account an alias ARN', async () => {
    const server = await startServer();
    const client = answering(server, { describeKey: () => Promise.resolve({ KeyMetadata: { Arn: KEY_ARN } }) });
    await failure('KMS_PROTOCOL_ERROR', () => open(server, 'another-id', { client }));
    await failure('KMS_PROTOCOL_ERROR', () => open(server, 'arn:aws:kms:eu-west-1:999999999999:alias/app', { client }));
    expect((await open(server, 'alias/app', { client })).keyId).toBe('arn:aws:kms:eu-west-1:111122223333:alias/app');
    expect((await open(server, 'arn:aws:kms:eu-west-1:111122223333:alias/app', { client })).keyId).toBe('arn:aws:kms:eu-west-1:111122223333:alias/app');
  });

  test.each([undefined, KEY_ARN, KEY_ARN.replace('111122223333', '999999999999')])('the current version of another key is refused: %s', async (Arn) => {
    const server = await startServer();
    const client = answering(server, { describeKey: () => Promise.resolve({ KeyMetadata: { Arn } }) });
    const kms = await open(server, server.createKey().arn, { client });
    await failure('KMS_PROTOCOL_ERROR', () => kms.currentKeyVersion());
    await failure('KMS_PROTOCOL_ERROR', () => collect(kms.listKeyVersions()));
  });

  test.each(['', 'a b', 'x'.repeat(101), '\u00fc'])('a material id that no key record could hold is refused: %j', async (KeyMaterialId) => {
    const server = await startServer();
    const real = administrator(server);
    const client = answering(server, { generateDataKey: async (input) => ({ ...(await real.generateDataKey(input)), KeyMaterialId }) });
    const kms = await open(server, server.createKey().arn, { client });
    await failure('KMS_PROTOCOL_ERROR', () => kms.generateDataKey({ context: CONTEXT }));
  });

  test('a key that is made elsewhere is never given an alias', async () => {
    const server = await startServer();
    const { keyId } = server.createKey({ alias: 'alias/app' });
    await administrator(server).createAlias({ AliasName: 'alias/app-v1', TargetKeyId: keyId });
    const client = answering(server, { createKey: () => Promise.resolve({ KeyMetadata: { Arn: KEY_ARN.replace('eu-west-1', 'us-east-1') } }) });
    const kms = await open(server, 'alias/app', { client });
    await failure('KMS_PROTOCOL_ERROR', () => kms.rotateKey());
    expect(server.requests.count('CreateAlias')).toBe(1);
  });

  test('answers without bytes are no keys', async () => {
    const server = await startServer();
    server.faults.inject({ kind: 'omit', members: ['Plaintext'] });
    const kms = await open(server, server.createKey().arn);
    await failure('KMS_PROTOCOL_ERROR', () => kms.generateDataKey({ context: CONTEXT }));
    server.faults.inject({ kind: 'omit', members: ['CiphertextBlob'] });
    await failure('KMS_PROTOCOL_ERROR', () => kms.generateDataKey({ context: CONTEXT }));
  });

  test('a material that is current and not listed yet is a version all the same', async () => {
    const server = await startServer();
    const client = answering(server, { listKeyRotations: () => Promise.resolve({ Rotations: [{ KeyMaterialId: 'older', KeyMaterialState: 'NON_CURRENT' }, { KeyMaterialId: 'later', KeyMaterialState: 'PENDING_ROTATION' }, { KeyMaterialId: 'away', ImportState: 'PENDING_IMPORT' }] }) });
    const kms = await open(server, server.createKey().arn, { client });
    const current = await kms.currentKeyVersion();
    expect(current.createdAt).toBeUndefined();
    expect((await collect(kms.listKeyVersions())).map(({ id, state }) => [id, state])).toEqual([[current.id, 'enabled'], ['older', 'enabled'], ['away', 'disabled']]);
  });

  test('a key without a state is of an unknown one', async () => {
    const server = await startServer();
    server.faults.inject({ kind: 'omit', members: ['KeyState'], count: 'always' });
    expect(await (await open(server, server.createKey().arn)).currentKeyVersion()).toMatchObject({ state: 'unknown' });
  });
});

test('aliases that are listed are the caller\'s account\'s, and count for no other', async () => {
  const server = await startServer();
  server.createKey({ alias: 'alias/app' });
  const { keyId } = server.createKey({ alias: 'alias/app-v1' });
  const theirs = 'arn:aws:kms:eu-west-1:999999999999:';
  const client = answering(server, { describeKey: () => Promise.resolve({ KeyMetadata: { Arn: `${theirs}key/their-key` } }) });
  const kms = await open(server, `${theirs}alias/app`, { client });
  const wrapped = { provider: 'aws-kms', keyId: kms.keyId, keyVersion: keyId, algorithm: 'SYMMETRIC_DEFAULT', ciphertext: new Uint8Array(100) };
  await failure('KEY_NOT_ALLOWED', () => kms.decrypt(wrapped, { context: CONTEXT }));
  expect(server.requests.count('Decrypt')).toBe(0);
  await failure('INVALID_CIPHERTEXT', () => kms.decrypt({ ...wrapped, keyVersion: 'their-key' }, { context: CONTEXT }));
  expect(server.requests.list('Decrypt')).toHaveLength(1);
});

test('what the SDK keeps of a key is overwritten, also when the answer is refused', async () => {
  const server = await startServer();
  const real = administrator(server);
  const kept: Uint8Array[] = [];
  const keep = <T extends { Plaintext?: Uint8Array | undefined }>(answer: T): T => {
    if (answer.Plaintext !== undefined) kept.push(answer.Plaintext);
    return answer;
  };
  const client = answering(server, {
    generateDataKey: async (input) => keep(await real.generateDataKey(input)),
    decrypt: async (input) => keep(await real.decrypt(input)),
  });
  const kms = await open(server, server.createKey().arn, { client });
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  await kms.decrypt(wrapped, { context: CONTEXT });
  expect(plaintext.some((byte) => byte !== 0)).toBe(true);
  server.faults.inject({ kind: 'wrong-key-id', operation: 'Decrypt' });
  await failure('KMS_PROTOCOL_ERROR', () => kms.decrypt(wrapped, { context: CONTEXT }));
  expect(kept.map((bytes) => [...new Set(bytes)])).toEqual([[0], [0], [0]]);
});

describe('a client that is passed', () => {
  test('may keep its region to itself', async () => {
    const server = await startServer();
    const real = administrator(server);
    const { arn, keyId } = server.createKey();
    const client = { ...nothing, describeKey: (input: { KeyId: string }) => real.describeKey(input), generateDataKey: (input: Parameters<typeof real.generateDataKey>[0]) => real.generateDataKey(input) };
    expect((await AwsKms.open({ keyId: arn, client })).keyId).toBe(arn);
    expect((await AwsKms.open({ keyId, client })).keyId).toBe(arn);
    expect((await AwsKms.open({ keyId, client: { ...client, config: { region: 'eu-west-1' } } })).keyId).toBe(arn);
    await failure('CONFIG_INVALID', () => AwsKms.open({ keyId: arn.replace('eu-west-1', '*').replace('key/', 'key/mrk-'), client }));
  });

  test('whose region cannot be found out is refused', async () => {
    await failure('CONFIG_INVALID', () => AwsKms.open({ keyId: KEY_ARN, client: { ...nothing, config: { region: () => Promise.reject(new Error('Region is missing')) } } }));
  });
});

const unexpected = (): Promise<never> => Promise.reject(new Error('not expected'));
const nothing = {
  generateDataKey: unexpected, encrypt: unexpected, decrypt: unexpected, describeKey: unexpected, listKeyRotations: unexpected, listAliases: unexpected,
  rotateKeyOnDemand: unexpected, getKeyRotationStatus: unexpected, enableKeyRotation: unexpected, getKeyPolicy: unexpected, listResourceTags: unexpected,
  createKey: unexpected, createAlias: unexpected, updateAlias: unexpected,
};

describe('testConnection()', () => {
  test('reports a key that comes back as another', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    server.faults.inject({ kind: 'wrong-key', operation: 'Decrypt' });
    expect(await kms.testConnection()).toMatchObject({ reachable: true, roundTrip: false, problem: { code: 'KMS_PROTOCOL_ERROR' } });
  });

  test('does without a description where that is denied', async () => {
    const server = await startServer();
    const { arn } = server.createKey();
    const credentials = server.addPrincipal({ policy: { Statement: { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: arn } } });
    expect(await (await open(server, arn, { clientOptions: { credentials } })).testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
  });

  test('has a test tenant that can be none', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn, { testTenant: 'x'.repeat(257) });
    expect(await kms.testConnection()).toMatchObject({ roundTrip: false, problem: { code: 'INVALID_ARGUMENT' } });
  });
});

describe('waiting for aliases', () => {
  test('ends for AWS, too, when all have given up, and begins anew for the next', async () => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const { plaintext, wrapped } = await (await open(server, 'alias/app')).generateDataKey({ context: CONTEXT });
    const kms = await open(server, 'alias/app');
    const hang = server.faults.inject({ kind: 'hang', operation: 'ListAliases' });
    const controllers = [new AbortController(), new AbortController()];
    const waiting = controllers.map(({ signal }) => failure('ABORTED', () => kms.decrypt(wrapped, { context: CONTEXT, signal })));
    await expect.poll(() => hang.hits).toBe(1);
    for (const controller of controllers) controller.abort();
    await Promise.all(waiting);
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });
});

test('an alias that others keep moving ends in CONFLICT', async () => {
  const server = await startServer();
  server.createKey({ alias: 'alias/app' });
  const real = administrator(server);
  let next = 2;
  const client = answering(server, {
    updateAlias: async (input) => {
      next++;
      server.createKey({ alias: `alias/app-v${next}` });
      return real.updateAlias(input);
    },
  });
  const kms = await open(server, 'alias/app', { client });
  await failure('CONFLICT', () => kms.rotateKey());
});

describe('an alias that was moved a moment ago', () => {
  /** A client whose looks at the aliases show the state before the move for a while. */
  async function lagging(looks: number): Promise<{ server: AwsKmsServer; client: KMS; next: string }> {
    const server = await startServer();
    const { arn, keyId } = server.createKey({ alias: 'alias/app' });
    const { keyId: next } = server.createKey();
    const real = administrator(server);
    const before = await real.listAliases({});
    let left = looks;
    const client = answering(server, {
      listAliases: (input) => (left-- > 0 ? Promise.resolve(before) : real.listAliases(input)),
      describeKey: (input) => (left >= 0 ? real.describeKey({ KeyId: arn }) : real.describeKey(input)),
    });
    await real.createAlias({ AliasName: 'alias/app-v1', TargetKeyId: keyId });
    await real.updateAlias({ AliasName: 'alias/app', TargetKeyId: next });
    return { server, client, next };
  }

  test('is looked at again, rather than that the new data key is refused', async () => {
    const { server, client, next } = await lagging(2);
    const kms = await open(server, 'alias/app', { client });
    const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
    expect(wrapped.keyVersion.startsWith(`${next}/`)).toBe(true);
    expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test('but not for ever', async () => {
    const { server, client } = await lagging(100);
    const kms = await open(server, 'alias/app', { client });
    const error = await failure('KMS_PROTOCOL_ERROR', () => kms.generateDataKey({ context: CONTEXT }));
    expect(error.message).toContain('try again if the alias was moved a moment ago');
  });
});
