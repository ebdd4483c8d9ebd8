import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { openClients } from '../src/connection.ts';
import { GcpKms } from '../src/index.ts';
import { CONTEXT, KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { administrator, bearer, open, startServer } from './support/server.ts';

/** Runs a program with the built package, in an environment without credentials. */
async function run(program: string, env: Record<string, string> = {}): Promise<{ stdout: string; stderr: string }> {
  const home = await mkdtemp(join(tmpdir(), 'keyfold-gcp-'));
  onTestFinished(() => rm(home, { recursive: true }));
  return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], HOME: home, METADATA_SERVER_DETECTION: 'none', ...env },
  });
}

test.each([
  ['none', {}],
  ['a file that is not there', { GOOGLE_APPLICATION_CREDENTIALS: '/no/such/file.json' }],
])('trap: credentials that cannot be had (%s) do not end the process; it is AUTHENTICATION_FAILED, and nothing was reached', async (_, env) => {
  const { stdout } = await run(
    `import { GcpKms } from '@keyfold/kms-gcp';
    const kms = await GcpKms.open({ keyId: '${KEY}' });
    const context = { purpose: 'wrap', use: 'checkpoint', tenant: 'acme', scope: 'job-1', dek: '00'.repeat(16) };
    for (const call of [() => kms.generateDataKey({ context }), () => kms.currentKeyVersion()]) await call().catch((error) => console.log(error.code, error.message.includes('/no/such')));
    const { reachable, permitted, problem } = await kms.testConnection();
    console.log(reachable, permitted, problem.code);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await kms.close();`,
    env,
  );
  expect(stdout).toBe('AUTHENTICATION_FAILED false\nAUTHENTICATION_FAILED false\nfalse false AUTHENTICATION_FAILED\n');
});

test('trap: the same for a client of the user\'s', async () => {
  const { stdout } = await run(
    `import { KeyManagementServiceClient } from '@google-cloud/kms';
    import { GcpKms } from '@keyfold/kms-gcp';
    const kms = await GcpKms.open({ keyId: '${KEY}', client: new KeyManagementServiceClient() });
    await kms.currentKeyVersion().catch((error) => console.log(error.code));`,
  );
  expect(stdout).toBe('AUTHENTICATION_FAILED\n');
});

test('a client that found no credentials is given up: the next call looks again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyfold-gcp-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const keyFilename = join(folder, 'key.json');
  const kms = await GcpKms.open({ keyId: KEY, endpoint: 'https://127.0.0.1:1', clientOptions: { keyFilename } });
  onTestFinished(() => kms.close());
  await failure('AUTHENTICATION_FAILED', () => kms.currentKeyVersion());
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
  await writeFile(keyFilename, JSON.stringify({ type: 'service_account', project_id: 'test-project', client_email: 'app@test-project.iam.gserviceaccount.com', private_key: privateKey }));
  await failure('KMS_UNAVAILABLE', () => kms.currentKeyVersion());
});

test('trap: keys with the same settings share one client of the process, and the last to close ends it', async () => {
  const server = await startServer();
  const authClient = bearer(server.token);
  const settings = { endpoint: `http://${server.address}`, clientOptions: { authClient } };
  const before = openClients();
  const [one, two] = await Promise.all([1, 2].map(() => GcpKms.open({ ...settings, keyId: server.createCryptoKey().name })));
  const other = await GcpKms.open({ ...settings, keyId: KEY, clientOptions: { authClient: bearer(server.token) } });
  expect(openClients()).toBe(before + 2);
  await one?.generateDataKey({ context: CONTEXT });
  await one?.close();
  await one?.close();
  await two?.generateDataKey({ context: CONTEXT });
  expect(openClients()).toBe(before + 2);
  await two?.close();
  await other.close();
  expect(openClients()).toBe(before);
});

test('trap: with a server on this machine nobody looks for credentials or a metadata server', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const { stdout, stderr } = await run(
    `import { GcpKms } from '@keyfold/kms-gcp';
    const kms = await GcpKms.open({ keyId: '${name}', endpoint: 'http://${server.address}' });
    console.log((await kms.currentKeyVersion()).id);
    await kms.close();`,
    { METADATA_SERVER_DETECTION: 'assume-present' },
  );
  expect({ stdout, stderr }).toEqual({ stdout: '1\n', stderr: '' });
});

