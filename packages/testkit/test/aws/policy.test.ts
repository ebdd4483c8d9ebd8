import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  ListKeysCommand,
  ReEncryptCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { isKeyfoldError } from '@keyfold/core/provider';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import type { AwsKmsServer, AwsPolicy, AwsPolicyStatement } from '../../src/aws.ts';
import { clientOf, refusal, startServer } from '../support/aws.ts';

const Plaintext = Buffer.from('key');

function callerWith(server: AwsKmsServer, Statement: AwsPolicy['Statement']): KMSClient {
  return clientOf(server, { credentials: server.addPrincipal({ name: 'app', policy: { Version: '2012-10-17', Statement } }) });
}

function allow(Action: string | string[], Resource: string, Condition: AwsPolicyStatement['Condition'] = {}): AwsPolicyStatement {
  return { Effect: 'Allow', Action, Resource, Condition };
}

async function decides(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'allowed',
    (error: unknown) => (error instanceof Error ? error.name : 'strange'),
  );
}

describe('a policy', () => {
  it('allows the operations it names and no others', async () => {
    const server = await startServer();
    const { arn } = server.createKey();
    const client = callerWith(server, allow(['kms:GenerateDataKey*', 'KMS:encrypt'], arn));
    await client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_128' }));
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: arn, Plaintext }));
    const error = await refusal(client.send(new DecryptCommand({ CiphertextBlob })));
    expect(error.name).toBe('AccessDeniedException');
    expect(error.message).toBe(
      `User: arn:aws:iam::111122223333:user/app is not authorized to perform: kms:Decrypt on resource: ${arn} ` +
        'because no identity-based policy allows the kms:Decrypt action',
    );
    expect(await decides(client.send(new CreateKeyCommand({})))).toBe('AccessDeniedException');
    expect(await decides(client.send(new ListKeysCommand({})))).toBe('AccessDeniedException');
  });

  it('allows the keys it names and no others, under any of their names', async () => {
    const server = await startServer();
    const mine = server.createKey({ alias: 'alias/mine' });
    const other = server.createKey({ alias: 'alias/other' });
    const client = callerWith(server, allow('kms:*', mine.arn));
    const describe = (KeyId: string) => decides(client.send(new DescribeKeyCommand({ KeyId })));
    expect(await describe('alias/mine')).toBe('allowed');
    expect(await describe(mine.keyId)).toBe('allowed');
    expect(await describe('alias/other')).toBe('AccessDeniedException');
    expect(await describe(other.arn)).toBe('AccessDeniedException');
    const create = new CreateAliasCommand({ AliasName: 'alias/new', TargetKeyId: mine.keyId });
    expect(await decides(client.send(create))).toBe('AccessDeniedException');
  });

  it('that denies wins over one that allows', async () => {
    const server = await startServer();
    const { arn } = server.createKey();
    const client = callerWith(server, [allow('kms:*', '*'), { Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' }]);
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: arn, Plaintext }));
    const error = await refusal(client.send(new DecryptCommand({ CiphertextBlob, KeyId: arn })));
    expect(error.message).toMatch(/with an explicit deny in an identity-based policy$/);
  });

  it('needs permission for both keys of ReEncrypt', async () => {
    const server = await startServer();
    const [from, to] = [server.createKey(), server.createKey()];
    const { CiphertextBlob } = await clientOf(server).send(new EncryptCommand({ KeyId: from.arn, Plaintext }));
    const input = new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: to.arn });
    expect(await decides(callerWith(server, allow('kms:ReEncryptFrom', from.arn)).send(input))).toBe('AccessDeniedException');
    expect(await decides(callerWith(server, allow('kms:ReEncryptTo', to.arn)).send(input))).toBe('AccessDeniedException');
    expect(await decides(callerWith(server, allow('kms:ReEncryptFrom', '*')).send(input))).toBe('AccessDeniedException');
    expect(await decides(callerWith(server, allow('kms:ReEncryptTo', '*')).send(input))).toBe('AccessDeniedException');
    const both = [allow('kms:ReEncryptFrom', from.arn), allow('kms:ReEncryptTo', to.arn)];
    expect(await decides(callerWith(server, both).send(input))).toBe('allowed');
  });
});

