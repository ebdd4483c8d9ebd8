import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { CONTEXT } from './support/constants.ts';
import { administrator, open, startServer } from './support/server.ts';

const WORKER = fileURLToPath(new URL('fixtures/rotate.mjs', import.meta.url));

test.each([
  ['CreateAlias', 'before', 0], ['CreateAlias', 'after', 0], ['CreateAlias', 'after', 1], ['CreateKey', 'after', 0], ['UpdateAlias', 'before', 0], ['UpdateAlias', 'after', 0],
] as const)('a process killed in its first rotation, at %s, %s AWS carried it out (after %i others), leaves a key that works and a rotation to be ended', async (operation, when, after) => {
  const server = await startServer();
  server.createKey({ alias: 'alias/app' });
  const hang = server.faults.inject({ kind: 'hang', when, operation, after });
  const { accessKeyId, secretAccessKey } = server.credentials;
  const worker = spawn(process.execPath, [WORKER, server.endpoint, server.region, 'alias/app', accessKeyId, secretAccessKey], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => {
    worker.kill('SIGKILL');
  });
  const exited = once(worker, 'exit');
  const kms = await open(server, 'alias/app');
  const before = await kms.generateDataKey({ context: CONTEXT });
  await expect.poll(() => hang.hits, { timeout: 20_000 }).toBe(1);
  worker.kill('SIGKILL');
  expect(await exited).toEqual([null, 'SIGKILL']);
  const meanwhile = await kms.generateDataKey({ context: CONTEXT });
  const version = await kms.rotateKey();
  for (const { plaintext, wrapped } of [before, meanwhile]) expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  const { KeyMetadata: current } = await administrator(server).describeKey({ KeyId: 'alias/app' });
  expect(version.id.startsWith(`${String(current?.KeyId)}/`)).toBe(true);
});
