import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  paginateListKeys,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  type CreateKeyCommandInput,
} from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

const DAY = 86_400_000;
const Plaintext = Buffer.from('key');

describe('CreateKey', () => {
  it('answers with the metadata that DescribeKey gives, dated by the clock', async () => {
    const clock = new ManualClock();
    const client = clientOf(await startServer({ clock, region: 'eu-central-1', accountId: '999900001111' }));
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'mine' }));
    expect(KeyMetadata).toEqual({
      AWSAccountId: '999900001111',
      KeyId: KeyMetadata?.KeyId,
      Arn: `arn:aws:kms:eu-central-1:999900001111:key/${KeyMetadata?.KeyId ?? ''}`,
      CreationDate: new Date(clock.now()),
      Enabled: true,
      Description: 'mine',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: KeyMetadata?.CurrentKeyMaterialId,
    });
    const described = await client.send(new DescribeKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    expect(described.KeyMetadata).toEqual(KeyMetadata);
  });

  it.each<[string, CreateKeyCommandInput, string]>([
    ['a key of another origin', { Origin: 'EXTERNAL' }, 'UnsupportedOperationException'],
    ['a key in a custom key store', { CustomKeyStoreId: 'cks-1' }, 'UnsupportedOperationException'],
    ['an external key', { XksKeyId: 'k' }, 'UnsupportedOperationException'],
    ['a key policy', { Policy: '{}' }, 'UnsupportedOperationException'],
    ['a key for key agreement', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' }, 'UnsupportedOperationException'],
    ['an RSA key that encrypts', { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }, 'UnsupportedOperationException'],
    ['a kind of key that it does not have', { KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' }, 'UnsupportedOperationException'],
    ['a usage that the kind does not have', { KeySpec: 'HMAC_256', KeyUsage: 'SIGN_VERIFY' }, 'ValidationException'],
    ['a MAC key without its usage', { KeySpec: 'HMAC_256' }, 'ValidationException'],
    ['a tag without a name', { Tags: [{ TagKey: '', TagValue: '' }] }, 'ValidationException'],
  ])('refuses %s', async (_, input, name) => {
    const client = clientOf(await startServer());
    expect((await refusal(client.send(new CreateKeyCommand(input)))).name).toBe(name);
  });

  it('keeps tags, which can be changed and listed in pages', async () => {
    const client = clientOf(await startServer());
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Tags: [{ TagKey: 'b', TagValue: '1' }] }));
    const KeyId = KeyMetadata?.KeyId;
    await client.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'a', TagValue: '2' }, { TagKey: 'c', TagValue: '3' }] }));
    await client.send(new UntagResourceCommand({ KeyId, TagKeys: ['b'] }));
    const first = await client.send(new ListResourceTagsCommand({ KeyId, Limit: 1 }));
    expect(first).toMatchObject({ Tags: [{ TagKey: 'a', TagValue: '2' }], Truncated: true });
    const rest = await client.send(new ListResourceTagsCommand({ KeyId, Marker: first.NextMarker }));
    expect(rest).toMatchObject({ Tags: [{ TagKey: 'c', TagValue: '3' }], Truncated: false });
  });
});

describe('a key that does not encrypt', () => {
  it.each([
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['RSA_2048', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ] as const)('exists, and refuses to: %s', async (KeySpec, KeyUsage) => {
    const server = await startServer();
    const client = clientOf(server);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage }));
    const KeyId = KeyMetadata?.Arn;
    expect(KeyMetadata).toMatchObject({ KeySpec, KeyUsage });
    expect(KeyMetadata).not.toHaveProperty('CurrentKeyMaterialId');
    const encrypting = await refusal(client.send(new EncryptCommand({ KeyId, Plaintext })));
    expect(encrypting.name).toBe('InvalidKeyUsageException');
    expect(encrypting.message).toBe(`${KeyId ?? ''} key usage is ${KeyUsage} which is not valid for Encrypt.`);
    const generating = await refusal(client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' })));
    expect(generating.name).toBe('InvalidKeyUsageException');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: server.createKey().arn, Plaintext }));
    expect((await refusal(client.send(new DecryptCommand({ KeyId, CiphertextBlob })))).name).toBe('IncorrectKeyException');
    expect((await refusal(client.send(new EnableKeyRotationCommand({ KeyId })))).name).toBe('UnsupportedOperationException');
  });
});

