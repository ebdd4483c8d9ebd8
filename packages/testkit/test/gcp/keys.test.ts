import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import type { GcpKmsServer } from '../../src/gcp.ts';
import { clientOf, encrypted, ONCE, refused, startServer, type Kms } from '../support/gcp.ts';

const DAY = 24 * 3_600_000;
const LOCATION = 'projects/test-project/locations/europe-west3';

interface Scene {
  readonly server: GcpKmsServer;
  readonly kms: Kms;
  readonly clock: ManualClock;
  readonly name: string;
  readonly version: (id: number) => string;
}

async function scene(protectionLevel: 'SOFTWARE' | 'HSM' = 'SOFTWARE'): Promise<Scene> {
  const clock = new ManualClock(Date.UTC(2030, 0, 1));
  const server = await startServer({ clock, generationMs: 1_000 });
  const { name } = server.createCryptoKey({ protectionLevel });
  return { server, clock, name, kms: await clientOf(server), version: (id) => `${name}/cryptoKeyVersions/${id}` };
}

async function stateOf(kms: Kms, name: string): Promise<unknown> {
  return (await kms.getCryptoKeyVersion({ name }, ONCE))[0].state;
}

describe('key rings and keys', () => {
  it('are made, got and listed page by page', async () => {
    const { kms } = await scene();
    const rings = ['a', 'b', 'c'].map((keyRingId) => `${LOCATION}/keyRings/${keyRingId}`);
    for (const keyRingId of ['a', 'b', 'c']) await kms.createKeyRing({ parent: LOCATION, keyRingId, keyRing: {} }, ONCE);
    expect((await kms.getKeyRing({ name: `${LOCATION}/keyRings/b` }, ONCE))[0]).toMatchObject({ name: rings[1], createTime: { seconds: String(Date.UTC(2030, 0, 1) / 1_000) } });
    const found: unknown[] = [];
    for await (const ring of kms.listKeyRingsAsync({ parent: LOCATION, pageSize: 2 })) found.push(ring.name);
    expect(found).toEqual([`${LOCATION}/keyRings/ring`, ...rings]);
    await kms.createCryptoKey({ parent: rings[0] ?? '', cryptoKeyId: 'k', cryptoKey: { purpose: 'ENCRYPT_DECRYPT', labels: { team: 'a' } } }, ONCE);
    const [keys] = await kms.listCryptoKeys({ parent: rings[0] ?? '' }, ONCE);
    expect(keys).toMatchObject([{ name: `${String(rings[0])}/cryptoKeys/k`, labels: { team: 'a' }, primary: { state: 'ENABLED' }, versionTemplate: { protectionLevel: 'SOFTWARE' } }]);
    await refused(kms.createKeyRing({ parent: LOCATION, keyRingId: 'a', keyRing: {} }, ONCE), 6);
    await refused(kms.createCryptoKey({ parent: rings[0] ?? '', cryptoKeyId: 'k', cryptoKey: { purpose: 'ENCRYPT_DECRYPT' } }, ONCE), 6);
  });

  it('are refused where they make no sense', async () => {
    const { kms, name } = await scene();
    const parent = `${LOCATION}/keyRings/ring`;
    await refused(kms.createKeyRing({ parent: 'here', keyRingId: 'a' }, ONCE), 3);
    await refused(kms.createKeyRing({ parent: LOCATION, keyRingId: 'a b' }, ONCE), 3);
    await refused(kms.getKeyRing({ name: `${LOCATION}/keyRings/none` }, ONCE), 5);
    await refused(kms.getCryptoKey({ name: `${parent}/cryptoKeys/none` }, ONCE), 5);
    await refused(kms.listCryptoKeys({ parent: `${LOCATION}/keyRings/none` }, ONCE), 5);
    for (const [cryptoKey, code] of [
      [null, 3], [{}, 3], [{ purpose: 'MAC' }, 3], [{ purpose: 'ENCRYPT_DECRYPT', versionTemplate: { algorithm: 'HMAC_SHA256' } }, 3],
      [{ purpose: 'ENCRYPT_DECRYPT', versionTemplate: { protectionLevel: 'EXTERNAL' } }, 12], [{ purpose: 'ENCRYPT_DECRYPT', rotationPeriod: { seconds: 60 }, nextRotationTime: { seconds: 2 ** 32 } }, 3],
    ] as const) {
      await refused(kms.createCryptoKey({ parent, cryptoKeyId: 'new', cryptoKey }, ONCE), code);
    }
    await refused(kms.listCryptoKeys({ parent, filter: 'purpose=MAC' }, ONCE), 3);
    await refused(kms.listCryptoKeyVersions({ parent: name, orderBy: 'name' }, ONCE), 3);
    await refused(kms.listCryptoKeyVersions({ parent: name, pageSize: -1 }, ONCE), 3);
    await refused(kms.listCryptoKeyVersions({ parent: name, pageToken: 'mine' }, ONCE), 3);
    await refused(kms.generateRandomBytes({ location: LOCATION, lengthBytes: 8 }, ONCE), 12);
  });

  it('without a first version encrypt nothing until they have a primary', async () => {
    const { kms } = await scene();
    const name = `${LOCATION}/keyRings/ring/cryptoKeys/empty`;
    await kms.createCryptoKey({ parent: `${LOCATION}/keyRings/ring`, cryptoKeyId: 'empty', skipInitialVersionCreation: true, cryptoKey: { purpose: 'ENCRYPT_DECRYPT' } }, ONCE);
    await refused(kms.encrypt({ name, plaintext: Buffer.from('x') }, ONCE), 9, /no primary/);
    await kms.createCryptoKeyVersion({ parent: name }, ONCE);
    await kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '1' }, ONCE);
    await kms.encrypt({ name, plaintext: Buffer.from('x') }, ONCE);
  });
});

