import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { AwsKms } from '../src/index.ts';
import { CONTEXT, CREDENTIALS, KEY_ARN } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { serve } from './support/http.ts';
import { open, startServer } from './support/server.ts';

const clientOptions = { credentials: CREDENTIALS };

async function against(answer: (request: IncomingMessage, response: ServerResponse) => void, more = {}): Promise<Awaited<ReturnType<typeof AwsKms.open>>> {
  return AwsKms.open({ keyId: KEY_ARN, endpoint: await serve(answer), clientOptions, ...more });
}

test('trap: a request that takes too long fails, where the SDK by itself only warns', async () => {
  const kms = await against(() => undefined, { requestTimeoutMs: 50 });
  await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
  await kms.close();
});

test.each([[503, 'KMS_UNAVAILABLE'], [502, 'KMS_UNAVAILABLE'], [429, 'KMS_THROTTLED'], [200, 'KMS_PROTOCOL_ERROR'], [403, 'KMS_PROTOCOL_ERROR'], [404, 'KMS_PROTOCOL_ERROR']] as const)(
  'trap: a page of HTML with status %i, at which the SDK gives a SyntaxError, is %s',
  async (status, code) => {
    const kms = await against((_, response) => {
      response.writeHead(status, { 'content-type': 'text/html' }).end('<html><body>Sorry</body></html>');
    });
    await failure(code, () => kms.generateDataKey({ context: CONTEXT }));
    await kms.close();
  },
);

test('trap: LimitExceededException, which the SDK takes for throttling and retries, is asked once', async () => {
  const server = await startServer();
  const kms = await open(server, server.createKey().arn, { rotation: { strategy: 'on-demand', pollMs: 5 } });
  server.faults.inject({ kind: 'error', status: 400, code: 'LimitExceededException', operation: 'RotateKeyOnDemand', count: 'always' });
  await failure('ROTATION_LIMIT', () => kms.rotateKey());
  expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
});

test.each([
  ['throttle' as const, 'KMS_THROTTLED' as const], ['html-503' as const, 'KMS_UNAVAILABLE' as const], ['reset' as const, 'KMS_UNAVAILABLE' as const],
])('retries are left to core: %s is asked once', async (kind, code) => {
  const server = await startServer();
  const kms = await open(server, server.createKey().arn);
  server.faults.inject({ kind, count: 'always' });
  await failure(code, () => kms.generateDataKey({ context: CONTEXT }));
  expect(server.requests.count()).toBe(1);
});

test('nobody listens: KMS_UNAVAILABLE', async () => {
  const kms = await AwsKms.open({ keyId: KEY_ARN, endpoint: 'http://127.0.0.1:1', clientOptions });
  await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
  expect((await kms.testConnection()).reachable).toBe(false);
  await kms.close();
});

test('a name that no server has: KMS_UNAVAILABLE', async () => {
  const kms = await AwsKms.open({ keyId: KEY_ARN, endpoint: 'https://kms.invalid', clientOptions });
  await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
  await kms.close();
});

test('a server that speaks no TLS: KMS_UNAVAILABLE', async () => {
  const http = await serve((_, response) => response.end());
  const kms = await AwsKms.open({ keyId: KEY_ARN, endpoint: http.replace('http:', 'https:'), clientOptions });
  await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
  await kms.close();
});

test('closing ends what is under way', async () => {
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const kms = await against(() => {
    arrive();
  });
  const waiting = failure('CLOSED', () => kms.generateDataKey({ context: CONTEXT }));
  await arrived;
  await kms.close();
  await waiting;
});

test('credentials that a provider cannot give are AUTHENTICATION_FAILED, and nothing was reached', async () => {
  const server = await startServer();
  const credentials = (): Promise<never> => Promise.reject(Object.assign(new Error('hunter2'), { name: 'CredentialsProviderError' }));
  const kms = await open(server, server.createKey().arn, { clientOptions: { credentials } });
  const error = await failure('AUTHENTICATION_FAILED', () => kms.generateDataKey({ context: CONTEXT }));
  expect(JSON.stringify(error) + String(error.stack)).not.toContain('hunter2');
  expect(await kms.testConnection()).toMatchObject({ reachable: false, permitted: false, problem: { code: 'AUTHENTICATION_FAILED' } });
  expect(server.requests.count()).toBe(0);
});

test('credentials that the service refuses are AUTHENTICATION_FAILED, and it was reached', async () => {
  const server = await startServer();
  const kms = await open(server, server.createKey().arn, { clientOptions: { credentials: CREDENTIALS } });
  await failure('AUTHENTICATION_FAILED', () => kms.generateDataKey({ context: CONTEXT }));
  expect(await kms.testConnection()).toMatchObject({ reachable: true, permitted: false });
});

test('with FIPS, requests go to AWS\'s FIPS endpoint of the region', async () => {
  const hosts: string[] = [];
  const requestHandler = { handle: (request: { hostname: string }): Promise<never> => {
    hosts.push(request.hostname);
    return Promise.reject(Object.assign(new Error('not sent'), { code: 'ENETUNREACH' }));
  } };
  const arn = KEY_ARN.replace('eu-west-1', 'us-east-1');
  for (const fips of [true, false]) {
    const kms = await AwsKms.open({ keyId: arn, fips, clientOptions: { ...clientOptions, requestHandler } });
    await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
    await kms.close();
  }
  expect(hosts).toEqual(['kms-fips.us-east-1.amazonaws.com', 'kms.us-east-1.amazonaws.com']);
});

test('trap: without any region the SDK fails with an error of no kind; it is CONFIG_INVALID', async () => {
  const script = `import { AwsKms } from '@keyfold/kms-aws'; await AwsKms.open({ keyId: 'alias/app' }).catch((error) => console.log(error.code));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' },
  });
  expect(stdout).toBe('CONFIG_INVALID\n');
});
