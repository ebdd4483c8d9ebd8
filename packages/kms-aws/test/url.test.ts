import { expect, test } from 'vitest';
import { openKmsUrl } from '../src/index.ts';
import { parseKmsUrl } from '../src/url.ts';
import { CREDENTIALS, KEY_ARN, REGION } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

test.each([
  ['aws-kms:///alias/app?region=eu-west-1', { keyId: 'alias/app', region: REGION }],
  [`aws-kms:///${KEY_ARN}`, { keyId: KEY_ARN }],
  ['aws-kms:///alias/a%2Fb?fips=true&multiRegion=false&rotation=none', { keyId: 'alias/a/b', fips: true, multiRegion: false, rotation: { strategy: 'none' } }],
  ['aws-kms:///k?endpoint=http%3A%2F%2F127.0.0.1%3A4566&profile=ops&rotation=on-demand', { keyId: 'k', endpoint: 'http://127.0.0.1:4566', clientOptions: { profile: 'ops' }, rotation: { strategy: 'on-demand' } }],
  ['aws-kms:///alias/app?rotation=alias', { keyId: 'alias/app', rotation: { strategy: 'alias' } }],
])('%s is read', (url, options) => {
  expect(parseKmsUrl(url)).toEqual(options);
});

test.each([
  'no url', 'aws:///alias/app', 'aws-kms://alias/app', 'aws-kms://user@/alias/app', 'aws-kms:///alias/app#f', 'aws-kms:///alias/%ff',
  'aws-kms:///alias/app?secretAccessKey=x', 'aws-kms:///alias/app?region=a&region=b', 'aws-kms:///alias/app?fips=1', 'aws-kms:///alias/app?rotation=automatic',
  'aws-kms:///alias/app?__proto__=x', 'aws-kms:///', 'aws-kms:///alias/app?constructor=x',
])('%s is refused', async (url) => {
  await failure('CONFIG_INVALID', () => openKmsUrl(url, {}));
});

test('a refusal does not repeat a URL into which somebody put a secret', async () => {
  const error = await failure('CONFIG_INVALID', () => openKmsUrl('aws-kms://key:hunter2@host/alias/app?token=hunter3', {}));
  expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/hunter/);
});

test('what a URL cannot say comes as options', async () => {
  const kms = await openKmsUrl(`aws-kms:///${KEY_ARN}?rotation=none`, { clientOptions: { credentials: CREDENTIALS } });
  expect(kms.keyId).toBe(KEY_ARN);
  expect(kms.capabilities.rotation).toBe(false);
  await kms.close();
});

test.each([['unknown ones', { secret: 'x' }], ['what the URL says already', { region: REGION }], ['another key', { keyId: 'alias/other' }]])('options: %s are refused', async (_, options) => {
  await failure('CONFIG_INVALID', () => openKmsUrl('aws-kms:///alias/app?region=eu-west-1', options));
});
