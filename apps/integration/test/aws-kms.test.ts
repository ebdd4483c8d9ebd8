import { KMS } from '@aws-sdk/client-kms';
import { AwsKms } from '@keyfold/kms-aws';
import { EncryptedCheckpointStore, MemoryObjectStore } from '@keyfold/store-checkpoint';
import { AwsKmsServer, type AwsPolicy } from '@keyfold/testkit/aws';
import type { KmsClient } from '@keyfold/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TENANT } from './support/product.ts';

const REGIONS = ['eu-west-1', 'us-east-1'] as const;
const DATA = new TextEncoder().encode('the state of a job');

async function startServer(): Promise<AwsKmsServer> {
  const server = await AwsKmsServer.start({ region: REGIONS[0], otherRegions: [REGIONS[1]], backgroundMs: 0 });
  onTestFinished(() => server.close());
  return server;
}

async function openKms(server: AwsKmsServer, keyId: string, { region = server.region, policy }: { region?: string; policy?: AwsPolicy } = {}): Promise<KmsClient> {
  const credentials = policy === undefined ? { ...server.credentials } : server.addPrincipal({ policy });
  const kms = await AwsKms.open({ keyId, region, endpoint: server.endpoint, clientOptions: { credentials } });
  onTestFinished(() => kms.close());
  return kms;
}

async function openStore(objects: MemoryObjectStore, kms: KmsClient, testKms = true): Promise<EncryptedCheckpointStore> {
  const store = await EncryptedCheckpointStore.open({ objects, kms, tenant: TENANT, keyCache: { maxEntries: 0 }, testKms });
  onTestFinished(() => store.close());
  return store;
}

describe('checkpoints under AWS KMS', () => {
  test.each(['alias/app', 'key'])('are saved, read by another process, rotated, rewrapped, and need the old version no more: %s', async (name) => {
    const server = await startServer();
    const { arn, keyId } = server.createKey({ alias: 'alias/app' });
    const keyName = name === 'key' ? arn : name;
    const kms = await openKms(server, keyName);
    const objects = new MemoryObjectStore();
    const store = await openStore(objects, kms);
    await store.save('job-7/chk-1', DATA);
    const version = await kms.rotateKey();
    await store.save('job-7/chk-2', DATA);
    const result = await store.rewrap('job-7/chk-1');
    expect(result).toMatchObject({ outcome: 'rewrapped', wrap: { keyVersion: version.id } });
    expect(await store.rewrap('job-7/chk-1')).toMatchObject({ outcome: 'unchanged' });
    if (name === 'alias/app') {
      const admin = new KMS({ region: server.region, endpoint: server.endpoint, credentials: { ...server.credentials } });
      await admin.deleteAlias({ AliasName: 'alias/app-v1' });
      await admin.scheduleKeyDeletion({ KeyId: keyId });
      admin.destroy();
    }
    const other = await openStore(objects, await openKms(server, keyName));
    for (const id of ['job-7/chk-1', 'job-7/chk-2']) expect(await other.load(id)).toEqual(DATA);
  });

  test('tell AWS whose and which they are, and not what', async () => {
    const server = await startServer();
    const store = await openStore(new MemoryObjectStore(), await openKms(server, server.createKey().arn));
    server.requests.clear();
    await store.save('job-7/chk-1', DATA);
    await store.load('job-7/chk-1');
    expect(server.requests.list().map(({ operation }) => operation)).toEqual(['GenerateDataKey', 'Decrypt']);
    for (const { encryptionContext } of server.requests.list()) {
      expect(encryptionContext).toMatchObject({ keyfold: '1', use: 'checkpoint', tenant: TENANT, scope: 'job-7/chk-1' });
    }
  });

  test('of one region open in another through the replica, when the first one is gone', async () => {
    const server = await startServer();
    const { arn, keyId } = server.createKey({ multiRegion: true });
    const admin = new KMS({ region: server.region, endpoint: server.endpoint, credentials: { ...server.credentials } });
    await admin.replicateKey({ KeyId: keyId, ReplicaRegion: REGIONS[1] });
    const objects = new MemoryObjectStore();
    await (await openStore(objects, await openKms(server, arn))).save('a', DATA);
    await admin.disableKey({ KeyId: keyId });
    admin.destroy();
    const elsewhere = await openKms(server, arn.replace(REGIONS[0], REGIONS[1]), { region: REGIONS[1] });
    expect(await (await openStore(objects, elsewhere)).load('a')).toEqual(DATA);
  });

  test('written by one who may not read are read by one who may not write', async () => {
    const server = await startServer();
    const { arn } = server.createKey();
    const may = (action: string): AwsPolicy => ({ Statement: { Effect: 'Allow', Action: action, Resource: arn, Condition: { StringEquals: { 'kms:EncryptionContext:tenant': TENANT } } } });
    const objects = new MemoryObjectStore();
    const writer = await openStore(objects, await openKms(server, arn, { policy: may('kms:GenerateDataKey') }), false);
    const reader = await openStore(objects, await openKms(server, arn, { policy: may('kms:Decrypt') }), false);
    await writer.save('a', DATA);
    await expect(writer.load('a')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    expect(await reader.load('a')).toEqual(DATA);
    await expect(reader.save('b', DATA)).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
  });

  test('whose record names another key send nothing there', async () => {
    const server = await startServer();
    const objects = new MemoryObjectStore();
    await (await openStore(objects, await openKms(server, server.createKey().arn))).save('a', DATA);
    const stranger = await openStore(objects, await openKms(server, server.createKey().arn));
    server.requests.clear();
    await expect(stranger.load('a')).rejects.toMatchObject({ code: 'KEY_NOT_ALLOWED' });
    expect(server.requests.count()).toBe(0);
  });
});
