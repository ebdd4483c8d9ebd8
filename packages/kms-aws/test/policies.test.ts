import { readFileSync } from 'node:fs';
import type { AwsKmsServer, AwsPolicy, AwsPolicyStatement } from '@keyfold/testkit/aws';
import { ManualClock } from '@keyfold/core/testing';
import { expect, test } from 'vitest';
import type { AwsKmsClient } from '../src/aws-kms-client.ts';
import type { AwsKmsOptions } from '../src/index.ts';
import { CONTEXT, OTHER_CONTEXT } from './support/constants.ts';
import { collect } from './support/collect.ts';
import { failure } from './support/expect-code.ts';
import { open, startServer } from './support/server.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const EXAMPLE_KEY = /key\/1234abcd-12ab-34cd-56ef-1234567890ab/g;

/** The policy that stands below a heading of the README. */
function policy(heading: string): string {
  const [, json] = new RegExp(`^### ${heading}\\n[^#]*?\`\`\`json\\n([^]*?)\`\`\``, 'm').exec(README) ?? [];
  return json ?? expect.fail(`the README has no policy "${heading}"`);
}

async function as(server: AwsKmsServer, granted: AwsPolicy, keyId = 'alias/app', options: Partial<AwsKmsOptions> = {}): Promise<AwsKmsClient> {
  return open(server, keyId, { clientOptions: { credentials: server.addPrincipal({ policy: granted }) }, testTenant: 'acme', ...options });
}

function iam(heading: string): AwsPolicy {
  return JSON.parse(policy(heading)) as AwsPolicy;
}

/** Rotated once, so that every role has two keys to deal with; and a key that is none of theirs. */
async function start(): Promise<{ server: AwsKmsServer; all: AwsKmsClient }> {
  const server = await startServer({ backgroundMs: 0 });
  server.createKey({ alias: 'alias/app' });
  server.createKey({ alias: 'alias/other' });
  const all = await open(server, 'alias/app');
  await all.rotateKey();
  return { server, all };
}

const DEK = new Uint8Array(32).fill(5);

test('a writer makes data keys of its tenant, and opens nothing', async () => {
  const { server } = await start();
  const writer = await as(server, iam('Writer'));
  const { wrapped } = await writer.generateDataKey({ context: CONTEXT });
  await failure('ACCESS_DENIED', () => writer.decrypt(wrapped, { context: CONTEXT }));
  await failure('ACCESS_DENIED', () => writer.encrypt(DEK, { context: CONTEXT }));
  await failure('ACCESS_DENIED', () => writer.generateDataKey({ context: OTHER_CONTEXT }));
  await failure('ACCESS_DENIED', () => writer.generateDataKey({ context: { ...CONTEXT, zone: 'x' } }));
  await failure('ACCESS_DENIED', () => writer.rotateKey());
  await failure('ACCESS_DENIED', () => as(server, iam('Writer'), 'alias/other'));
  expect(await writer.testConnection()).toMatchObject({ reachable: true, permitted: false, problem: { code: 'ACCESS_DENIED' } });
});

test('a reader opens what its tenant wrote, under old keys too, and writes nothing', async () => {
  const { server, all } = await start();
  const old = await all.generateDataKey({ context: CONTEXT });
  await all.rotateKey();
  const reader = await as(server, iam('Reader'));
  for (const { plaintext, wrapped } of [old, await all.generateDataKey({ context: CONTEXT })]) expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  const others = await all.generateDataKey({ context: OTHER_CONTEXT });
  await failure('ACCESS_DENIED', () => reader.decrypt(others.wrapped, { context: OTHER_CONTEXT }));
  await failure('ACCESS_DENIED', () => reader.generateDataKey({ context: CONTEXT }));
  await failure('ACCESS_DENIED', () => reader.encrypt(DEK, { context: CONTEXT }));
  await failure('ACCESS_DENIED', () => reader.rotateKey());
});

