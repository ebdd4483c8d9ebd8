import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  ListKeysCommand,
  type GenerateDataKeyCommandOutput,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { isKeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import type { AwsKmsServer, Fault } from '../../src/aws.ts';
import { plainClientOf, refusal, startServer } from '../support/aws.ts';

interface Scene {
  readonly server: AwsKmsServer;
  readonly client: KMSClient;
  readonly arn: string;
  readonly generate: () => Promise<GenerateDataKeyCommandOutput>;
}

async function scene(maxAttempts = 1): Promise<Scene> {
  const server = await startServer();
  const client = plainClientOf(server, { maxAttempts });
  const { arn } = server.createKey();
  return { server, client, arn, generate: () => client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256' })) };
}

describe('a fault', () => {
  it('meets as many requests of its operation as it was told to, after as many as it was told to let pass', async () => {
    const { server, client, generate } = await scene();
    const injected = server.faults.inject({ kind: 'throttle', operation: 'GenerateDataKey', after: 1, count: 2 });
    await generate();
    await client.send(new ListKeysCommand({}));
    expect(await refusal(generate())).toMatchObject({ name: 'ThrottlingException', message: 'Rate exceeded' });
    expect(injected).toMatchObject({ hits: 1, active: true });
    expect(await refusal(generate())).toMatchObject({ name: 'ThrottlingException' });
    expect(injected).toMatchObject({ hits: 2, active: false });
    await generate();
    expect(server.faults.list()).toEqual([]);
  });

  it('meets one request unless told otherwise, every one if told so, and none once it is taken back', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'throttle' });
    await refusal(generate());
    await generate();
    const always = server.faults.inject({ kind: 'throttle', count: 'always' });
    await refusal(generate());
    await refusal(generate());
    always.remove();
    await generate();
    expect(always.active).toBe(false);
    server.faults.inject({ kind: 'throttle', count: 'always' });
    server.faults.clear();
    await generate();
  });

  it('comes after the ones that were injected before it', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'throttle' });
    server.faults.inject({ kind: 'error', status: 500, code: 'KMSInternalException', message: 'again' });
    expect((await refusal(generate())).name).toBe('ThrottlingException');
    expect(await refusal(generate())).toMatchObject({ name: 'KMSInternalException', message: 'again', $metadata: { httpStatusCode: 500 } });
  });

  it('does not meet requests that could not be authenticated', async () => {
    const { server, generate } = await scene();
    const injected = server.faults.inject({ kind: 'throttle' });
    const stranger = plainClientOf(server, { credentials: { accessKeyId: 'AKIASTRANGER', secretAccessKey: 's' } });
    expect((await refusal(stranger.send(new ListKeysCommand({})))).name).toBe('UnrecognizedClientException');
    expect(injected.hits).toBe(0);
    await refusal(generate());
  });

  it('is survived by the retries of the SDK', async () => {
    const { server, generate } = await scene(3);
    server.faults.inject({ kind: 'throttle' });
    server.faults.inject({ kind: 'error', status: 500, code: 'KMSInternalException' });
    await generate();
    expect(server.requests.list().map(({ outcome }) => outcome)).toEqual(['ThrottlingException', 'KMSInternalException', 'ok']);
  });
});

