import { DescribeKeyCommand, ListAliasesCommand, type KMSClientConfig } from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import type { AwsKmsServer } from '../../src/aws.ts';
import { clientOf, refusal, startServer } from '../support/aws.ts';

async function outcome(server: AwsKmsServer, config: KMSClientConfig): Promise<string> {
  return (await refusal(clientOf(server, config).send(new ListAliasesCommand({})))).name;
}

describe('a request', () => {
  it('with a secret that is not the principal\'s is refused', async () => {
    const server = await startServer();
    const credentials = { ...server.credentials, secretAccessKey: 'not the one' };
    expect(await outcome(server, { credentials })).toBe('InvalidSignatureException');
    expect(server.requests.list()).toMatchObject([{ principal: undefined, outcome: 'InvalidSignatureException' }]);
  });

  it('with an access key or a session token that the server does not know is refused', async () => {
    const server = await startServer();
    const session = server.addPrincipal({ sessionToken: true });
    await clientOf(server, { credentials: session }).send(new ListAliasesCommand({}));
    const unknown = [
      { ...server.credentials, accessKeyId: 'AKIAUNKNOWN' },
      { ...server.credentials, sessionToken: 'more' },
      { ...session, sessionToken: 'another' },
      { accessKeyId: session.accessKeyId, secretAccessKey: session.secretAccessKey },
    ];
    for (const credentials of unknown) {
      expect(await outcome(server, { credentials })).toBe('UnrecognizedClientException');
    }
  });

  it('signed for a region that the server does not play is refused', async () => {
    const server = await startServer({ region: 'eu-central-1' });
    expect(await outcome(server, { region: 'eu-west-1' })).toBe('InvalidSignatureException');
  });

  it('sees the keys of the region it is signed for', async () => {
    const server = await startServer({ region: 'eu-central-1', otherRegions: ['eu-west-1'] });
    const { keyId } = server.createKey({ region: 'eu-west-1' });
    const describe = (region: string) => clientOf(server, { region }).send(new DescribeKeyCommand({ KeyId: keyId }));
    await describe('eu-west-1');
    expect((await refusal(describe('eu-central-1'))).name).toBe('NotFoundException');
  });

  it('with temporary credentials is refused from their expiry on', async () => {
    const signingClock = new ManualClock(Date.now());
    const server = await startServer({ signingClock });
    const expiration = new Date(signingClock.now() + 60_000);
    const { accessKeyId, secretAccessKey, sessionToken = '' } = server.addPrincipal({ sessionToken: true, expiration });
    const client = clientOf(server, { credentials: { accessKeyId, secretAccessKey, sessionToken } });
    await client.send(new ListAliasesCommand({}));
    signingClock.advance(60_000);
    expect((await refusal(client.send(new ListAliasesCommand({})))).name).toBe('ExpiredTokenException');
  });
});
