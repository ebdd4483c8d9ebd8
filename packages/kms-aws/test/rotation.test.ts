import type { KMS } from '@aws-sdk/client-kms';
import type { AwsKmsServer } from '@keyfold/testkit/aws';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import type { AwsRotation } from '../src/index.ts';
import { CONTEXT, REGION } from './support/constants.ts';
import { collect } from './support/collect.ts';
import { failure } from './support/expect-code.ts';
import { administrator, open, startServer } from './support/server.ts';

const ON_DEMAND: AwsRotation = { strategy: 'on-demand', pollMs: 5 };

async function targetOf(admin: KMS, alias: string): Promise<string | undefined> {
  return (await admin.describeKey({ KeyId: alias })).KeyMetadata?.KeyId;
}

async function aliases(admin: KMS): Promise<Record<string, string | undefined>> {
  const { Aliases: found = [] } = await admin.listAliases({});
  return Object.fromEntries(found.map(({ AliasName: name = '', TargetKeyId: target }) => [name, target]));
}

function operations(server: AwsKmsServer): string[] {
  return server.requests.list().map(({ operation }) => operation);
}

describe('by alias', () => {
  test('the first rotation gives the old key its number, makes a new one with the next, and moves the alias', async () => {
    const server = await startServer();
    const admin = administrator(server);
    const { keyId: first } = server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app');
    const before = await kms.generateDataKey({ context: CONTEXT });
    const version = await kms.rotateKey();
    const second = await targetOf(admin, 'alias/app');
    expect(second).not.toBe(first);
    expect(await aliases(admin)).toEqual({ 'alias/app': second, 'alias/app-v1': first, 'alias/app-v2': second });
    expect(version).toEqual(await kms.currentKeyVersion());
    expect(version.id.startsWith(`${String(second)}/`)).toBe(true);
    expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe(version.id);
    expect(await kms.decrypt(before.wrapped, { context: CONTEXT })).toEqual(before.plaintext);
    expect((await collect(kms.listKeyVersions())).map(({ id, primary }) => [id, primary])).toEqual([[version.id, true], [before.wrapped.keyVersion, false]]);
  });

  test('has no limit: thirty in a row, and the first wrap still opens', async () => {
    const server = await startServer();
    server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app');
    const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
    for (let i = 0; i < 30; i++) await kms.rotateKey();
    expect(await collect(kms.listKeyVersions())).toHaveLength(31);
    expect(await (await open(server, 'alias/app')).decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test('the new key is like the old one: policy, tags, description, multi-Region', async () => {
    const server = await startServer();
    const admin = administrator(server);
    const policy = `{"Id":"team-a","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`;
    const tags = Array.from({ length: 49 }, (_, i) => ({ TagKey: `tag-${i}`, TagValue: `value ${i}` }));
    const { KeyMetadata: key } = await admin.createKey({ Policy: policy, Description: 'checkpoints of team a', MultiRegion: true, Tags: tags });
    await admin.createAlias({ AliasName: 'alias/app', TargetKeyId: key?.KeyId });
    const kms = await open(server, 'alias/app');
    await kms.rotateKey();
    const { KeyMetadata: next } = await admin.describeKey({ KeyId: 'alias/app' });
    expect(next?.KeyId).not.toBe(key?.KeyId);
    expect(next).toMatchObject({ Description: 'checkpoints of team a', MultiRegion: true, KeyState: 'Enabled' });
    expect((await admin.getKeyPolicy({ KeyId: next?.KeyId })).Policy).toBe(policy);
    const { Tags: copied = [] } = await admin.listResourceTags({ KeyId: next?.KeyId, Limit: 100 });
    expect(new Map(copied.map((tag) => [tag.TagKey, tag.TagValue]))).toEqual(new Map(tags.map((tag) => [tag.TagKey, tag.TagValue])));
    expect(kms.keyId).toBe(`arn:aws:kms:*:111122223333:alias/app`);
  });

  test('two that rotate at once make one new version, and both get it', async () => {
    const server = await startServer();
    const admin = administrator(server);
    server.createKey({ alias: 'alias/app' });
    await (await open(server, 'alias/app')).rotateKey();
    server.faults.inject({ kind: 'latency', ms: 30, operation: 'CreateAlias', count: 'always' });
    const [one, two] = await Promise.all([open(server, 'alias/app'), open(server, 'alias/app')]);
    const made = await Promise.all([one.rotateKey(), two.rotateKey()]);
    expect(made[0].id).toBe(made[1].id);
    expect(Object.keys(await aliases(admin))).toEqual(['alias/app', 'alias/app-v1', 'alias/app-v2', 'alias/app-v3']);
  });

  test('the very first rotation by two at once loses no key either', async () => {
    const server = await startServer();
    const admin = administrator(server);
    const { keyId: first } = server.createKey({ alias: 'alias/app' });
    const [one, two] = await Promise.all([open(server, 'alias/app'), open(server, 'alias/app')]);
    const { plaintext, wrapped } = await one.generateDataKey({ context: CONTEXT });
    await Promise.all([one.rotateKey(), two.rotateKey()]);
    const found = await aliases(admin);
    expect(Object.values(found)).toContain(first);
    expect(found['alias/app']).toBe(Object.entries(found).filter(([name]) => name !== 'alias/app').sort().at(-1)?.[1]);
    expect(await two.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test.each(['CreateAlias', 'CreateKey', 'UpdateAlias'])('a crash at %s, before or after AWS carried it out, is harmless, and the next rotation ends what was begun', async (operation) => {
    for (const when of ['before', 'after'] as const) {
      for (const first of [true, false]) {
        const server = await startServer();
        const admin = administrator(server);
        server.createKey({ alias: 'alias/app' });
        const kms = await open(server, 'alias/app');
        if (!first) await kms.rotateKey();
        const old = await kms.generateDataKey({ context: CONTEXT });
        server.faults.inject({ kind: 'reset', when, operation });
        await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
        const meanwhile = await kms.generateDataKey({ context: CONTEXT });
        const after = await open(server, 'alias/app');
        const version = await after.rotateKey();
        for (const { plaintext, wrapped } of [old, meanwhile]) expect(await after.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
        const found = await aliases(admin);
        const numbered = Object.entries(found).filter(([name]) => name !== 'alias/app').sort();
        expect(numbered.at(-1)?.[1]).toBe(found['alias/app']);
        expect(version.id.startsWith(`${String(found['alias/app'])}/`)).toBe(true);
        const lostBeforeTheMove = operation === 'UpdateAlias' && when === 'before';
        expect(numbered).toHaveLength((first ? 1 : 2) + (operation === 'UpdateAlias' && when === 'after' ? 2 : 1));
        if (lostBeforeTheMove) expect(server.requests.count('CreateKey')).toBe(first ? 1 : 2);
      }
    }
  });

  test('a slow rotation does not undo a later one', async () => {
    const server = await startServer();
    const admin = administrator(server);
    server.createKey({ alias: 'alias/app' });
    const [slow, fast] = await Promise.all([open(server, 'alias/app'), open(server, 'alias/app')]);
    await slow.rotateKey();
    server.requests.clear();
    server.faults.inject({ kind: 'latency', ms: 500, operation: 'UpdateAlias' });
    const late = slow.rotateKey();
    await expect.poll(() => server.requests.count('CreateAlias')).toBe(1);
    await fast.rotateKey();
    const newest = await fast.rotateKey();
    expect((await late).id).toBe(newest.id);
    expect((await slow.currentKeyVersion()).id).toBe(newest.id);
    const found = await aliases(admin);
    expect(found['alias/app']).toBe(found['alias/app-v4']);
  });

  test('a begun rotation whose key was switched off is passed over', async () => {
    const server = await startServer();
    const admin = administrator(server);
    const { keyId: first } = server.createKey({ alias: 'alias/app' });
    await admin.createAlias({ AliasName: 'alias/app-v1', TargetKeyId: first });
    const { keyId: off } = server.createKey({ alias: 'alias/app-v2' });
    await admin.disableKey({ KeyId: off });
    const kms = await open(server, 'alias/app');
    await kms.rotateKey();
    expect((await aliases(admin))['alias/app-v3']).toBe(await targetOf(admin, 'alias/app'));
    expect((await collect(kms.listKeyVersions())).map(({ state }) => state)).toEqual(['enabled', 'disabled', 'enabled']);
  });

  test('a new key that can get no alias is named, so that it can be removed', async () => {
    const server = await startServer();
    const { keyId: first } = server.createKey({ alias: 'alias/app' });
    await administrator(server).createAlias({ AliasName: 'alias/app-v1', TargetKeyId: first });
    const kms = await open(server, 'alias/app');
    server.faults.inject({ kind: 'error', status: 400, code: 'AccessDeniedException', operation: 'CreateAlias' });
    const error = await failure('ACCESS_DENIED', () => kms.rotateKey());
    const made = server.requests.list('CreateKey').at(-1)?.keys[0] ?? 'none';
    expect(error.message).toContain(`If no alias leads to the new key ${made.slice(made.lastIndexOf('/') + 1)}, it is unused: give it the alias alias/app-v2`);
  });

  test('numbers that are always taken end in CONFLICT', async () => {
    const server = await startServer();
    const { keyId: first } = server.createKey({ alias: 'alias/app' });
    await administrator(server).createAlias({ AliasName: 'alias/app-v1', TargetKeyId: first });
    const kms = await open(server, 'alias/app');
    server.faults.inject({ kind: 'error', status: 400, code: 'AlreadyExistsException', operation: 'CreateAlias', count: 'always' });
    await failure('CONFLICT', () => kms.rotateKey());
  });

  test('a multi-Region key with replicas is refused: the other regions would not have the new key', async () => {
    const server = await startServer({ otherRegions: ['us-east-1'], backgroundMs: 0 });
    const { keyId } = server.createKey({ alias: 'alias/app', multiRegion: true });
    await administrator(server).replicateKey({ KeyId: keyId, ReplicaRegion: 'us-east-1' });
    const error = await failure('INVALID_KEY_USAGE', async () => (await open(server, 'alias/app')).rotateKey());
    expect(error.message).toContain('on-demand');
    expect(operations(server)).not.toContain('CreateKey');
  });
});

describe('on demand', () => {
  test('waits until the new material is current, and reports it', async () => {
    const server = await startServer({ backgroundMs: 30 });
    const kms = await open(server, server.createKey().arn, { rotation: ON_DEMAND });
    const before = await kms.generateDataKey({ context: CONTEXT });
    const version = await kms.rotateKey();
    expect(version.id).not.toBe(before.wrapped.keyVersion);
    expect((await kms.generateDataKey({ context: CONTEXT })).wrapped.keyVersion).toBe(version.id);
    expect(await kms.decrypt(before.wrapped, { context: CONTEXT })).toEqual(before.plaintext);
    expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
    expect(server.requests.count('GetKeyRotationStatus')).toBeGreaterThan(2);
  });

  test('trap: 25 for the life of a key, then ROTATION_LIMIT', async () => {
    const server = await startServer({ backgroundMs: 0 });
    const kms = await open(server, server.createKey().arn, { rotation: ON_DEMAND });
    for (let i = 0; i < 25; i++) await kms.rotateKey();
    const error = await failure('ROTATION_LIMIT', () => kms.rotateKey());
    expect(error.message).toContain('alias strategy');
    expect(await collect(kms.listKeyVersions())).toHaveLength(26);
  });

  test('one that is under way is waited for, and not doubled', async () => {
    const server = await startServer({ backgroundMs: 60 });
    const { arn } = server.createKey();
    const [one, two] = await Promise.all([open(server, arn, { rotation: ON_DEMAND }), open(server, arn, { rotation: ON_DEMAND })]);
    await administrator(server).rotateKeyOnDemand({ KeyId: arn });
    const [a, b] = await Promise.all([one.rotateKey(), two.rotateKey()]);
    expect(a.id).toBe(b.id);
    expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
  });

  test('trap: ConflictException near an automatic rotation is CONFLICT', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn, { rotation: ON_DEMAND });
    server.faults.inject({ kind: 'error', status: 400, code: 'ConflictException', operation: 'RotateKeyOnDemand' });
    const error = await failure('CONFLICT', () => kms.rotateKey());
    expect(error.message).toContain('20 minutes');
  });

  test('an answer that was lost does not cost a second rotation', async () => {
    const server = await startServer({ backgroundMs: 60 });
    const kms = await open(server, server.createKey().arn, { rotation: ON_DEMAND });
    server.faults.inject({ kind: 'reset', when: 'after', operation: 'RotateKeyOnDemand' });
    await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
    await kms.rotateKey();
    expect(server.requests.count('RotateKeyOnDemand')).toBe(1);
    expect(await collect(kms.listKeyVersions())).toHaveLength(2);
  });

  test('one that does not end in time is reported, and goes on', async () => {
    const server = await startServer({ clock: new ManualClock() });
    const kms = await open(server, server.createKey().arn, { rotation: { strategy: 'on-demand', pollMs: 1, timeoutMs: 5 } });
    const error = await failure('KMS_UNAVAILABLE', () => kms.rotateKey());
    expect(error.message).toContain('goes on by itself');
  });

  test('an abort ends the wait', async () => {
    const server = await startServer({ clock: new ManualClock() });
    const kms = await open(server, server.createKey().arn, { rotation: { strategy: 'on-demand', pollMs: 60_000 } });
    const controller = new AbortController();
    const waiting = failure('ABORTED', () => kms.rotateKey({ signal: controller.signal }));
    await expect.poll(() => server.requests.count('GetKeyRotationStatus')).toBeGreaterThan(1);
    controller.abort();
    await waiting;
  });

  test('a disabled key is KEY_DISABLED', async () => {
    const server = await startServer();
    const { arn, keyId } = server.createKey();
    await administrator(server).disableKey({ KeyId: keyId });
    const kms = await open(server, arn, { rotation: ON_DEMAND });
    await failure('KEY_DISABLED', () => kms.rotateKey());
    expect(await kms.currentKeyVersion()).toMatchObject({ state: 'disabled' });
    expect(await kms.testConnection()).toMatchObject({ reachable: true, keyEnabled: false, problem: { code: 'KEY_DISABLED' } });
  });

  test('with an alias rotates the key behind it, and names it in the version', async () => {
    const server = await startServer({ backgroundMs: 0 });
    const { keyId } = server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app', { rotation: ON_DEMAND });
    const old = await kms.generateDataKey({ context: CONTEXT });
    const version = await kms.rotateKey();
    expect(version.id.startsWith(`${keyId}/`)).toBe(true);
    expect(version.id).not.toBe(old.wrapped.keyVersion);
    expect((await collect(kms.listKeyVersions())).map(({ id }) => id)).toEqual([version.id, old.wrapped.keyVersion]);
    expect(await kms.decrypt(old.wrapped, { context: CONTEXT })).toEqual(old.plaintext);
  });
});

describe('versions', () => {
  test('have the date of their material, not of their key', async () => {
    const clock = new ManualClock(1_700_000_000_000);
    const server = await startServer({ clock, backgroundMs: 0 });
    const kms = await open(server, server.createKey().arn, { rotation: ON_DEMAND });
    expect((await kms.currentKeyVersion()).createdAt).toBe(1_700_000_000_000);
    clock.advance(30 * 86_400_000);
    expect((await kms.rotateKey()).createdAt).toBe(1_702_592_000_000);
    expect((await collect(kms.listKeyVersions())).map(({ createdAt }) => createdAt)).toEqual([1_702_592_000_000, 1_700_000_000_000]);
  });

  test('are listed page by page', async () => {
    const server = await startServer({ backgroundMs: 0 });
    for (let i = 0; i < 120; i++) server.createKey({ alias: `alias/noise-${i}` });
    server.createKey({ alias: 'alias/app' });
    const old = server.createKey({ alias: 'alias/app-v1' });
    const kms = await open(server, 'alias/app');
    expect((await collect(kms.listKeyVersions())).map(({ id }) => id.split('/')[0])).toContain(old.keyId);
    expect(server.requests.count('ListAliases')).toBeGreaterThan(1);
  });

  test('a listing that repeats its pages is refused instead of read for ever', async () => {
    const server = await startServer();
    const admin = administrator(server);
    const client = Object.assign(administrator(server), { listAliases: async () => ({ ...(await admin.listAliases({})), Truncated: true, NextMarker: 'again' }) });
    server.createKey({ alias: 'alias/app' });
    const kms = await open(server, 'alias/app', { client });
    await failure('KMS_PROTOCOL_ERROR', () => collect(kms.listKeyVersions()));
  });

  test('are of an unknown age for a caller who may not read the history', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn);
    server.faults.inject({ kind: 'error', status: 400, code: 'AccessDeniedException', operation: 'ListKeyRotations' });
    expect((await kms.currentKeyVersion()).createdAt).toBeUndefined();
  });

  test('of a key that is to be deleted are switched off', async () => {
    const server = await startServer();
    const { arn, keyId } = server.createKey();
    await administrator(server).scheduleKeyDeletion({ KeyId: keyId });
    expect(await collect((await open(server, arn)).listKeyVersions())).toMatchObject([{ state: 'disabled', primary: true }]);
  });
});

describe('automatic, or not at all', () => {
  test('AWS is told the period, and rotateKey() is refused', async () => {
    const server = await startServer();
    const { arn, keyId } = server.createKey();
    const kms = await open(server, arn, { rotation: { strategy: 'automatic', periodDays: 90 } });
    await kms.enableAutomaticRotation();
    expect(await administrator(server).getKeyRotationStatus({ KeyId: keyId })).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    expect(kms.capabilities.rotation).toBe(false);
    await failure('NOT_SUPPORTED', () => kms.rotateKey());
  });

  test('with an alias, the key behind it', async () => {
    const server = await startServer();
    const { keyId } = server.createKey({ alias: 'alias/app' });
    await (await open(server, 'alias/app', { rotation: { strategy: 'automatic', periodDays: 365 } })).enableAutomaticRotation();
    expect(await administrator(server).getKeyRotationStatus({ KeyId: keyId })).toMatchObject({ RotationPeriodInDays: 365 });
  });

  test('another strategy has no automatic rotation to switch on', async () => {
    const server = await startServer();
    const kms = await open(server, server.createKey().arn, { rotation: { strategy: 'none' } });
    await failure('NOT_SUPPORTED', () => kms.enableAutomaticRotation());
    await failure('NOT_SUPPORTED', () => kms.rotateKey());
  });
});

describe('a multi-Region key', () => {
  test('a record written in one region opens through the replica in another, and the reverse', async () => {
    const server = await startServer({ otherRegions: ['us-east-1'], backgroundMs: 0 });
    const { arn, keyId } = server.createKey({ multiRegion: true });
    await administrator(server).replicateKey({ KeyId: keyId, ReplicaRegion: 'us-east-1' });
    const here = await open(server, arn);
    const there = await open(server, arn.replace(REGION, 'us-east-1'), { region: 'us-east-1' });
    expect(there.keyId).toBe(here.keyId);
    for (const [writer, reader] of [[here, there], [there, here]] as const) {
      const { plaintext, wrapped } = await writer.generateDataKey({ context: CONTEXT });
      expect(await reader.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
    }
    expect(new Set(server.requests.list('Decrypt').map(({ region }) => region))).toEqual(new Set([REGION, 'us-east-1']));
  });

  test('behind an alias of the same name in each region', async () => {
    const server = await startServer({ otherRegions: ['us-east-1'], backgroundMs: 0 });
    const { keyId } = server.createKey({ multiRegion: true, alias: 'alias/app' });
    await administrator(server).replicateKey({ KeyId: keyId, ReplicaRegion: 'us-east-1' });
    await administrator(server, 'us-east-1').createAlias({ AliasName: 'alias/app', TargetKeyId: keyId });
    const here = await open(server, 'alias/app');
    const there = await open(server, here.keyId, { region: 'us-east-1' });
    expect(there.keyId).toBe('arn:aws:kms:*:111122223333:alias/app');
    const { plaintext, wrapped } = await here.generateDataKey({ context: CONTEXT });
    expect(await there.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });

  test('rotates on demand in the region of its primary key, and every region follows', async () => {
    const server = await startServer({ otherRegions: ['us-east-1'], backgroundMs: 0 });
    const { arn, keyId } = server.createKey({ multiRegion: true });
    await administrator(server).replicateKey({ KeyId: keyId, ReplicaRegion: 'us-east-1' });
    const here = await open(server, arn, { rotation: ON_DEMAND });
    const there = await open(server, here.keyId, { region: 'us-east-1', rotation: ON_DEMAND });
    const error = await failure('INVALID_KEY_USAGE', () => there.rotateKey());
    expect(error.message).toContain(REGION);
    const version = await here.rotateKey();
    const { plaintext, wrapped } = await here.generateDataKey({ context: CONTEXT });
    expect(wrapped.keyVersion).toBe(version.id);
    expect(await there.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  });
});
