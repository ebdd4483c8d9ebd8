import { KMS } from '@aws-sdk/client-kms';
import { AwsKmsServer, type AwsKmsServerOptions } from '@keyfold/testkit/aws';
import { onTestFinished } from 'vitest';
import { AwsKms, type AwsKmsOptions } from '../../src/index.ts';
import type { AwsKmsClient } from '../../src/aws-kms-client.ts';
import { REGION } from './constants.ts';

/** A server for one test. */
export async function startServer(options: AwsKmsServerOptions = {}): Promise<AwsKmsServer> {
  const server = await AwsKmsServer.start({ region: REGION, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** A client for one test, of the server's first principal unless told otherwise. */
export async function open(server: AwsKmsServer, keyId: string, options: Partial<AwsKmsOptions> = {}): Promise<AwsKmsClient> {
  const { client } = options;
  const settings = client === undefined ? { region: server.region, endpoint: server.endpoint, clientOptions: { credentials: { ...server.credentials } } } : {};
  const kms = await AwsKms.open({ ...settings, keyId, ...options });
  onTestFinished(() => kms.close());
  return kms;
}

/** The SDK's own client, for what an administrator does. */
export function administrator(server: AwsKmsServer, region = server.region): KMS {
  const admin = new KMS({ region, endpoint: server.endpoint, credentials: { ...server.credentials }, maxAttempts: 1 });
  onTestFinished(() => {
    admin.destroy();
  });
  return admin;
}
