import { expect, it, onTestFinished } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { callControl } from '../support/control.ts';
import { as, clientOf, ONCE, refused } from '../support/gcp.ts';

interface Printed {
  readonly notForProduction: boolean;
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly control: string;
  readonly token: string;
  readonly key: { readonly name: string };
}

/** Runs the command until it has printed something; it ends with the test. */
async function start(...args: string[]): Promise<string> {
  let tell = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let finished: Promise<number> = Promise.resolve(0);
  const out = await new Promise<string>((resolve) => {
    finished = runCli(['gcp', ...args], { out: resolve, err: resolve, ended });
  });
  onTestFinished(async () => {
    tell();
    expect(await finished).toBe(0);
  });
  return out;
}

it('the command gcp starts a server with a key, faults and a control endpoint, and prints how to reach it', async () => {
  const fault = JSON.stringify({ kind: 'throttle', operation: 'GetCryptoKey' });
  const printed = JSON.parse(await start('--json', '--project', 'my-project', '--location', 'global', '--key-ring', 'r', '--key', 'k', '--hsm', '--require-token', '--fault', fault)) as Printed;
  expect(printed).toMatchObject({ notForProduction: true, key: { name: 'projects/my-project/locations/global/keyRings/r/cryptoKeys/k' } });
  const { name } = printed.key;
  const kms = await clientOf(printed);
  await refused(kms.getCryptoKey({ name }, ONCE), 16);
  await refused(kms.getCryptoKey({ name }, as(printed.token)), 8);
  const [key] = await kms.getCryptoKey({ name }, as(printed.token));
  expect(key.versionTemplate?.protectionLevel).toBe('HSM');
  const { body } = await callControl(printed.control, 'GET', '/requests?operation=GetCryptoKey');
  expect((body as { requests: object[] }).requests).toHaveLength(3);
});

it('the command gcp prints for a shell what a test needs, and that it is no KMS for production', async () => {
  const out = await start('--token', 'secret');
  expect(out).toMatch(/^# .*no KMS for production\.$/m);
  expect(out).toMatch(/^export KMS_ADDRESS=127\.0\.0\.1:\d+$/m);
  expect(out).toMatch(/^export KMS_TOKEN='secret'$/m);
  expect(out).toMatch(/^export KMS_KEY=projects\/test-project\/locations\/europe-west3\/keyRings\/ring\/cryptoKeys\/app$/m);
});
