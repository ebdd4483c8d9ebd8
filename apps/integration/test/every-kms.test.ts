import { type ErrorCode, type KmsClient, isKeyfoldError } from '@keyfold/core';
import { EncryptedCheckpointStore, type EncryptedCheckpointStoreOptions, FileSystemObjectStore } from '@keyfold/store-checkpoint';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AwsServer } from './support/aws-server.ts';
import { EVERY_KMS, openAws } from './support/kms-under-test.ts';
import { BIG, type Content, INLINE, STREAMED, TENANT, digestAt, digestOf, everything, filesIn, save } from './support/product.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const CONTENTS: ReadonlyMap<string, Content> = new Map([
  ['job/inline', { name: 'inline', length: INLINE }],
  ['job/big', { name: 'big', length: BIG }],
  ['job/streamed', { name: 'streamed', length: STREAMED }],
]);

const DIGESTS = new Map([...CONTENTS].map(([id, content]) => [id, digestOf(content)]));

/** A store that keeps no key in memory, so that every call asks the key service. */
async function openStore(root: string, kms: KmsClient, options: Partial<EncryptedCheckpointStoreOptions> = {}): Promise<EncryptedCheckpointStore> {
  const objects = new FileSystemObjectStore(root);
  const store = await EncryptedCheckpointStore.open({ objects, kms, tenant: TENANT, keyCache: { maxEntries: 0 }, kmsRetry: { baseDelayMs: 1, throttledDelayMs: 1 }, ...options });
  onTestFinished(() => store.close());
  return store;
}

async function saveAll(store: EncryptedCheckpointStore): Promise<void> {
  for (const [id, content] of CONTENTS) await save(store, id, content);
}

async function codeOf(run: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    if (isKeyfoldError(error)) return error.code;
    throw error;
  }
}

/** Every file below `root`, by its path. */
function contentsOf(root: string): Map<string, string> {
  return new Map(filesIn(root).map((path) => [path, readFileSync(path).toString('base64')]));
}

describe.each(EVERY_KMS)('under %s', (_name, start) => {
  test('checkpoints are what was saved, for every process and for no other tenant', async () => {
    const [kms, root] = [await start(), temporaryDirectory()];
    const store = await openStore(root, await kms.open());
    await saveAll(store);
    const another = await openStore(root, await kms.open());
    expect(await everything(another)).toEqual(DIGESTS);
    expect(await another.delete('job/big')).toBe(true);
    expect(await everything(store)).toEqual(new Map([...DIGESTS].filter(([id]) => id !== 'job/big')));
    const foreign = await openStore(root, await kms.open(), { tenant: 'globex' });
    expect(await codeOf(foreign.load('job/inline'))).toBe('INTEGRITY_FAILURE');
  });

  test('a rotation leaves what is there, seals what comes under the new version, and a rewrap moves the rest without touching data', async () => {
    const [kms, root] = [await start(), temporaryDirectory()];
    const [client, old] = [await kms.open(), await kms.open()];
    const store = await openStore(root, client);
    await saveAll(store);
    const before = await client.currentKeyVersion();
    const rotated = await client.rotateKey();
    expect(rotated.id).not.toBe(before.id);
    expect(await client.currentKeyVersion()).toMatchObject({ id: rotated.id, primary: true });
    expect(await everything(await openStore(root, old))).toEqual(DIGESTS);
    const data = new Map([...contentsOf(root)].filter(([path]) => path.endsWith('.kfc')));
    expect(data.size).toBe(2);
    for (const id of CONTENTS.keys()) expect((await store.rewrap(id)).wrap.keyVersion).toBe(rotated.id);
    expect(new Map([...contentsOf(root)].filter(([path]) => path.endsWith('.kfc')))).toEqual(data);
    expect(await everything(await openStore(root, await kms.open()))).toEqual(DIGESTS);
  });

  test('an outage fails closed, leaves every file as it was, and what is in the cache goes on loading', async () => {
    const [kms, root] = [await start(), temporaryDirectory()];
    const store = await openStore(root, await kms.open());
    const caching = await openStore(root, await kms.open(), { keyCache: { maxEntries: 100 } });
    await saveAll(store);
    expect(await everything(caching)).toEqual(DIGESTS);
    const files = contentsOf(root);
    await kms.stop();
    const { outageCode } = kms;
    expect(await codeOf(save(store, 'new', { name: 'new', length: STREAMED }))).toBe(outageCode);
    expect(await codeOf(save(store, 'job/big', { name: 'new', length: INLINE }, true))).toBe(outageCode);
    expect(await codeOf(store.load('job/inline'))).toBe(outageCode);
    expect(await codeOf(store.rewrap('job/big'))).toBe(outageCode);
    expect(contentsOf(root)).toEqual(files);
    for (const [id, digest] of DIGESTS) expect(await digestAt(caching, id)).toBe(digest);
    await kms.resume();
    await save(store, 'new', { name: 'new', length: INLINE });
    expect((await everything(store)).size).toBe(CONTENTS.size + 1);
  });
});