describe('versions', () => {
  it('are made without becoming the primary, and become it when they are told to', async () => {
    const { kms, name, version } = await scene();
    const [made] = await kms.createCryptoKeyVersion({ parent: name }, ONCE);
    expect(made).toMatchObject({ name: version(2), state: 'ENABLED', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' });
    const old = await encrypted(kms, { name, plaintext: Buffer.from('old') });
    expect(old.name).toBe(version(1));
    const [key] = await kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' }, ONCE);
    expect(key.primary?.name).toBe(version(2));
    expect((await encrypted(kms, { name, plaintext: Buffer.from('new') })).name).toBe(version(2));
    const [opened] = await kms.decrypt({ name, ciphertext: old.ciphertext }, ONCE);
    expect(String(opened.plaintext)).toBe('old');
    expect(opened.usedPrimary).toBe(false);
    await refused(kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '3' }, ONCE), 5);
    await refused(kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '02' }, ONCE), 5);
  });

  it('of an HSM take a while, in which they do nothing', async () => {
    const { kms, name, version, clock } = await scene('HSM');
    await refused(kms.encrypt({ name, plaintext: Buffer.from('x') }, ONCE), 9, /PENDING_GENERATION/);
    clock.advance(1_000);
    await kms.encrypt({ name, plaintext: Buffer.from('x') }, ONCE);
    await kms.createCryptoKeyVersion({ parent: name }, ONCE);
    expect(await stateOf(kms, version(2))).toBe('PENDING_GENERATION');
    await refused(kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' }, ONCE), 9);
    await refused(kms.destroyCryptoKeyVersion({ name: version(2) }, ONCE), 9);
    clock.advance(1_000);
    expect(await stateOf(kms, version(2))).toBe('ENABLED');
    await kms.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' }, ONCE);
  });

  it('are disabled and enabled, and neither encrypt nor decrypt meanwhile', async () => {
    const { kms, name, version } = await scene();
    const { ciphertext } = await encrypted(kms, { name, plaintext: Buffer.from('x') });
    const set = (state: 'ENABLED' | 'DISABLED' | 'DESTROYED', paths = ['state']): Promise<unknown> =>
      kms.updateCryptoKeyVersion({ cryptoKeyVersion: { name: version(1), state }, updateMask: { paths } }, ONCE);
    await set('DISABLED');
    await refused(kms.encrypt({ name, plaintext: Buffer.from('x') }, ONCE), 9, /is not enabled, current state is: DISABLED/);
    await refused(kms.decrypt({ name, ciphertext }, ONCE), 9, /DISABLED/);
    await set('ENABLED');
    await kms.decrypt({ name, ciphertext }, ONCE);
    await refused(set('DESTROYED'), 3);
    await refused(set('DISABLED', ['algorithm']), 12);
    await refused(kms.updateCryptoKeyVersion({ cryptoKeyVersion: {} }, ONCE), 3);
    expect(await stateOf(kms, version(1))).toBe('ENABLED');
  });

  it('are destroyed after thirty days, until when they can be restored', async () => {
    const { kms, name, version, clock } = await scene();
    const { ciphertext } = await encrypted(kms, { name, plaintext: Buffer.from('x') });
    const [scheduled] = await kms.destroyCryptoKeyVersion({ name: version(1) }, ONCE);
    expect(scheduled).toMatchObject({ state: 'DESTROY_SCHEDULED', destroyTime: { seconds: String((Date.UTC(2030, 0, 1) + 30 * DAY) / 1_000) } });
    await refused(kms.decrypt({ name, ciphertext }, ONCE), 9, /DESTROY_SCHEDULED/);
    await refused(kms.updateCryptoKeyVersion({ cryptoKeyVersion: { name: version(1), state: 'ENABLED' }, updateMask: { paths: ['state'] } }, ONCE), 9);
    const [restored] = await kms.restoreCryptoKeyVersion({ name: version(1) }, ONCE);
    expect(restored.state).toBe('DISABLED');
    await refused(kms.restoreCryptoKeyVersion({ name: version(1) }, ONCE), 9);
    await kms.destroyCryptoKeyVersion({ name: version(1) }, ONCE);
    clock.advance(30 * DAY);
    expect((await kms.getCryptoKeyVersion({ name: version(1) }, ONCE))[0]).toMatchObject({ state: 'DESTROYED', destroyTime: null });
    await refused(kms.decrypt({ name, ciphertext }, ONCE), 9, /DESTROYED/);
    await refused(kms.restoreCryptoKeyVersion({ name: version(1) }, ONCE), 9);
  });
});