test('trap: the SDK would log keys in clear when GOOGLE_SDK_NODE_LOGGING names it; it is CONFIG_INVALID', async () => {
  const server = await startServer();
  const program = `import { GcpKms } from '@keyfold/kms-gcp';
    const kms = await GcpKms.open({ keyId: '${server.createCryptoKey().name}', endpoint: 'http://${server.address}' });
    await kms.currentKeyVersion().then(() => console.log('ok'), (error) => console.log(error.code));
    await kms.close();`;
  for (const systems of ['all', '*', 'auth,kms', 'kms']) expect((await run(program, { GOOGLE_SDK_NODE_LOGGING: systems })).stdout).toBe('CONFIG_INVALID\n');
  for (const systems of ['', 'auth']) expect((await run(program, { GOOGLE_SDK_NODE_LOGGING: systems })).stdout).toBe('ok\n');
});

test('a service that does not answer is KMS_UNAVAILABLE when the time of the call is up, and the request is broken off', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name, { requestTimeoutMs: 100 });
  await kms.currentKeyVersion();
  server.faults.inject({ kind: 'hang' });
  await failure('KMS_UNAVAILABLE', () => kms.currentKeyVersion());
  await kms.currentKeyVersion();
});

test('the time of a call counts the search for credentials', async () => {
  const never = { getRequestHeaders: () => new Promise<Headers>(() => undefined) };
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name, { requestTimeoutMs: 50, clientOptions: { authClient: never } });
  await failure('KMS_UNAVAILABLE', () => kms.currentKeyVersion());
});

test('closing ends what is under way', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  const hang = server.faults.inject({ kind: 'hang' });
  const waiting = failure('CLOSED', () => kms.generateDataKey({ context: CONTEXT }));
  await expect.poll(() => hang.hits).toBe(1);
  await kms.close();
  await waiting;
});

test('closing a key ends its own calls and not those of another key that shares the client', async () => {
  const server = await startServer();
  const clientOptions = { authClient: bearer(server.token) };
  const [one, two] = await Promise.all([open(server, server.createCryptoKey().name, { clientOptions }), open(server, server.createCryptoKey().name, { clientOptions })]);
  const hang = server.faults.inject({ kind: 'hang' });
  const waiting = failure('CLOSED', () => one.generateDataKey({ context: CONTEXT }));
  await expect.poll(() => hang.hits).toBe(1);
  const slow = server.faults.inject({ kind: 'latency', ms: 200 });
  const going = two.currentKeyVersion();
  await expect.poll(() => slow.hits).toBe(1);
  await one.close();
  await waiting;
  expect(await going).toMatchObject({ id: '1' });
});

test('a caller who aborts breaks the request itself off', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name, { requestTimeoutMs: 600_000 });
  const hang = server.faults.inject({ kind: 'hang' });
  const controller = new AbortController();
  const waiting = failure('ABORTED', () => kms.generateDataKey({ context: CONTEXT, signal: controller.signal }));
  await expect.poll(() => hang.hits).toBe(1);
  expect(server.cancelled).toBe(0);
  controller.abort();
  await waiting;
  await expect.poll(() => server.cancelled, { timeout: 20_000 }).toBe(1);
});

test.each([['throttle', 'KMS_THROTTLED'], ['html-503', 'KMS_UNAVAILABLE'], ['reset', 'KMS_UNAVAILABLE']] as const)('retries are left to core: %s is asked once', async (kind, code) => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name);
  server.faults.inject({ kind, count: 'always' });
  await failure(code, () => kms.generateDataKey({ context: CONTEXT }));
  expect(server.requests.count()).toBe(1);
});

test('nobody listens: KMS_UNAVAILABLE', async () => {
  const kms = await GcpKms.open({ keyId: KEY, endpoint: 'http://127.0.0.1:1' });
  await failure('KMS_UNAVAILABLE', () => kms.generateDataKey({ context: CONTEXT }));
  expect((await kms.testConnection()).reachable).toBe(false);
  await kms.close();
});

test('a client of the user\'s works, and stays open', async () => {
  const server = await startServer();
  const client = administrator(server);
  onTestFinished(() => client.close());
  const { name } = server.createCryptoKey();
  const kms = await open(server, name, { client });
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  await kms.close();
  await failure('CLOSED', () => kms.decrypt(wrapped, { context: CONTEXT }));
  await client.getCryptoKey({ name });
});

test('credentials that the service refuses are AUTHENTICATION_FAILED, and it was reached', async () => {
  const server = await startServer();
  const kms = await open(server, server.createCryptoKey().name, { clientOptions: { authClient: bearer('hunter2') } });
  const error = await failure('AUTHENTICATION_FAILED', () => kms.generateDataKey({ context: CONTEXT }));
  expect(JSON.stringify(error) + String(error.stack)).not.toContain('hunter2');
  expect(await kms.testConnection()).toMatchObject({ reachable: true, permitted: false, problem: { code: 'AUTHENTICATION_FAILED' } });
});
