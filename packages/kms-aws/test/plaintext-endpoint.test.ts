import { expect, test, vi, onTestFinished } from 'vitest';
import { AwsKms, type AwsKmsOptions } from '../src/index.ts';
import { CONTEXT, CREDENTIALS, KEY_ARN } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

/** What is sent under an endpoint that the environment, and no option, names. */
async function sentTo(endpoint: string, options: Partial<AwsKmsOptions> = {}): Promise<{ hosts: string[]; message: string }> {
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', endpoint);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const hosts: string[] = [];
  const requestHandler = {
    handle: (request: { protocol: string; hostname: string }): Promise<never> => {
      hosts.push(`${request.protocol}//${request.hostname}`);
      return Promise.reject(Object.assign(new Error('not sent'), { code: 'ENETUNREACH' }));
    },
  };
  const kms = await AwsKms.open({ keyId: KEY_ARN, clientOptions: { credentials: CREDENTIALS, requestHandler }, ...options });
  const expected = endpoint.startsWith('http://kms') && options.allowPlaintextHttp !== true ? 'CONFIG_INVALID' : 'KMS_UNAVAILABLE';
  const { message } = await failure(expected, () => kms.encrypt(new Uint8Array(32), { context: CONTEXT }));
  await kms.close();
  return { hosts, message };
}

test('trap: the SDK takes an endpoint from the environment, too; over http to another machine nothing is sent', async () => {
  const { hosts, message } = await sentTo('http://kms.example:4566');
  expect(hosts).toEqual([]);
  expect(message).toMatch(/in clear.*AWS_ENDPOINT_URL/);
});

test.each(['https://kms.example', 'http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1'])('%s is taken from there', async (endpoint) => {
  expect((await sentTo(endpoint)).hosts).toHaveLength(1);
});

test('an emulator on another machine is taken when that is said', async () => {
  expect((await sentTo('http://kms.example:4566', { allowPlaintextHttp: true })).hosts).toEqual(['http://kms.example']);
});