describe('a schedule', () => {
  const update = (kms: Kms, cryptoKey: object, paths: string[]): Promise<unknown> => kms.updateCryptoKey({ cryptoKey, updateMask: { paths } }, ONCE);

  it('makes a new primary when it is due, once however late, and goes on', async () => {
    const { kms, name, version, clock } = await scene('HSM');
    const start = clock.now() / 1_000;
    clock.advance(1_000);
    await update(kms, { name, rotationPeriod: { seconds: 86_400 * 30 }, nextRotationTime: { seconds: start + 86_400 * 30 } }, ['rotation_period', 'next_rotation_time']);
    clock.advance(100 * DAY);
    expect((await kms.getCryptoKey({ name }, ONCE))[0]).toMatchObject({ primary: { name: version(1) }, nextRotationTime: { seconds: String(start + 86_400 * 120) } });
    clock.advance(1_000);
    expect((await kms.getCryptoKey({ name }, ONCE))[0].primary?.name).toBe(version(2));
    expect((await kms.listCryptoKeyVersions({ parent: name }, ONCE))[0]).toHaveLength(2);
    await update(kms, { name }, ['rotation_period']);
    clock.advance(100 * DAY);
    expect((await kms.getCryptoKey({ name }, ONCE))[0]).toMatchObject({ nextRotationTime: null });
    expect((await kms.getCryptoKey({ name }, ONCE))[0].rotationPeriod).toBeUndefined();
    expect((await kms.listCryptoKeyVersions({ parent: name }, ONCE))[0]).toHaveLength(3);
  });

  it('is changed by what the mask names and by nothing else, and refused where it cannot be', async () => {
    const { kms, name, server, clock } = await scene();
    const later = { seconds: clock.now() / 1_000 + 86_400 };
    await refused(update(kms, { name, rotationPeriod: { seconds: 86_400 } }, []), 3);
    await refused(update(kms, { name }, ['purpose']), 3);
    await refused(update(kms, { name, rotationPeriod: { seconds: 86_400 } }, ['rotation_period']), 3, /needs nextRotationTime/);
    await refused(update(kms, { name, rotationPeriod: { seconds: 86_399 }, nextRotationTime: later }, ['rotation_period', 'next_rotation_time']), 3, /24 hours/);
    await refused(update(kms, { name, nextRotationTime: { seconds: 1 } }, ['next_rotation_time']), 3, /future/);
    await refused(update(kms, { name: server.createCryptoKey({ purpose: 'ASYMMETRIC_SIGN' }).name, nextRotationTime: later }, ['next_rotation_time']), 9);
    await update(kms, { name, labels: { team: 'b' }, nextRotationTime: later }, ['labels']);
    expect((await kms.getCryptoKey({ name }, ONCE))[0]).toMatchObject({ labels: { team: 'b' }, nextRotationTime: null });
    await update(kms, { name, nextRotationTime: later }, ['next_rotation_time']);
    await update(kms, { name }, ['next_rotation_time']);
    expect((await kms.getCryptoKey({ name }, ONCE))[0].nextRotationTime).toBeNull();
  });
});