describe('a name of a key', () => {
  it.each([
    ['fake-key-id', "Invalid keyId 'fake-key-id'"],
    ['mrk-fake', "Invalid keyId 'mrk-fake'"],
    ['11111111-2222-4333-8444-555555555555', "Key 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555' does not exist"],
    ['alias/none', 'Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.'],
    ['arn:aws:kms:us-east-1:111122223333:alias/none', 'Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.'],
    ['arn:aws:kms:eu-west-1:111122223333:key/x', 'Invalid arn eu-west-1'],
    ['arn:aws:kms:us-east-1:999999999999:key/x', "Key 'arn:aws:kms:us-east-1:999999999999:key/x' does not exist"],
    ['arn:aws:s3:us-east-1:111122223333:key/x', 'Invalid arn arn:aws:s3:us-east-1:111122223333:key/x'],
    ['arn:aws:kms', 'Invalid arn arn:aws:kms'],
    ['arn:aws:kms:us-east-1:111122223333:thing', "Invalid keyId 'thing'"],
  ])('that leads nowhere is refused: %s', async (KeyId, message) => {
    const client = clientOf(await startServer());
    const error = await refusal(client.send(new DescribeKeyCommand({ KeyId })));
    expect([error.name, error.message]).toEqual(['NotFoundException', message]);
  });

  it('is no alias where the operation takes keys only', async () => {
    const server = await startServer();
    const { aliasArn } = server.createKey({ alias: 'alias/app' });
    const client = clientOf(server);
    expect((await refusal(client.send(new DisableKeyCommand({ KeyId: 'alias/app' })))).name).toBe('NotFoundException');
    expect((await refusal(client.send(new DisableKeyCommand({ KeyId: aliasArn })))).name).toBe('InvalidArnException');
  });
});

describe('a disabled key', () => {
  it('is used for nothing until it is enabled again', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }));
    await client.send(new DisableKeyCommand({ KeyId }));
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ KeyState: 'Disabled', Enabled: false });
    const attempts = [
      client.send(new EncryptCommand({ KeyId, Plaintext })),
      client.send(new DecryptCommand({ CiphertextBlob })),
      client.send(new DecryptCommand({ CiphertextBlob, KeyId })),
      client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' })),
      client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: server.createKey().arn })),
      client.send(new EnableKeyRotationCommand({ KeyId })),
      client.send(new RotateKeyOnDemandCommand({ KeyId })),
    ];
    for (const error of await Promise.all(attempts.map(refusal))) {
      expect([error.name, error.message]).toEqual(['DisabledException', `${KeyId} is disabled.`]);
    }
    await client.send(new EnableKeyCommand({ KeyId }));
    await client.send(new DecryptCommand({ CiphertextBlob }));
  });
});

