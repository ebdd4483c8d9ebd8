import { openKms } from '@keyfold/core';
import { expect, test } from 'vitest';
import { openKmsUrl } from '../src/index.ts';
import { parseKmsUrl } from '../src/url.ts';
import { CONTEXT, KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { bearer, startServer } from './support/server.ts';

const URL_OF_KEY = `gcp-kms://${KEY}`;

test.each([
  [URL_OF_KEY, { keyId: KEY }],
  [`gcp-kms://projects/example.com%3Aapp-1/locations/eu/keyRings/R/cryptoKeys/K`, { keyId: 'projects/example.com:app-1/locations/eu/keyRings/R/cryptoKeys/K' }],
  [`${URL_OF_KEY}?rotation=none&transport=rest`, { keyId: KEY, rotation: { strategy: 'none' }, transport: 'rest' }],
  [`${URL_OF_KEY}?endpoint=https%3A%2F%2Fcloudkms.europe-west3.rep.googleapis.com`, { keyId: KEY, endpoint: 'https://cloudkms.europe-west3.rep.googleapis.com' }],
])('%s is read', (url, options) => {
  expect(parseKmsUrl(url)).toEqual(options);
});

test.each([
  'no url', 'gcp-kms:', `gcp-kms:///${KEY}`, `gcp://${KEY}`, `gcp-kms://user@${KEY}`, `${URL_OF_KEY}#f`, `${URL_OF_KEY}%ff`, `${URL_OF_KEY}?token=x`,
  `${URL_OF_KEY}?rotation=none&rotation=none`, `${URL_OF_KEY}?rotation=automatic`, `${URL_OF_KEY}?transport=http`, `${URL_OF_KEY}?__proto__=x`, `${URL_OF_KEY}?constructor=x`,
  `${URL_OF_KEY}/cryptoKeyVersions/1`, 'gcp-kms://Projects/p/locations/l/keyRings/r/cryptoKeys/k', 'gcp-kms://projects',
])('%s is refused', async (url) => {
  await failure('CONFIG_INVALID', () => openKmsUrl(url));
});

test('a refusal does not repeat a URL into which somebody put a secret', async () => {
  const error = await failure('CONFIG_INVALID', () => openKmsUrl(`gcp-kms://key:hunter2@${KEY}?token=hunter3`));
  expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/hunter/);
});

test.each([['unknown ones', { secret: 'x' }], ['what the URL says already', { rotation: { strategy: 'none' } }], ['another key', { keyId: KEY }]])('options: %s are refused', async (_, options) => {
  await failure('CONFIG_INVALID', () => openKmsUrl(`${URL_OF_KEY}?rotation=none`, options));
});

test('openKms() of core opens a key by its URL, with what a URL cannot say as options', async () => {
  const server = await startServer();
  const { name } = server.createCryptoKey();
  const url = `gcp-kms://${name}?endpoint=${encodeURIComponent(`http://${server.address}`)}`;
  const kms = await openKms(url, { load: () => import('../src/index.ts'), options: { clientOptions: { authClient: bearer(server.token) } } });
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  expect(server.requests.list().map(({ principal }) => principal)).toEqual(['admin', 'admin']);
  await kms.close();
});
