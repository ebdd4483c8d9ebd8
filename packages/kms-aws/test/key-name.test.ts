import { describe, expect, test } from 'vitest';
import { keyIdBeside, parseName, resolvedKey } from '../src/key-name.ts';
import { ACCOUNT, KEY_ARN } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

const home = { partition: 'aws', region: 'eu-west-1', account: ACCOUNT };

describe('what a name says', () => {
  test.each([
    [KEY_ARN, { kind: 'key', name: '1234abcd-12ab-34cd-56ef-1234567890ab', home }],
    [`arn:aws:kms:eu-west-1:${ACCOUNT}:alias/app`, { kind: 'alias', name: 'alias/app', home }],
    [`arn:aws-us-gov:kms:us-gov-west-1:${ACCOUNT}:key/k`, { kind: 'key', name: 'k', home: { partition: 'aws-us-gov', region: 'us-gov-west-1', account: ACCOUNT } }],
    [`arn:aws:kms:*:${ACCOUNT}:key/mrk-1234`, { kind: 'key', name: 'mrk-1234', home: { ...home, region: '*' } }],
    ['alias/team/app_1', { kind: 'alias', name: 'alias/team/app_1', home: undefined }],
    ['mrk-1234abcd12ab34cd56ef1234567890ab', { kind: 'key', name: 'mrk-1234abcd12ab34cd56ef1234567890ab', home: undefined }],
  ])('%s', (configured, expected) => {
    expect(parseName(configured)).toEqual(expected);
  });

  test.each([
    '', 'alias/', 'alias/aws/s3', `arn:aws:kms:eu-west-1:${ACCOUNT}:alias/aws/s3`, 'alias/a b', 'key/1234', `alias/${'a'.repeat(241)}`,
    `arn:aws:s3:eu-west-1:${ACCOUNT}:key/1`, 'arn:aws:kms:eu-west-1:1111:key/1', `arn:aws:kms::${ACCOUNT}:key/1`, `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1/2`,
    `${KEY_ARN}\n`, 'http://169.254.169.254/',
  ])('%j is refused', async (configured) => {
    await failure('CONFIG_INVALID', () => parseName(configured));
  });
});

describe('the identity of a key', () => {
  test('is the ARN of its region', () => {
    const key = resolvedKey(parseName(KEY_ARN), home, false);
    expect(key.identity).toBe(KEY_ARN);
    expect(key.arn).toBe(KEY_ARN);
  });

  test('of a multi-Region key is the same in every region, and requests go to this one', () => {
    const of = (region: string): { identity: string; arn: string } => resolvedKey({ kind: 'key', name: 'mrk-1', home: undefined }, { ...home, region }, true);
    expect(of('eu-west-1').identity).toBe(`arn:aws:kms:*:${ACCOUNT}:key/mrk-1`);
    expect(of('us-east-1').identity).toBe(of('eu-west-1').identity);
    expect(of('us-east-1').arn).toBe(`arn:aws:kms:us-east-1:${ACCOUNT}:key/mrk-1`);
  });

  test('fits into a key record with the longest names there are', () => {
    const name = parseName(`arn:aws:kms:${'r'.repeat(64)}:${ACCOUNT}:alias/${'a'.repeat(240)}`);
    expect(resolvedKey(name, { ...home, region: 'r'.repeat(64) }, false).identity.length).toBeLessThanOrEqual(2_048);
  });

  test('ends at account, region and partition: a key of another is not beside it', () => {
    const key = resolvedKey(parseName(KEY_ARN), home, false);
    expect(keyIdBeside(key, KEY_ARN)).toBe(key.name);
    for (const other of [KEY_ARN.replace(ACCOUNT, '999999999999'), KEY_ARN.replace('eu-west-1', 'us-east-1'), KEY_ARN.replace('arn:aws:', 'arn:aws-cn:'), KEY_ARN.replace(':key/', ':alias/'), undefined, '']) {
      expect(keyIdBeside(key, other)).toBeUndefined();
    }
  });
});
