import { GuardedKmsClient, Meter } from '@keyfold/core';
import { systemClock } from '@keyfold/core/provider';
import type { AwsKmsServer } from '@keyfold/testkit/aws';
import { describe, expect, test } from 'vitest';
import type { AwsKmsClient } from '../src/aws-kms-client.ts';
import { failure } from './support/expect-code.ts';
import { administrator, open, startServer } from './support/server.ts';

/** As stores use it: core repeats what comes out as KMS_THROTTLED. */
function guarded(kms: AwsKmsClient): GuardedKmsClient {
  return new GuardedKmsClient(kms, { meter: new Meter(undefined, undefined), clock: systemClock, timeoutMs: 60_000, retry: { throttledDelayMs: 0 } });
}

/** An alias with its number, so that a rotation begins with CreateKey. */
async function numbered(): Promise<{ server: AwsKmsServer; kms: AwsKmsClient }> {
  const server = await startServer();
  const { keyId } = server.createKey({ alias: 'alias/app' });
  await administrator(server).createAlias({ AliasName: 'alias/app-v1', TargetKeyId: keyId });
  return { server, kms: await open(server, 'alias/app') };
}

describe('by alias, a throttled request', () => {
  test.each([['CreateAlias', 0], ['UpdateAlias', 0], ['ListAliases', 1], ['ListAliases', 2], ['ListKeyRotations', 0]] as const)(
    'of %s (after %i others) behind CreateKey is made again by itself: one new key, one new version',
    async (operation, after) => {
      const { server, kms } = await numbered();
      server.faults.inject({ kind: 'throttle', operation, after, count: 2 });
      const version = await guarded(kms).rotateKey();
      expect(version.id).toBe((await kms.currentKeyVersion()).id);
      expect(server.requests.count('CreateKey')).toBe(1);
    },
  );

  test.each([['CreateAlias', /If no alias leads to the new key [0-9a-f-]{36}, it is unused/], ['UpdateAlias', /look at currentKeyVersion\(\).*rotateKey\(\) ends this rotation/]] as const)(
    'of %s that stays so is KMS_UNAVAILABLE and is not rotated again',
    async (operation, message) => {
      const { server, kms } = await numbered();
      server.faults.inject({ kind: 'throttle', operation, count: 'always' });
      const error = await failure('KMS_UNAVAILABLE', () => guarded(kms).rotateKey());
      expect(error.message).toMatch(message);
      expect(server.requests.count('CreateKey')).toBe(1);
    },
  );

  test('behind the alias that has moved does not move it once more', async () => {
    const { server, kms } = await numbered();
    server.faults.inject({ kind: 'throttle', operation: 'ListKeyRotations', count: 'always' });
    const error = await failure('KMS_UNAVAILABLE', () => guarded(kms).rotateKey());
    expect(error.message).toContain('look at currentKeyVersion()');
    expect(server.requests.count('UpdateAlias')).toBe(1);
    expect(server.requests.count('CreateKey')).toBe(1);
  });

  test('of CreateKey has done nothing, and core makes the rotation again', async () => {
    const { server, kms } = await numbered();
    server.faults.inject({ kind: 'throttle', operation: 'CreateKey' });
    await failure('KMS_THROTTLED', () => kms.rotateKey());
    server.faults.inject({ kind: 'throttle', operation: 'CreateKey' });
    const version = await guarded(kms).rotateKey();
    expect(version.id).toBe((await kms.currentKeyVersion()).id);
  });

  test('a CreateKey without an answer says that a key may be left', async () => {
    const { server, kms } = await numbered();
    server.faults.inject({ kind: 'reset', when: 'after', operation: 'CreateKey' });
    const error = await failure('KMS_UNAVAILABLE', () => guarded(kms).rotateKey());
    expect(error.message).toContain('A key may have been made to which no alias leads');
    expect(server.requests.count('CreateKey')).toBe(1);
  });

  test('numbers that others take cost one key, not one each, and the error names it', async () => {
    const { server, kms } = await numbered();
    server.faults.inject({ kind: 'error', status: 400, code: 'AlreadyExistsException', operation: 'CreateAlias', count: 'always' });
    const error = await failure('CONFLICT', () => kms.rotateKey());
    expect(server.requests.count('CreateKey')).toBe(1);
    expect(error.message).toMatch(/If no alias leads to the new key [0-9a-f-]{36}, it is unused/);
  });

  test('a number that somebody else takes leaves the new key for the next one', async () => {
    const { server, kms } = await numbered();
    server.faults.inject({ kind: 'error', status: 400, code: 'AlreadyExistsException', operation: 'CreateAlias' });
    const version = await kms.rotateKey();
    expect(version.id).toBe((await kms.currentKeyVersion()).id);
    expect(server.requests.count('CreateKey')).toBe(1);
  });
});

describe('on demand', () => {
  async function onDemand(): Promise<{ server: AwsKmsServer; kms: AwsKmsClient }> {
    const server = await startServer({ backgroundMs: 0 });
    return { server, kms: await open(server, server.createKey().arn, { rotation: { strategy: 'on-demand', pollMs: 5 } }) };
  }

  test.each([['throttle', 'GetKeyRotationStatus', 1], ['reset', 'GetKeyRotationStatus', 1], ['throttle', 'DescribeKey', 1], ['html-503', 'DescribeKey', 1], ['throttle', 'ListKeyRotations', 0]] as const)(
    'a %s at %s while AWS rotates is looked at again, and costs no second rotation',
    async (kind, operation, after) => {
      const { server, kms } = await onDemand();
      server.faults.inject({ kind, operation, after, count: 2 });
      const version = await guarded(kms).rotateKey();
      expect(version.id).toBe((await kms.currentKeyVersion()).id);
      expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
    },
  );

  test.each(['throttle', 'reset'] as const)('a %s that stays is KMS_UNAVAILABLE, and costs no second rotation', async (kind) => {
    const server = await startServer({ backgroundMs: 0 });
    const kms = await open(server, server.createKey().arn, { rotation: { strategy: 'on-demand', pollMs: 5, timeoutMs: 100 } });
    server.faults.inject({ kind, operation: 'GetKeyRotationStatus', after: 1, count: 'always' });
    const error = await failure('KMS_UNAVAILABLE', () => guarded(kms).rotateKey());
    expect(error.message).toContain('look at currentKeyVersion() before you rotate again');
    expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
  });

  test('a service that stays away is not asked for ten minutes', async () => {
    const { server, kms } = await onDemand();
    server.faults.inject({ kind: 'reset', operation: 'GetKeyRotationStatus', after: 1, count: 'always' });
    await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
    expect(server.requests.count('GetKeyRotationStatus')).toBe(7);
  });

  test('a refusal while AWS rotates is told at once', async () => {
    const { server, kms } = await onDemand();
    server.faults.inject({ kind: 'error', status: 400, code: 'AccessDeniedException', operation: 'GetKeyRotationStatus', after: 1 });
    await failure('ACCESS_DENIED', () => kms.rotateKey());
  });

  test('RotateKeyOnDemand without an answer says where to look; throttled, it has done nothing', async () => {
    const { server, kms } = await onDemand();
    server.faults.inject({ kind: 'reset', when: 'after', operation: 'RotateKeyOnDemand' });
    const error = await failure('KMS_UNAVAILABLE', () => guarded(kms).rotateKey());
    expect(error.message).toContain('look at currentKeyVersion() before you rotate again');
    server.faults.inject({ kind: 'throttle', operation: 'RotateKeyOnDemand' });
    await failure('KMS_THROTTLED', () => kms.rotateKey());
  });
});