test('writer and reader together pass the connection test under the tenant that the policies demand', async () => {
  const { server } = await start();
  const both = { Statement: [iam('Writer'), iam('Reader')].flatMap(({ Statement: statements }) => statements) };
  expect(await (await as(server, both)).testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
  expect(await (await as(server, both, 'alias/app', { testTenant: 'keyfold' })).testConnection()).toMatchObject({ permitted: false });
});

test('a rewrapper opens, wraps anew and reads versions, for every tenant; it makes no data keys and does not rotate', async () => {
  const { server, all } = await start();
  const old = await all.generateDataKey({ context: OTHER_CONTEXT });
  await all.rotateKey();
  const rewrapper = await as(server, iam('Rewrapper'));
  const dek = await rewrapper.decrypt(old.wrapped, { context: OTHER_CONTEXT });
  const moved = await rewrapper.encrypt(dek, { context: OTHER_CONTEXT });
  const current = await rewrapper.currentKeyVersion();
  expect(moved.keyVersion).toBe(current.id);
  expect(current.createdAt).toBeDefined();
  expect(await collect(rewrapper.listKeyVersions())).toHaveLength(3);
  await failure('ACCESS_DENIED', () => rewrapper.generateDataKey({ context: CONTEXT }));
  await failure('ACCESS_DENIED', () => rewrapper.rotateKey());
});

test('a rotator rotates, from the first time on, and uses no key', async () => {
  const server = await startServer();
  server.createKey({ alias: 'alias/app' });
  server.createKey({ alias: 'alias/other' });
  const all = await open(server, 'alias/app');
  const before = await all.generateDataKey({ context: CONTEXT });
  const rotator = await as(server, iam('Rotator'));
  for (let i = 0; i < 3; i++) await rotator.rotateKey();
  expect(await all.decrypt(before.wrapped, { context: CONTEXT })).toEqual(before.plaintext);
  expect(await collect(all.listKeyVersions())).toHaveLength(4);
  await failure('ACCESS_DENIED', () => rotator.generateDataKey({ context: CONTEXT }));
  await failure('ACCESS_DENIED', () => rotator.decrypt(before.wrapped, { context: CONTEXT }));
  await failure('ACCESS_DENIED', () => as(server, iam('Rotator'), 'alias/other'));
});

test('trap: policies know the alias of a new key minutes later; meanwhile rotators end their rotation and writers write', async () => {
  const clock = new ManualClock();
  const server = await startServer({ clock, aliasAuthorizationMs: 300_000 });
  server.createKey({ alias: 'alias/app' });
  clock.advance(300_000);
  const rotator = await as(server, iam('Rotator'));
  const [writer, reader] = [await as(server, iam('Writer')), await as(server, iam('Reader'))];
  const version = await rotator.rotateKey();
  const { plaintext, wrapped } = await writer.generateDataKey({ context: CONTEXT });
  expect(wrapped.keyVersion).toBe(version.id);
  await failure('ACCESS_DENIED', () => reader.decrypt(wrapped, { context: CONTEXT }));
  clock.advance(300_000);
  expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
});

test('a writer names its key by the alias alone', async () => {
  const { server } = await start();
  const { keyId } = server.createKey({ alias: 'alias/app-v9' });
  const byKey = { client: undefined, rotation: { strategy: 'none' } } as const;
  const writer = await as(server, iam('Writer'), `arn:aws:kms:${server.region}:111122223333:key/${keyId}`, byKey);
  await failure('ACCESS_DENIED', () => writer.generateDataKey({ context: CONTEXT }));
});

test('a rotator on demand rotates one key and uses none', async () => {
  const server = await startServer({ backgroundMs: 0 });
  const { arn, keyId } = server.createKey();
  const granted = JSON.parse(policy('Rotator on demand').replaceAll(EXAMPLE_KEY, `key/${keyId}`)) as AwsPolicy;
  const rotator = await as(server, granted, arn);
  expect((await rotator.rotateKey()).id).toBe((await rotator.currentKeyVersion()).id);
  await failure('ACCESS_DENIED', () => rotator.generateDataKey({ context: CONTEXT }));
  await failure('ACCESS_DENIED', async () => (await as(server, granted, server.createKey().arn)).rotateKey());
});

test('the key policy\'s statements give each role what it needs', async () => {
  const server = await startServer();
  const { arn } = server.createKey();
  const { Statement: statements } = JSON.parse(policy('Key policy')) as { Statement: (AwsPolicyStatement & { Principal: { AWS: string } })[] };
  /** The server enforces policies of callers: the same statement, about the key, for whom it names. */
  const roleOf = (role: string): AwsPolicy => ({
    Statement: statements
      .filter(({ Principal: principal }) => principal.AWS.endsWith(`:role/${role}`))
      .map(({ Sid = '', Effect: effect, Action: action, Condition: condition = {} }) => ({ Sid, Effect: effect, Action: action, Resource: arn, Condition: condition })),
  });
  const writer = await as(server, roleOf('writer'), arn);
  const { plaintext, wrapped } = await writer.generateDataKey({ context: CONTEXT });
  await failure('ACCESS_DENIED', () => writer.decrypt(wrapped, { context: CONTEXT }));
  const reader = await as(server, roleOf('reader'), arn);
  expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  await failure('ACCESS_DENIED', () => reader.generateDataKey({ context: CONTEXT }));
});
