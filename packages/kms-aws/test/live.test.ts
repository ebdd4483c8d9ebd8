import { kmsClientConformance } from '@keyfold/testkit';
import { describe, expect, it } from 'vitest';
import { AwsKms } from '../src/index.ts';
import type { AwsKmsClient } from '../src/aws-kms-client.ts';

// Two symmetric keys of an account for tests, by ARN, id or alias, and whatever the SDK finds
// credentials and a region by. Nothing is rotated, disabled or deleted; some 2,000 requests are made.
const keyId = process.env['KEYFOLD_LIVE_AWS_KEY_ID'];
const otherKeyId = process.env['KEYFOLD_LIVE_AWS_OTHER_KEY_ID'];

function open(name: string): Promise<AwsKmsClient> {
  return AwsKms.open({ keyId: name, rotation: { strategy: 'none' } });
}

describe('AWS KMS itself', () => {
  if (keyId === undefined || otherKeyId === undefined) {
    it('was NOT asked: KEYFOLD_LIVE_AWS_KEY_ID and KEYFOLD_LIVE_AWS_OTHER_KEY_ID are not both set', () => {
      // One without the other is a mistake, and must not look like a run.
      expect([keyId, otherKeyId]).toEqual([undefined, undefined]);
    });
    return;
  }
  const suite = kmsClientConformance({
    setUp: async () => ({ client: await open(keyId), other: await open(otherKeyId) }),
    capabilities: { authenticatedWraps: true, contextBinding: 'native', rotation: false, versions: true },
    reopen: () => open(keyId),
    additionalCodes: ['KEY_NOT_ALLOWED'],
    neverMs: 60_000,
  });
  it.each(suite.cases)('$title', { timeout: 300_000 }, async ({ run }) => run());
});
