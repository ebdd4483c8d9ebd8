import { kmsClientConformance } from '@keyfold/testkit';
import { describe, expect, it } from 'vitest';
import { GcpKms } from '../src/index.ts';
import type { GcpKmsClient } from '../src/gcp-kms-client.ts';

// Two symmetric keys of a project for tests, by their full names, and Application Default
// Credentials that may use and view both. Nothing is rotated, disabled or destroyed; some 1,000 requests are made.
const keyId = process.env['KEYFOLD_LIVE_GCP_KEY'];
const otherKeyId = process.env['KEYFOLD_LIVE_GCP_OTHER_KEY'];

function open(name: string): Promise<GcpKmsClient> {
  return GcpKms.open({ keyId: name, rotation: { strategy: 'none' } });
}

describe('Google Cloud KMS itself', () => {
  if (keyId === undefined || otherKeyId === undefined) {
    it('was NOT asked: KEYFOLD_LIVE_GCP_KEY and KEYFOLD_LIVE_GCP_OTHER_KEY are not both set', () => {
      // One without the other is a mistake, and must not look like a run.
      expect([keyId, otherKeyId]).toEqual([undefined, undefined]);
    });
    return;
  }
  const suite = kmsClientConformance({
    setUp: async () => ({ client: await open(keyId), other: await open(otherKeyId) }),
    capabilities: { authenticatedWraps: true, contextBinding: 'aad', rotation: false, versions: true },
    reopen: () => open(keyId),
    neverMs: 60_000,
  });
  it.each(suite.cases)('$title', { timeout: 300_000 }, async ({ run }) => run());
});
