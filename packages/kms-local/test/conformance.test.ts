import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kmsClientConformance } from '@keyfold/testkit';
import { describe, expect, it } from 'vitest';
import { LocalKms, type LocalKmsClient } from '../src/index.ts';

interface Keyrings {
  readonly directory: string;
  readonly path: string;
  readonly key: Uint8Array;
  readonly client: LocalKmsClient;
  readonly other: LocalKmsClient;
}

async function setUp(): Promise<Keyrings> {
  const directory = await mkdtemp(join(tmpdir(), 'keyfold-local-'));
  const path = join(directory, 'keyring.kf');
  const key = Uint8Array.from(randomBytes(32));
  const client = await LocalKms.create(path, { key });
  const other = await LocalKms.create(join(directory, 'other.kf'), { key });
  return { directory, path, key, client, other };
}

const suite = kmsClientConformance<Keyrings>({
  setUp,
  tearDown: async ({ client, other, directory }) => {
    await Promise.all([client.close(), other.close()]);
    await rm(directory, { recursive: true });
  },
  capabilities: { authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true },
  reopen: ({ path, key }) => LocalKms.open(path, { key }),
  credentials: ({ key }) => [key],
  faults: {
    disabled: async ({ client }) => {
      const { id } = await client.currentKeyVersion();
      await client.disableKeyVersion(id);
      return () => client.enableKeyVersion(id);
    },
    notFound: async ({ path }) => {
      await rename(path, `${path}.away`);
      return () => rename(`${path}.away`, path);
    },
  },
});

describe('LocalKmsClient keeps the promises of a KmsClient', () => {
  it.each(suite.cases)('$title', async ({ run }) => run());

  it('says what is not proven: a file has no network, no callers and no calls to count', () => {
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual([
      'calls',
      'faults.hanging',
      'capabilities.authenticatedWraps',
      'faults.denied',
      'faults.unauthenticated',
      'faults.throttled',
      'faults.wrongUsage',
      'faults.serverError',
      'faults.refused',
      'faults.reset',
      'faults.garbage',
      'faults.wrongKey',
      'faults.shortKey',
      'faults.rotationLimit',
    ]);
  });
});
