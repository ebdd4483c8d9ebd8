import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { collect } from './support/collect.ts';
import { CONTEXT } from './support/constants.ts';
import { open, startServer } from './support/server.ts';

const WORKER = fileURLToPath(new URL('fixtures/rotate.mjs', import.meta.url));

test.each([
  ['CreateCryptoKeyVersion', 'before', 2], ['CreateCryptoKeyVersion', 'after', 2], ['GetCryptoKeyVersion', 'before', 2],
  ['UpdateCryptoKeyPrimaryVersion', 'before', 2], ['UpdateCryptoKeyPrimaryVersion', 'after', 3],
] as const)('a process killed in its rotation, at %s, %s it was carried out, leaves a key that works and a rotation to be ended', async (operation, when, versions) => {
  const server = await startServer({ generationMs: 20 });
  const { name } = server.createCryptoKey({ protectionLevel: 'HSM' });
  const kms = await open(server, name, { rotation: { strategy: 'new-version', pollMs: 5 } });
  await expect.poll(() => kms.currentKeyVersion()).toMatchObject({ state: 'enabled' });
  const before = await kms.generateDataKey({ context: CONTEXT });
  const hang = server.faults.inject({ kind: 'hang', when, operation });
  const worker = spawn(process.execPath, [WORKER, `http://${server.address}`, name], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => {
    worker.kill('SIGKILL');
  });
  const exited = once(worker, 'exit');
  await expect.poll(() => hang.hits, { timeout: 20_000 }).toBe(1);
  worker.kill('SIGKILL');
  expect(await exited).toEqual([null, 'SIGKILL']);
  const meanwhile = await kms.generateDataKey({ context: CONTEXT });
  expect(await kms.rotateKey()).toMatchObject({ id: String(versions), state: 'enabled', primary: true });
  expect(await collect(kms.listKeyVersions())).toHaveLength(versions);
  expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe(String(versions));
  for (const { plaintext, wrapped } of [before, meanwhile]) expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
});