describe('a key that is to be deleted', () => {
  it('refuses everything but being described and kept', async () => {
    const clock = new ManualClock();
    const server = await startServer({ clock });
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const scheduled = await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    const DeletionDate = new Date(clock.now() + 7 * DAY);
    expect(scheduled).toMatchObject({ KeyId, DeletionDate, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', Enabled: false, DeletionDate });
    const attempts = [
      client.send(new EncryptCommand({ KeyId, Plaintext })),
      client.send(new EnableKeyCommand({ KeyId })),
      client.send(new DisableKeyCommand({ KeyId })),
      client.send(new ScheduleKeyDeletionCommand({ KeyId })),
      client.send(new TagResourceCommand({ KeyId, Tags: [] })),
      client.send(new EnableKeyRotationCommand({ KeyId })),
    ];
    for (const error of await Promise.all(attempts.map(refusal))) {
      expect([error.name, error.message]).toEqual(['KMSInvalidStateException', `${KeyId} is pending deletion.`]);
    }
    await client.send(new CancelKeyDeletionCommand({ KeyId }));
    expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata).toMatchObject({ KeyState: 'Disabled' });
    const error = await refusal(client.send(new CancelKeyDeletionCommand({ KeyId })));
    expect([error.name, error.message]).toEqual(['KMSInvalidStateException', `${KeyId} is not pending deletion.`]);
  });

  it('is gone after its waiting period, with its aliases and whatever it encrypted', async () => {
    const clock = new ManualClock();
    const server = await startServer({ clock });
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey({ alias: 'alias/old' });
    server.createKey({ alias: 'alias/kept' });
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }));
    const { PendingWindowInDays } = await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
    expect(PendingWindowInDays).toBe(30);
    clock.advance(30 * DAY - 1);
    await client.send(new DescribeKeyCommand({ KeyId: 'alias/old' }));
    clock.advance(1);
    expect((await refusal(client.send(new DescribeKeyCommand({ KeyId })))).name).toBe('NotFoundException');
    expect((await refusal(client.send(new DescribeKeyCommand({ KeyId: 'alias/old' })))).name).toBe('NotFoundException');
    await client.send(new DescribeKeyCommand({ KeyId: 'alias/kept' }));
    const error = await refusal(client.send(new DecryptCommand({ CiphertextBlob })));
    expect(error.name).toBe('AccessDeniedException');
    expect(error.message).toMatch(/^The ciphertext refers to a customer master key that does not exist/);
  });

  it.each([6, 31])('cannot wait for %d days', async (PendingWindowInDays) => {
    const server = await startServer();
    const command = new ScheduleKeyDeletionCommand({ KeyId: server.createKey().keyId, PendingWindowInDays });
    expect((await refusal(clientOf(server).send(command))).name).toBe('ValidationException');
  });
});

describe('ListKeys', () => {
  it('gives every key once, page by page, while others come', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const made = Array.from({ length: 5 }, () => server.createKey().keyId);
    const seen: (string | undefined)[] = [];
    for await (const { Keys } of paginateListKeys({ client, pageSize: 2 }, {})) {
      seen.push(...(Keys ?? []).map(({ KeyId }) => KeyId));
      server.createKey();
    }
    expect(seen.filter((id) => id !== undefined && made.includes(id)).sort()).toEqual(made.sort());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('gives 100 a page unless told otherwise, and knows its markers', async () => {
    const server = await startServer();
    const client = clientOf(server);
    for (let made = 0; made < 101; made++) server.createKey();
    expect((await client.send(new ListKeysCommand({}))).Keys).toHaveLength(100);
    expect((await client.send(new ListKeysCommand({ Limit: 101 }))).Truncated).toBe(false);
    const own = Buffer.from('after:0').toString('base64');
    await client.send(new ListKeysCommand({ Marker: own }));
    for (const Marker of ['nonsense', Buffer.from('else:0').toString('base64'), ` ${own}`]) {
      expect((await refusal(client.send(new ListKeysCommand({ Marker })))).name).toBe('InvalidMarkerException');
    }
    expect((await refusal(client.send(new ListKeysCommand({ Limit: 1001 })))).name).toBe('ValidationException');
  });
});

describe('GenerateDataKey', () => {
  it.each([
    [{ KeySpec: 'AES_256' }, 32],
    [{ KeySpec: 'AES_128' }, 16],
    [{ NumberOfBytes: 1024 }, 1024],
    [{ NumberOfBytes: 1 }, 1],
  ] as const)('makes a key of the length asked for: %o', async (size, length) => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const { Plaintext: key, CiphertextBlob } = await client.send(new GenerateDataKeyCommand({ KeyId, ...size }));
    expect(key).toHaveLength(length);
    expect((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toEqual(key);
    const without = await client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, ...size }));
    expect(without).not.toHaveProperty('Plaintext');
    expect((await client.send(new DecryptCommand({ CiphertextBlob: without.CiphertextBlob }))).Plaintext).toHaveLength(length);
  });

  it.each([{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }] as const)('takes one size, not %o', async (size) => {
    const server = await startServer();
    const command = new GenerateDataKeyCommand({ KeyId: server.createKey().arn, ...size });
    expect((await refusal(clientOf(server).send(command))).message).toBe('Please specify either number of bytes or key spec.');
  });
});
