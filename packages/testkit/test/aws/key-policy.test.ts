import { KMS } from '@aws-sdk/client-kms';
import { expect, onTestFinished, test } from 'vitest';
import { AwsKmsServer } from '../../src/aws.ts';

const DELEGATE = { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::111122223333:root' }, Action: 'kms:*', Resource: '*' };

async function start(): Promise<{ server: AwsKmsServer; kms: KMS }> {
  const server = await AwsKmsServer.start();
  const kms = new KMS({ region: server.region, endpoint: server.endpoint, credentials: { ...server.credentials } });
  onTestFinished(async () => {
    kms.destroy();
    await server.close();
  });
  return { server, kms };
}

test('a key without a policy of its own has the default one of KMS, which leaves everything to IAM', async () => {
  const { server, kms } = await start();
  const { Policy: policy, PolicyName: name } = await kms.getKeyPolicy({ KeyId: server.createKey().keyId });
  expect(name).toBe('default');
  expect(JSON.parse(policy ?? '')).toMatchObject({ Id: 'key-default-1', Statement: [DELEGATE] });
});

test('a policy that leaves everything to IAM in other words is kept to the byte', async () => {
  const { kms } = await start();
  const policy = ` {"Id":"team-a","Statement":${JSON.stringify({ Sid: 'x', ...DELEGATE })}}`;
  const { KeyMetadata: key } = await kms.createKey({ Policy: policy });
  expect((await kms.getKeyPolicy({ KeyId: key?.KeyId, PolicyName: 'default' })).Policy).toBe(policy);
  await expect(kms.getKeyPolicy({ KeyId: key?.KeyId, PolicyName: 'other' })).rejects.toMatchObject({ name: 'NotFoundException' });
});

test.each([
  ['no JSON', 'no'],
  ['no statement', '{}'],
  ['another principal', JSON.stringify({ Statement: { ...DELEGATE, Principal: '*' } })],
  ['a narrower action', JSON.stringify({ Statement: { ...DELEGATE, Action: 'kms:Decrypt' } })],
  ['a condition', JSON.stringify({ Statement: { ...DELEGATE, Condition: {} } })],
  ['a second statement', JSON.stringify({ Statement: [DELEGATE, { ...DELEGATE, Effect: 'Deny' }] })],
])('a policy that would have to be enforced is refused: %s', async (_, policy) => {
  const { kms } = await start();
  await expect(kms.createKey({ Policy: policy })).rejects.toMatchObject({ name: 'UnsupportedOperationException' });
});

test('a key policy is taken only from one who may change it afterwards, unless told to take it anyhow, and tags from one who may tag', async () => {
  const { server } = await start();
  const Policy = JSON.stringify({ Statement: DELEGATE });
  const as = (Action: string[]): KMS => {
    const kms = new KMS({ region: server.region, endpoint: server.endpoint, credentials: server.addPrincipal({ policy: { Statement: { Effect: 'Allow', Action, Resource: '*' } } }) });
    onTestFinished(() => {
      kms.destroy();
    });
    return kms;
  };
  const maker = as(['kms:CreateKey']);
  await expect(maker.createKey({ Policy })).rejects.toMatchObject({ name: 'MalformedPolicyDocumentException' });
  expect((await maker.createKey({ Policy, BypassPolicyLockoutSafetyCheck: true })).KeyMetadata).toBeDefined();
  expect((await maker.createKey({})).KeyMetadata).toBeDefined();
  await expect(maker.createKey({ Tags: [{ TagKey: 'a', TagValue: 'b' }] })).rejects.toMatchObject({ name: 'AccessDeniedException' });
  expect((await as(['kms:CreateKey', 'kms:PutKeyPolicy']).createKey({ Policy })).KeyMetadata).toBeDefined();
});
