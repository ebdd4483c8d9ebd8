import { DescribeKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { refusal } from '../support/aws.ts';
import { callControl } from '../support/control.ts';

interface Running {
  /** The first thing that it printed. */
  readonly out: string;
  readonly end: () => Promise<number>;
}

/** Runs the command line in this process until it has printed something. */
async function start(...args: string[]): Promise<Running> {
  let tell = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let finished: Promise<number> = Promise.resolve(0);
  const out = await new Promise<string>((resolve) => {
    finished = runCli(args, { out: resolve, err: () => undefined, ended });
  });
  const end = (): Promise<number> => {
    tell();
    return finished;
  };
  onTestFinished(async () => {
    await end();
  });
  return { out, end };
}

/** Runs a command line that ends by itself. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const io = { out: (text: string) => (out += text), err: (text: string) => (err += text), ended: Promise.resolve() };
  const code = await runCli(args, io);
  return { code, out, err };
}

interface Printed {
  readonly notForProduction: boolean;
  readonly endpoint: string;
  readonly control: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly key: { readonly keyId: string; readonly arn: string; readonly aliasArn?: string };
}

function clientFor({ endpoint, region, credentials }: Printed): KMSClient {
  const client = new KMSClient({ endpoint, region, credentials, maxAttempts: 1 });
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

describe('the command aws', () => {
  it('prints as JSON how to reach a server with a key, and ends when it is told to', async () => {
    const { out, end } = await start('aws', '--json', '--region', 'eu-central-1', '--other-region', 'eu-west-1', '--alias', 'alias/app');
    const printed = JSON.parse(out) as Printed;
    expect(printed).toMatchObject({ notForProduction: true, region: 'eu-central-1' });
    const client = clientFor(printed);
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    expect(KeyMetadata?.Arn).toBe(printed.key.arn);
    const elsewhere = clientFor({ ...printed, region: 'eu-west-1' });
    expect((await refusal(elsewhere.send(new DescribeKeyCommand({ KeyId: 'alias/app' })))).name).toBe('NotFoundException');
    expect(await end()).toBe(0);
    // A new client: the old one may still be taking in that its connection is gone.
    const late = clientFor(printed).send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    expect(await refusal(late)).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('prints for a shell what SDKs read, and that it is no KMS for production', async () => {
    const { out } = await start('aws', '--access-key-id', 'AKIAGIVEN', '--secret-access-key', 'a secret');
    expect(out).toMatch(/^# .*no KMS for production\.$/m);
    expect(out).toMatch(/^export AWS_ENDPOINT_URL_KMS=http:\/\/127\.0\.0\.1:\d+$/m);
    expect(out).toMatch(/^export AWS_REGION=us-east-1$/m);
    expect(out).toMatch(/^export AWS_ACCESS_KEY_ID=AKIAGIVEN$/m);
    expect(out).toMatch(/^export AWS_SECRET_ACCESS_KEY='a secret'$/m);
    expect(out).toMatch(/^# key {6}arn:aws:kms:us-east-1:111122223333:key\/[0-9a-f-]{36}$/m);
    expect(out).not.toMatch(/^# alias/m);
    expect((await start('aws', '--alias', 'alias/app')).out).toMatch(/^# alias {4}arn:aws:kms:.*:alias\/app$/m);
  });

  it('starts with the faults that it is given and takes more at its control endpoint', async () => {
    const throttle = JSON.stringify({ kind: 'throttle', operation: 'Encrypt' });
    const { out } = await start('aws', '--json', '--fault', throttle, '--fault', '{"kind":"latency","ms":1}');
    const printed = JSON.parse(out) as Printed;
    const client = clientFor(printed);
    const encrypt = () => client.send(new EncryptCommand({ KeyId: printed.key.keyId, Plaintext: Buffer.from('a') }));
    expect((await refusal(encrypt())).name).toBe('ThrottlingException');
    await encrypt();
    expect((await callControl(printed.control, 'POST', '/faults', { kind: 'expired-credentials' })).status).toBe(201);
    expect((await refusal(encrypt())).name).toBe('ExpiredTokenException');
    expect((await callControl(printed.control, 'GET', '/requests')).body).toMatchObject({ requests: [{}, {}, {}] });
  });

  it.each<[string, string[], RegExp]>([
    ['a port that is none', ['--port', '70000'], /0 to 65535/],
    ['a port that is no number', ['--control-port', 'x'], /0 to 65535/],
    ['a fault that is no JSON', ['--fault', '{'], /JSON/],
    ['a fault that is none', ['--fault', '{"kind":"fire"}'], /kind must be one of/],
    ['half of the credentials', ['--access-key-id', 'A'], /together/],
    ['a region that is none', ['--region', 'Paris'], /Paris/],
    ['an alias that is none', ['--alias', 'app'], /alias\/name/],
    ['an option that it does not have', ['--production'], /unknown option/],
  ])('refuses %s with a sentence and exit code 1', async (_, args, message) => {
    const { code, out, err } = await run('aws', ...args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
  });

  it('refuses a control port that is taken, and leaves nothing running', async () => {
    const { out } = await start('aws', '--json');
    const { port } = new URL((JSON.parse(out) as Printed).control);
    expect(await run('aws', '--control-port', port)).toMatchObject({ code: 1, err: expect.stringContaining(port) as string });
  });
});

describe('the command line', () => {
  it('explains itself', async () => {
    const help = await run('--help');
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toMatch(/aws .*Local AWS KMS server/);
    expect((await run('aws', '--help')).out).toMatch(/--fault <json>/);
  });

  it('refuses a command that it does not have', async () => {
    expect(await run('coffee')).toMatchObject({ code: 1, err: expect.stringMatching(/unknown command/) as string });
  });

  it('lets through what is a defect and no refusal', async () => {
    const io = {
      out: () => {
        throw new TypeError('a defect');
      },
      err: () => undefined,
      ended: Promise.resolve(),
    };
    expect(await refusal(runCli(['aws'], io))).toBeInstanceOf(TypeError);
  });
});