describe('a moment in which AWS KMS', () => {
  const FAULTS: readonly (readonly [string, object])[] = [
    ['throttles', { kind: 'throttle' }],
    ['fails', { kind: 'error', status: 500, code: 'KMSInternalException' }],
    ['is a page of its load balancer', { kind: 'html-503' }],
    ['breaks connections', { kind: 'reset' }],
    ['ends its answers early', { kind: 'truncate' }],
  ];

  test.each(FAULTS)('%s costs further requests and nothing else', async (_, fault) => {
    const server = await AwsServer.start('alias/app');
    const store = await openStore(temporaryDirectory(), await openAws(server, 'alias'), { testKms: false });
    const content = { name: 'a', length: INLINE };
    await server.inject({ ...fault, operation: 'GenerateDataKey', count: 2 });
    await save(store, 'a', content);
    expect(await server.requests('GenerateDataKey')).toBe(3);
    const before = await server.requests('Decrypt');
    await server.inject({ ...fault, operation: 'Decrypt', count: 2 });
    expect((await store.load('a')).byteLength).toBe(INLINE);
    expect(await server.requests('Decrypt')).toBe(before + 3);
  });

  test('hangs is bridged by another attempt within the time of the call', async () => {
    const server = await AwsServer.start('alias/app');
    const options = { testKms: false, kmsRetry: { attemptTimeoutMs: 1_000, baseDelayMs: 1 } };
    const store = await openStore(temporaryDirectory(), await openAws(server, 'alias'), options);
    await server.inject({ kind: 'hang', operation: 'GenerateDataKey' });
    await save(store, 'a', { name: 'a', length: INLINE });
    // A slow machine may need the third attempt as well.
    expect(await server.requests('GenerateDataKey')).toBeGreaterThan(1);
  });

  test.each([
    ['refuses the caller', { kind: 'expired-credentials' }, 'AUTHENTICATION_FAILED'],
    ['refuses the wrap', { kind: 'error', status: 400, code: 'InvalidCiphertextException' }, 'INTEGRITY_FAILURE'],
    ['has the key disabled', { kind: 'error', status: 400, code: 'DisabledException' }, 'KEY_DISABLED'],
  ] as const)('%s is an answer, for which it is asked once', async (_, fault, code) => {
    const server = await AwsServer.start('alias/app');
    const store = await openStore(temporaryDirectory(), await openAws(server, 'alias'), { testKms: false });
    await save(store, 'a', { name: 'a', length: INLINE });
    const before = await server.requests('Decrypt');
    await server.inject({ ...fault, operation: 'Decrypt', count: 'always' });
    expect(await codeOf(store.load('a'))).toBe(code);
    expect(await server.requests('Decrypt')).toBe(before + 1);
  });
});