describe('what a fault does', () => {
  it('latency: adds up, and the request is carried out afterwards', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'latency', ms: 2 });
    server.faults.inject({ kind: 'latency', ms: 3, count: 2 });
    expect(server.faults.take('X')).toEqual({ latencyMs: 5, fault: undefined });
    expect((await generate()).Plaintext).toHaveLength(32);
    expect(server.faults.list()).toEqual([]);
    expect(server.requests.list()).toMatchObject([{ outcome: 'ok', fault: undefined }]);
  });

  it('latency: ends with the server', async () => {
    const { server, generate } = await scene();
    const injected = server.faults.inject({ kind: 'latency', ms: 2_000_000_000 });
    const pending = refusal(generate());
    await expect.poll(() => injected.hits).toBe(1);
    await server.close();
    await pending;
  });

  it('html-503: answers with a page', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'html-503' });
    const error = await refusal(generate());
    expect(error).toMatchObject({ $metadata: { httpStatusCode: 503 } });
    expect(error.message).toMatch(/<|JSON/);
    expect(server.requests.list()).toMatchObject([{ outcome: 'HTTP 503', status: 503, fault: 'html-503' }]);
  });

  it('expired-credentials: answers as for an expired token', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'expired-credentials' });
    expect((await refusal(generate())).name).toBe('ExpiredTokenException');
  });

  it.each(['hang', 'reset'] as const)('%s: loses the request, or with when: after only its answer', async (kind) => {
    const { server, client, arn } = await scene();
    for (const when of ['before', 'after'] as const) {
      server.requests.clear();
      server.faults.inject({ kind, when });
      const abort = new AbortController();
      const sent = client.send(new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from('key') }), { abortSignal: abort.signal });
      const pending = refusal(sent);
      await expect.poll(() => server.requests.count()).toBe(1);
      if (kind === 'hang') abort.abort();
      const error = await pending;
      expect(error).toMatchObject(kind === 'hang' ? { name: 'AbortError' } : { code: 'ECONNRESET' });
      const outcome = when === 'before' ? 'not carried out' : 'ok';
      expect(server.requests.list()).toMatchObject([{ outcome, status: undefined, fault: kind }]);
    }
  });

  it('hang: ends when the server closes, and closing twice is fine', async () => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'hang' });
    const pending = refusal(generate());
    await expect.poll(() => server.requests.count()).toBe(1);
    await server.close();
    await server.close();
    expect(await pending).toMatchObject({ code: 'ECONNRESET' });
  });

  it.each<[string, Partial<Fault>]>([
    ['half', {}],
    ['nothing', { bytes: 0 }],
    ['all but the end', { bytes: 1_000_000 }],
  ])('truncate: sends %s of the answer', async (_, more) => {
    const { server, generate } = await scene();
    server.faults.inject({ kind: 'truncate', ...more } as Fault);
    expect(await refusal(generate())).toMatchObject({ code: 'ECONNRESET' });
    expect(server.requests.list()).toMatchObject([{ outcome: 'ok', status: undefined, fault: 'truncate' }]);
  });

  it('wrong-key: answers with other bytes of the same length', async () => {
    const { server, client, generate } = await scene();
    const { CiphertextBlob, Plaintext } = await generate();
    server.faults.inject({ kind: 'wrong-key', count: 'always' });
    const wrong = (await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext;
    expect(wrong).toHaveLength(32);
    expect(wrong).not.toEqual(Plaintext);
    const made = await generate();
    server.faults.clear();
    expect((await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }))).Plaintext).not.toEqual(made.Plaintext);
  });

  it('short-key: answers with the beginning of the key', async () => {
    const { server, client, generate } = await scene();
    server.faults.inject({ kind: 'short-key' });
    server.faults.inject({ kind: 'short-key', bytes: 31 });
    const short = await generate();
    expect(short.Plaintext).toHaveLength(16);
    expect((await generate()).Plaintext).toHaveLength(31);
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: short.CiphertextBlob }));
    expect(Plaintext?.subarray(0, 16)).toEqual(short.Plaintext);
  });

  it('wrong-key-id: answers under the name of another key', async () => {
    const { server, arn, generate } = await scene();
    server.faults.inject({ kind: 'wrong-key-id' });
    const { KeyId } = await generate();
    expect(KeyId).toMatch(/^arn:aws:kms:us-east-1:111122223333:key\/[0-9a-f-]{36}$/);
    expect(KeyId).not.toBe(arn);
  });

  it('omit: leaves members out, at any depth', async () => {
    const { server, client, arn, generate } = await scene();
    server.faults.inject({ kind: 'omit', members: ['KeyMaterialId', 'CurrentKeyMaterialId'], count: 'always' });
    expect(await generate()).not.toHaveProperty('KeyMaterialId');
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: arn }));
    expect(KeyMetadata).not.toHaveProperty('CurrentKeyMaterialId');
    expect(KeyMetadata).toHaveProperty('CreationDate');
  });

  it('leaves answers alone that have no key', async () => {
    const { server, client, arn } = await scene();
    server.faults.inject({ kind: 'wrong-key', count: 'always' });
    expect((await client.send(new DescribeKeyCommand({ KeyId: arn }))).KeyMetadata?.Arn).toBe(arn);
  });
});

describe('a fault that is none', () => {
  it.each<[string, unknown]>([
    ['nothing', null],
    ['a list', []],
    ['no kind', {}],
    ['another kind', { kind: 'fire' }],
    ['a kind of the prototype', { kind: 'toString' }],
    ['a misspelt member', { kind: 'throttle', opration: 'Decrypt' }],
    ["another kind's member", { kind: 'throttle', ms: 5 }],
    ['no time', { kind: 'latency' }],
    ['a negative time', { kind: 'latency', ms: -1 }],
    ['a time beyond timers', { kind: 'latency', ms: 2 ** 31 }],
    ['an error without a code', { kind: 'error', status: 500 }],
    ['an error that is a success', { kind: 'error', status: 200, code: 'x' }],
    ['a count of none', { kind: 'throttle', count: 0 }],
    ['a count that is a word', { kind: 'throttle', count: 'often' }],
    ['another moment', { kind: 'hang', when: 'later' }],
    ['no members to leave out', { kind: 'omit', members: [] }],
  ])('is refused: %s', async (_, fault) => {
    const server = await startServer();
    try {
      server.faults.inject(fault as Fault);
    } catch (error) {
      expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
      return;
    }
    expect.fail('Expected a refusal.');
  });
});
