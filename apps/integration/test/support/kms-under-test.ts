import { type ErrorCode, type KmsClient, openKms } from '@keyfold/core';
import { LocalKms } from '@keyfold/kms-local';
import { GcpKmsServer } from '@keyfold/testkit/gcp';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { AwsServer } from './aws-server.ts';
import { UNLOCK_KEY, keyringPath } from './product.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A key service with one key, for one test. */
export interface KmsUnderTest {
  /** A client as a process opens it that has just been started. */
  readonly open: () => Promise<KmsClient>;
  /** From now on every call fails with `outageCode`. */
  readonly stop: () => Promise<void> | void;
  /** And from now on none. */
  readonly resume: () => Promise<void> | void;
  readonly outageCode: ErrorCode;
}

async function opened(url: string, options: Readonly<Record<string, unknown>>): Promise<KmsClient> {
  const kms = await openKms(url, { load: (name) => import(name), options });
  onTestFinished(() => kms.close());
  return kms;
}

async function localKeyring(): Promise<KmsUnderTest> {
  const root = temporaryDirectory();
  mkdirSync(join(root, 'keys'), { mode: 0o700 });
  const path = keyringPath(root);
  await (await LocalKms.create(path, { key: UNLOCK_KEY })).close();
  const away = join(root, 'away');
  return {
    open: () => opened(`local://${path}`, { key: UNLOCK_KEY }),
    stop: () => {
      renameSync(path, away);
    },
    resume: () => {
      renameSync(away, path);
    },
    outageCode: 'KEY_NOT_FOUND',
  };
}

/** A client of the server's key, by its alias or by itself. */
export async function openAws({ address }: AwsServer, name: 'alias' | 'key'): Promise<KmsClient> {
  const { key, region, endpoint, credentials } = address;
  const query = new URLSearchParams({ region, endpoint });
  return opened(`aws-kms:///${(name === 'alias' ? key.aliasArn : undefined) ?? key.arn}?${query.toString()}`, { clientOptions: { credentials } });
}

async function aws(name: 'alias' | 'key'): Promise<KmsUnderTest> {
  const server = await AwsServer.start('alias/app');
  return {
    open: () => openAws(server, name),
    stop: () => server.inject({ kind: 'reset', count: 'always' }),
    resume: () => server.clearFaults(),
    outageCode: 'KMS_UNAVAILABLE',
  };
}

const awsAlias = (): Promise<KmsUnderTest> => aws('alias');
const awsKey = (): Promise<KmsUnderTest> => aws('key');

async function gcpKey(): Promise<KmsUnderTest> {
  const server = await GcpKmsServer.start();
  onTestFinished(() => server.close());
  const url = `gcp-kms://${server.createCryptoKey().name}?${new URLSearchParams({ endpoint: `http://${server.address}` }).toString()}`;
  return {
    open: () => opened(url, {}),
    stop: () => {
      server.faults.inject({ kind: 'html-503', count: 'always' });
    },
    resume: () => {
      server.faults.clear();
    },
    outageCode: 'KMS_UNAVAILABLE',
  };
}

/** Every key service that the product is tested under, each started anew by every test. */
export const EVERY_KMS: readonly (readonly [string, () => Promise<KmsUnderTest>])[] = [
  ['a local keyring', localKeyring],
  ['an alias of AWS KMS', awsAlias],
  ['a key of AWS KMS', awsKey],
  ['a key of Google Cloud KMS', gcpKey],
];
