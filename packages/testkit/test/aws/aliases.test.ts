import {
  CreateAliasCommand,
  CreateKeyCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  ListAliasesCommand,
  paginateListAliases,
  ScheduleKeyDeletionCommand,
  UpdateAliasCommand,
  type AliasListEntry,
} from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

describe('an alias', () => {
  it('leads to its key, is moved to another one, and goes without it', async () => {
    const clock = new ManualClock();
    const server = await startServer({ clock });
    const client = clientOf(server);
    const [first, second] = [server.createKey(), server.createKey()];
    await client.send(new CreateAliasCommand({ AliasName: 'alias/app', TargetKeyId: first.arn }));
    const created = new Date(clock.now());
    clock.advance(1000);
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/app', TargetKeyId: second.keyId }));
    const { Aliases } = await client.send(new ListAliasesCommand({}));
    expect(Aliases).toEqual([
      {
        AliasName: 'alias/app',
        AliasArn: 'arn:aws:kms:us-east-1:111122223333:alias/app',
        TargetKeyId: second.keyId,
        CreationDate: created,
        LastUpdatedDate: new Date(clock.now()),
      },
    ]);
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: Aliases?.[0]?.AliasArn }));
    expect(KeyMetadata?.KeyId).toBe(second.keyId);
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/app' }));
    expect((await refusal(client.send(new DescribeKeyCommand({ KeyId: 'alias/app' })))).name).toBe('NotFoundException');
    await client.send(new DescribeKeyCommand({ KeyId: second.keyId }));
  });

  it.each([
    ['without the prefix', 'app', 'ValidationException'],
    ['with a character that is not allowed', 'alias/ä', 'ValidationException'],
    ["of AWS's own", 'alias/aws/s3', 'NotAuthorizedException'],
    ['without a name', 'alias/', 'InvalidAliasNameException'],
    ['that is taken', 'alias/taken', 'AlreadyExistsException'],
  ])('%s is refused', async (_, AliasName, name) => {
    const server = await startServer();
    const { keyId } = server.createKey({ alias: 'alias/taken' });
    const error = await refusal(clientOf(server).send(new CreateAliasCommand({ AliasName, TargetKeyId: keyId })));
    expect(error.name).toBe(name);
  });

  it('is made for keys, not for other aliases', async () => {
    const server = await startServer();
    const { aliasArn } = server.createKey({ alias: 'alias/one' });
    for (const TargetKeyId of ['alias/one', aliasArn]) {
      const error = await refusal(clientOf(server).send(new CreateAliasCommand({ AliasName: 'alias/two', TargetKeyId })));
      expect(error.message).toBe('Aliases must refer to keys. Not aliases');
    }
  });

  it('that does not exist is neither moved nor deleted', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const AliasName = 'alias/none';
    const move = client.send(new UpdateAliasCommand({ AliasName, TargetKeyId: server.createKey().keyId }));
    expect((await refusal(move)).name).toBe('NotFoundException');
    expect((await refusal(client.send(new DeleteAliasCommand({ AliasName })))).name).toBe('NotFoundException');
  });

  it('is not moved to a key of another kind, nor to one that is to be deleted', async () => {
    const server = await startServer();
    const client = clientOf(server);
    server.createKey({ alias: 'alias/app' });
    const mac = await client.send(new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }));
    const move = (TargetKeyId: string | undefined) => client.send(new UpdateAliasCommand({ AliasName: 'alias/app', TargetKeyId }));
    expect((await refusal(move(mac.KeyMetadata?.KeyId))).name).toBe('ValidationException');
    const { keyId } = server.createKey();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: keyId }));
    expect((await refusal(move(keyId))).name).toBe('KMSInvalidStateException');
    const create = client.send(new CreateAliasCommand({ AliasName: 'alias/new', TargetKeyId: keyId }));
    expect((await refusal(create)).name).toBe('KMSInvalidStateException');
  });

  it('is one of at most 50 of its key', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { keyId } = server.createKey({ alias: 'alias/a0' });
    const other = server.createKey({ alias: 'alias/other' });
    for (let made = 1; made < 50; made++) {
      await client.send(new CreateAliasCommand({ AliasName: `alias/a${made}`, TargetKeyId: keyId }));
    }
    const create = client.send(new CreateAliasCommand({ AliasName: 'alias/b', TargetKeyId: keyId }));
    expect((await refusal(create)).name).toBe('LimitExceededException');
    const move = client.send(new UpdateAliasCommand({ AliasName: 'alias/other', TargetKeyId: keyId }));
    expect((await refusal(move)).name).toBe('LimitExceededException');
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/a1', TargetKeyId: keyId }));
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/a1', TargetKeyId: other.keyId }));
  });
});

describe('ListAliases', () => {
  it('gives all of the region or those of one key, page by page', async () => {
    const server = await startServer({ otherRegions: ['eu-west-1'] });
    const client = clientOf(server);
    server.createKey({ alias: 'alias/elsewhere', region: 'eu-west-1' });
    const { keyId } = server.createKey({ alias: 'alias/app-v1' });
    await client.send(new CreateAliasCommand({ AliasName: 'alias/app', TargetKeyId: keyId }));
    server.createKey({ alias: 'alias/app-v2' });
    const names = async (KeyId?: string): Promise<(string | undefined)[]> => {
      const found: AliasListEntry[] = [];
      for await (const page of paginateListAliases({ client, pageSize: 1 }, { KeyId })) found.push(...(page.Aliases ?? []));
      return found.map(({ AliasName }) => AliasName);
    };
    expect(await names()).toEqual(['alias/app', 'alias/app-v1', 'alias/app-v2']);
    expect(await names(keyId)).toEqual(['alias/app', 'alias/app-v1']);
  });

  it('gives 50 a page unless told otherwise, and never more than 100', async () => {
    const server = await startServer();
    const client = clientOf(server);
    for (let made = 0; made < 51; made++) server.createKey({ alias: `alias/a${made}` });
    expect((await client.send(new ListAliasesCommand({}))).Aliases).toHaveLength(50);
    expect((await client.send(new ListAliasesCommand({ Limit: 100 }))).Aliases).toHaveLength(51);
    expect((await refusal(client.send(new ListAliasesCommand({ Limit: 101 })))).name).toBe('ValidationException');
  });

  it('refuses a key that does not exist', async () => {
    const client = clientOf(await startServer());
    const KeyId = '11111111-2222-4333-8444-555555555555';
    expect((await refusal(client.send(new ListAliasesCommand({ KeyId })))).name).toBe('NotFoundException');
  });
});
