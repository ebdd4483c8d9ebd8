import { expect, test } from 'vitest';
import { GcpKms } from '../src/index.ts';
import { requireKeyName, versionNumber } from '../src/key-name.ts';
import { KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

test.each([KEY, KEY.replace('test-project', 'example.com:test-project'), KEY.replace('europe-west3', 'global')])('%s is a key', (name) => {
  expect(requireKeyName(name)).toBe(name);
});

test.each([
  undefined, '', 'app', `${KEY}/cryptoKeyVersions/1`, `${KEY}/`, `/${KEY}`, KEY.replace('test-project', '123456789012'), KEY.replace('ring', 'a b'),
  KEY.replace('app', 'x'.repeat(64)), KEY.replace('/cryptoKeys/app', ''), KEY.replace('europe-west3', '..'), `${KEY}\n`,
])('%j is none', async (keyId) => {
  await failure('CONFIG_INVALID', () => GcpKms.open({ keyId } as never));
});

test.each([
  [`${KEY}/cryptoKeyVersions/7`, '7'], [KEY, undefined], [`${KEY}/cryptoKeyVersions/`, undefined], [`${KEY}/cryptoKeyVersions/07`, undefined],
  [`${KEY}2/cryptoKeyVersions/7`, undefined], [`${KEY}/cryptoKeyVersions/7/x`, undefined], [null, undefined], [undefined, undefined],
])('%j is the version %j', (name, number) => {
  expect(versionNumber(KEY, name)).toBe(number);
});