describe('a condition on the encryption context', () => {
  const tenant = (name: string) => ({ tenant: name, purpose: 'wrap' });

  it.each<[string, AwsPolicyStatement['Condition'], Record<string, string> | undefined, boolean]>([
    ['equals', { StringEquals: { 'kms:EncryptionContext:tenant': ['acme', 'ajax'] } }, tenant('ajax'), true],
    ['equals another', { StringEquals: { 'kms:EncryptionContext:tenant': 'acme' } }, tenant('evil'), false],
    ['equals where there is none', { StringEquals: { 'kms:EncryptionContext:tenant': 'acme' } }, undefined, false],
    ['is case-sensitive', { StringEquals: { 'kms:EncryptionContext:tenant': 'acme' } }, tenant('Acme'), false],
    ['is like', { StringLike: { 'kms:EncryptionContext:tenant': 'ac?e*' } }, tenant('acme-eu'), true],
    ['takes a dot for a dot', { StringLike: { 'kms:EncryptionContext:tenant': 'a.me' } }, tenant('acme'), false],
    ['differs', { StringNotEquals: { 'kms:EncryptionContext:tenant': 'evil' } }, tenant('acme'), true],
    ['does not differ', { StringNotEquals: { 'kms:EncryptionContext:tenant': 'evil' } }, tenant('evil'), false],
    ['differs from none', { StringNotEquals: { 'kms:EncryptionContext:tenant': 'evil' } }, undefined, true],
    ['has only these keys', { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['tenant', 'purpose', 'x'] } }, tenant('a'), true],
    ['has further keys', { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['tenant'] } }, tenant('a'), false],
    ['has only these keys where there is none', { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'tenant' } }, undefined, true],
    ['has one of these keys', { 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'tenant' } }, tenant('a'), true],
    ['has none of these keys', { 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'x' } }, tenant('a'), false],
    ['has to have the pair', { Null: { 'kms:EncryptionContext:tenant': 'false' } }, tenant('a'), true],
    ['lacks the pair it has to have', { Null: { 'kms:EncryptionContext:tenant': 'false' } }, { other: 'a' }, false],
    ['may not have the pair', { Null: { 'kms:EncryptionContext:tenant': 'true' } }, tenant('a'), false],
    [
      'holds in one of two',
      { StringEquals: { 'kms:EncryptionContext:tenant': 'a', 'kms:EncryptionContext:purpose': 'other' } },
      tenant('a'),
      false,
    ],
    ['holds for the alias', { StringEquals: { 'kms:RequestAlias': 'alias/app' } }, undefined, true],
    ['holds for another alias', { StringEquals: { 'kms:RequestAlias': 'alias/b' } }, undefined, false],
    ['holds for one of the key\'s aliases', { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': ['alias/b', 'alias/a*'] } }, undefined, true],
    ['holds for none of the key\'s aliases', { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/b*' } }, undefined, false],
    ['does not read the prototype', { Null: { 'kms:EncryptionContext:toString': 'true' } }, undefined, true],
  ])('%s', async (_, Condition, EncryptionContext, allowed) => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const client = callerWith(server, allow('kms:Encrypt', '*', Condition));
    const outcome = await decides(client.send(new EncryptCommand({ KeyId: 'alias/app', Plaintext, EncryptionContext })));
    expect(outcome).toBe(allowed ? 'allowed' : 'AccessDeniedException');
  });

  it('knows the aliases of a key that is named by its ARN', async () => {
    const server = await startServer();
    const { arn } = server.createKey({ alias: 'alias/app' });
    const client = callerWith(server, allow('kms:Encrypt', '*', { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/app' } }));
    expect(await decides(client.send(new EncryptCommand({ KeyId: arn, Plaintext })))).toBe('allowed');
    expect(await decides(client.send(new EncryptCommand({ KeyId: server.createKey().arn, Plaintext })))).toBe('AccessDeniedException');
  });

  it('holds for Decrypt whether or not it names the key', async () => {
    const server = await startServer();
    const { arn } = server.createKey();
    const EncryptionContext = tenant('acme');
    const { CiphertextBlob } = await clientOf(server).send(new EncryptCommand({ KeyId: arn, Plaintext, EncryptionContext }));
    const condition = (name: string) => allow('kms:Decrypt', arn, { StringEquals: { 'kms:EncryptionContext:tenant': name } });
    for (const KeyId of [arn, undefined]) {
      const input = new DecryptCommand({ CiphertextBlob, EncryptionContext, KeyId });
      expect(await decides(callerWith(server, condition('acme')).send(input))).toBe('allowed');
      expect(await decides(callerWith(server, condition('ajax')).send(input))).toBe('AccessDeniedException');
    }
  });
});

describe('a policy that the server would not enforce', () => {
  it.each<[string, AwsPolicyStatement['Condition'], object]>([
    ['another operator', { NumericEquals: { 'kms:EncryptionContextKeys': '1' } }, {}],
    ['another quantifier', { 'ForSomeValues:StringEquals': { 'kms:EncryptionContextKeys': 'a' } }, {}],
    ['an operator of the prototype', { toString: { 'kms:EncryptionContextKeys': 'a' } }, {}],
    ['a quantified Null', { 'ForAllValues:Null': { 'kms:EncryptionContextKeys': 'true' } }, {}],
    ['another condition key', { StringEquals: { 'kms:ViaService': 's3' } }, {}],
    ['a context key without a name', { StringEquals: { 'kms:EncryptionContext:': 's3' } }, {}],
    ['Null with something else', { Null: { 'kms:EncryptionContextKeys': 'yes' } }, {}],
    ['another effect', {}, { Effect: 'Maybe' }],
    ['NotAction', {}, { NotAction: 'kms:Decrypt' }],
  ])('is refused when the principal is made: %s', async (_, Condition, more) => {
    const server = await startServer();
    const policy = { Statement: { ...allow('kms:*', '*', Condition), ...more } };
    try {
      server.addPrincipal({ policy });
    } catch (error) {
      expect(isKeyfoldError(error, 'CONFIG_INVALID')).toBe(true);
      return;
    }
    expect.fail('Expected a refusal.');
  });
});

describe('an alias in a policy', () => {
  it('counts for the key that it leads to when its time has come, and at once for a request that names it', async () => {
    const clock = new ManualClock();
    const server = await startServer({ clock, aliasAuthorizationMs: 300_000 });
    const { arn } = server.createKey({ alias: 'alias/app' });
    const byKey = callerWith(server, allow('kms:DescribeKey', '*', { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/app' } }));
    const byName = callerWith(server, allow('kms:DescribeKey', '*', { StringEquals: { 'kms:RequestAlias': 'alias/app' } }));
    const asked = (client: KMSClient, KeyId: string): Promise<string> => decides(client.send(new DescribeKeyCommand({ KeyId })));
    expect(await asked(byKey, arn)).toBe('AccessDeniedException');
    expect(await asked(byName, 'alias/app')).toBe('allowed');
    expect(await asked(byName, arn)).toBe('AccessDeniedException');
    clock.advance(299_999);
    expect(await asked(byKey, arn)).toBe('AccessDeniedException');
    clock.advance(1);
    expect(await asked(byKey, arn)).toBe('allowed');
  });
});
