import { expect, test } from 'vitest';
import { GcpKms, type GcpKmsOptions } from '../src/index.ts';
import { KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { administrator, startServer } from './support/server.ts';

const WRONG: readonly Record<string, unknown>[] = [
  { keyid: KEY }, { endpoint: 'cloudkms.googleapis.com' }, { endpoint: 'http://kms.example.com' }, { endpoint: 'https://user@kms.example.com' },
  { endpoint: 'https://:pw@kms.example.com' }, { endpoint: 'https://kms.example.com/v1' }, { endpoint: 'https://kms.example.com/?a=b' }, { endpoint: 'https://kms.example.com/#a' },
  { endpoint: 'ftp://127.0.0.1' }, { endpoint: 'http://127.0.0.1.example.com' }, { transport: 'http' }, { rotation: { strategy: 'automatic' } },
  { rotation: { strategy: 'new-version', pollMs: 0 } }, { requestTimeoutMs: 0 }, { requestTimeoutMs: 2 ** 31 }, { requestTimeoutMs: Number.NaN }, { testTenant: '' }, { testTenant: 7 },
  { clientOptions: { token: 'x' } }, { client: {} }, { client: null }, { client: 'x' },
];

test.each(WRONG)('%j is refused', async (options) => {
  await failure('CONFIG_INVALID', () => GcpKms.open({ keyId: KEY, ...options }));
});

const RIGHT: readonly Partial<GcpKmsOptions>[] = [
  {}, { endpoint: 'https://cloudkms-app.p.googleapis.com' }, { endpoint: 'http://localhost:9010' }, { transport: 'rest' }, { rotation: { strategy: 'none' } },
  { clientOptions: { keyFilename: '/run/secrets/key.json', universeDomain: 'example.cloud' } }, { requestTimeoutMs: 1, testTenant: 'acme' },
];

test.each(RIGHT)('%j is taken, and nothing is asked', async (options) => {
  const kms = await GcpKms.open({ keyId: KEY, ...options });
  expect(kms.keyId).toBe(KEY);
  await kms.close();
});

test('with a client of the user\'s, settings of one are refused', async () => {
  const client = administrator(await startServer());
  for (const extra of [{ endpoint: 'https://kms.example.com' }, { transport: 'rest' as const }, { clientOptions: {} }]) {
    await failure('CONFIG_INVALID', () => GcpKms.open({ keyId: KEY, client, ...extra }));
  }
});
