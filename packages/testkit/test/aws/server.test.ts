import { connect } from 'node:net';
import { inspect } from 'node:util';
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, ListAliasesCommand, ReEncryptCommand } from '@aws-sdk/client-kms';
import { isKeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { AwsKmsServer, type AwsKmsServerOptions, type AwsPrincipalOptions, type CreateKeyOptions } from '../../src/aws.ts';
import { clientOf, refusal, startServer } from '../support/aws.ts';

function codeOf(error: unknown): string {
  return isKeyfoldError(error) ? error.code : 'no KeyfoldError';
}

async function refusesToStart(options: AwsKmsServerOptions): Promise<string> {
  return AwsKmsServer.start(options).then(
    async (server) => {
      await server.close();
      return 'started';
    },
    codeOf,
  );
}

function thrownBy(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return codeOf(error);
  }
  return 'nothing';
}

describe('a server', () => {
  it.each<[string, AwsKmsServerOptions]>([
    ['a region that is none', { region: 'Frankfurt' }],
    ['another region that is none', { otherRegions: ['eu-west'] }],
    ['an account of another length', { accountId: '12' }],
    ['a negative background time', { backgroundMs: -1 }],
    ['a negative delay of aliases', { aliasAuthorizationMs: -1 }],
    ['a port that is none', { port: 65_536 }],
    ['two principals with one access key', { principals: [{ accessKeyId: 'AKIAONE' }, { accessKeyId: 'AKIAONE' }] }],
    ['long-term credentials that expire', { principals: [{ expiration: new Date() }] }],
  ])('does not start with %s', async (_, options) => {
    expect(await refusesToStart(options)).toBe('CONFIG_INVALID');
  });

  it('does not start on a port that is taken', async () => {
    const { endpoint } = await startServer();
    expect(await refusesToStart({ port: Number(new URL(endpoint).port) })).toBe('CONFIG_INVALID');
  });

  it('listens on the loopback address only, until it is closed', async () => {
    const server = await startServer();
    expect(server.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await server.close();
    const error = await refusal(clientOf(server).send(new ListAliasesCommand({})));
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('closes although connections are idle or unfinished', async () => {
    const server = await startServer();
    const socket = connect(Number(new URL(server.endpoint).port), '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve).on('error', resolve));
    await new Promise((resolve) => socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', resolve));
    await server.close();
    await closed;
  });

  it('takes the credentials that it is given', async () => {
    const credentials = { accessKeyId: 'AKIAGIVEN', secretAccessKey: 'secret' };
    const server = await startServer({ credentials, principals: [{ accessKeyId: 'AKIAMORE', secretAccessKey: 'other' }] });
    expect(server.credentials).toEqual(credentials);
    await clientOf(server).send(new ListAliasesCommand({}));
    await clientOf(server, { credentials: { accessKeyId: 'AKIAMORE', secretAccessKey: 'other' } }).send(new ListAliasesCommand({}));
    expect(server.requests.list().map(({ principal }) => principal)).toEqual([
      'arn:aws:iam::111122223333:user/admin',
      'arn:aws:iam::111122223333:user/user-2',
    ]);
  });

  it.each<[string, AwsPrincipalOptions, RegExp]>([
    ['long-term', {}, /^AKIA[A-Z2-7]{16}$/],
    ['temporary', { sessionToken: true }, /^ASIA[A-Z2-7]{16}$/],
  ])('draws %s credentials', async (_, options, pattern) => {
    const server = await startServer();
    expect(server.addPrincipal(options).accessKeyId).toMatch(pattern);
  });
});

describe('createKey', () => {
  it('makes a key that clients can use, with an alias if asked', async () => {
    const server = await startServer({ otherRegions: ['eu-west-1'] });
    const made = server.createKey({ alias: 'alias/app', region: 'eu-west-1', multiRegion: true, description: 'd' });
    expect(made.aliasArn).toBe('arn:aws:kms:eu-west-1:111122223333:alias/app');
    const { KeyMetadata } = await clientOf(server, { region: 'eu-west-1' }).send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    expect(KeyMetadata).toMatchObject({ KeyId: made.keyId, Arn: made.arn, MultiRegion: true, Description: 'd' });
  });

  it.each<[string, CreateKeyOptions]>([
    ['a region that is not played', { region: 'eu-west-1' }],
    ['an alias without its prefix', { alias: 'app' }],
    ["an alias of AWS's own", { alias: 'alias/aws/x' }],
    ['an alias that is taken', { alias: 'alias/taken' }],
  ])('refuses %s', async (_, options) => {
    const server = await startServer();
    server.createKey({ alias: 'alias/taken' });
    expect(thrownBy(() => server.createKey(options))).toBe('INVALID_ARGUMENT');
  });
});

describe('the request log', () => {
  it('says who did what to which key in which context, and holds no key', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const [one, two] = [server.createKey(), server.createKey()];
    const EncryptionContext = { tenant: 'acme' };
    const Plaintext = Buffer.from('a very recognisable secret');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: one.arn, Plaintext, EncryptionContext }));
    await refusal(client.send(new DecryptCommand({ CiphertextBlob })));
    await client.send(new ReEncryptCommand({ CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: two.arn }));
    const principal = 'arn:aws:iam::111122223333:user/admin';
    expect(server.requests.list()).toMatchObject([
      { operation: 'Encrypt', principal, region: 'us-east-1', keys: [one.arn], encryptionContext: EncryptionContext, outcome: 'ok', status: 200 },
      { operation: 'Decrypt', keys: [one.arn], outcome: 'InvalidCiphertextException', status: 400 },
      { operation: 'ReEncrypt', keys: [one.arn, two.arn], encryptionContext: EncryptionContext, outcome: 'ok' },
    ]);
    expect(server.requests.count('Decrypt')).toBe(1);
    const shown = JSON.stringify(server.requests.list()) + inspect(server, { depth: 10, showHidden: true });
    expect(shown).not.toContain('recognisable');
    expect(shown).not.toContain(Plaintext.toString('base64'));
    server.requests.clear();
    expect(server.requests.count()).toBe(0);
  });
});
