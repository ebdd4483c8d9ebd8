import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { expect, onTestFinished } from 'vitest';
import { AwsKmsServer, type AwsKmsServerOptions } from '../../src/aws.ts';
import { checkAnswers } from './contract.ts';

/** A server that ends with the test. */
export async function startServer(options: AwsKmsServerOptions = {}): Promise<AwsKmsServer> {
  const server = await AwsKmsServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/**
 * The SDK, without retries unless asked for, ended with the test. Every answer is held against the
 * SDK's schemas on its way in.
 */
export function clientOf(server: AwsKmsServer, config: KMSClientConfig = {}): KMSClient {
  const client = plainClientOf(server, config);
  checkAnswers(client);
  return client;
}

/** The same without looking at answers: for faults that break the contract. */
export function plainClientOf(server: AwsKmsServer, config: KMSClientConfig = {}): KMSClient {
  const client = new KMSClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: server.credentials,
    maxAttempts: 1,
    ...config,
  });
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

/** The name of the error with which `work` ends. */
export async function refusal(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return expect.fail('Expected a refusal.');
}
