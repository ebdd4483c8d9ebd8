import {
  CancelKeyDeletionCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GetKeyRotationStatusCommand,
  ListKeyRotationsCommand,
  paginateListKeyRotations,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  type GetKeyRotationStatusResponse,
  type KMSClient,
  type RotationsListEntry,
} from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

const DAY = 86_400_000;
const MINUTE = 60_000;
const BACKGROUND = 5000;
const Plaintext = Buffer.from('key');

interface Scene {
  readonly clock: ManualClock;
  readonly client: KMSClient;
  readonly KeyId: string;
  readonly status: () => Promise<GetKeyRotationStatusResponse>;
  readonly materials: () => Promise<readonly RotationsListEntry[]>;
}

async function scene(): Promise<Scene> {
  const clock = new ManualClock();
  const server = await startServer({ clock, backgroundMs: BACKGROUND });
  const client = clientOf(server);
  const KeyId = server.createKey().arn;
  return {
    clock,
    client,
    KeyId,
    status: () => client.send(new GetKeyRotationStatusCommand({ KeyId })),
    materials: async () => {
      const found: RotationsListEntry[] = [];
      const input = { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' } as const;
      for await (const page of paginateListKeyRotations({ client, pageSize: 1 }, input)) found.push(...(page.Rotations ?? []));
      return found;
    },
  };
}

describe('a rotation on demand', () => {
  it('shows in the status until it is done, and then gives new material while the old one still decrypts', async () => {
    const { clock, client, KeyId, status, materials } = await scene();
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }));
    const before = (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.CurrentKeyMaterialId;
    const startedAt = new Date(clock.now());
    expect(await client.send(new RotateKeyOnDemandCommand({ KeyId }))).toMatchObject({ KeyId });
    clock.advance(BACKGROUND - 1);
    expect(await status()).toMatchObject({ KeyId, KeyRotationEnabled: false, OnDemandRotationStartDate: startedAt });
    expect(await materials()).toMatchObject([{ KeyMaterialId: before, KeyMaterialState: 'CURRENT' }]);
    clock.advance(1);
    expect((await status()).OnDemandRotationStartDate).toBeUndefined();
    const after = (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.CurrentKeyMaterialId;
    expect(after).not.toBe(before);
    expect(await materials()).toEqual([
      { KeyId: KeyId.split('/')[1], KeyMaterialId: before, KeyMaterialState: 'NON_CURRENT' },
      {
        KeyId: KeyId.split('/')[1],
        KeyMaterialId: after,
        KeyMaterialState: 'CURRENT',
        RotationDate: new Date(clock.now()),
        RotationType: 'ON_DEMAND',
      },
    ]);
    expect((await client.send(new DecryptCommand({ CiphertextBlob }))).KeyMaterialId).toBe(before);
    const anew = await client.send(new EncryptCommand({ KeyId, Plaintext }));
    expect((await client.send(new DecryptCommand({ CiphertextBlob: anew.CiphertextBlob }))).KeyMaterialId).toBe(after);
  });

  it('is listed without the first material unless that is asked for', async () => {
    const { clock, client, KeyId } = await scene();
    const list = () => client.send(new ListKeyRotationsCommand({ KeyId }));
    expect(await list()).toMatchObject({ Rotations: [], Truncated: false });
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    clock.advance(BACKGROUND);
    expect((await list()).Rotations).toMatchObject([{ RotationType: 'ON_DEMAND', KeyMaterialState: 'CURRENT' }]);
  });

  it('conflicts with one that is under way, and with an automatic one within 20 minutes', async () => {
    const { clock, client, KeyId, status } = await scene();
    const rotate = () => client.send(new RotateKeyOnDemandCommand({ KeyId }));
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    await rotate();
    expect((await refusal(rotate())).name).toBe('ConflictException');
    clock.advance(90 * DAY - 20 * MINUTE);
    expect((await status()).OnDemandRotationStartDate).toBeUndefined();
    expect((await refusal(rotate())).name).toBe('ConflictException');
    clock.advance(20 * MINUTE);
    await rotate();
  });

  it('is had 25 times for the life of a key, failed attempts not counted', async () => {
    const { clock, client, KeyId, materials } = await scene();
    const rotate = () => client.send(new RotateKeyOnDemandCommand({ KeyId }));
    for (let count = 1; count <= 25; count++) {
      await rotate();
      expect((await refusal(rotate())).name).toBe('ConflictException');
      clock.advance(BACKGROUND);
    }
    expect((await refusal(rotate())).name).toBe('LimitExceededException');
    const all = await materials();
    expect(new Set(all.map(({ KeyMaterialId }) => KeyMaterialId)).size).toBe(26);
    expect(all.map(({ KeyMaterialState }) => KeyMaterialState)).toEqual([...Array.from({ length: 25 }, () => 'NON_CURRENT'), 'CURRENT']);
  });

  it('goes on when automatic rotation is switched off', async () => {
    const { clock, client, KeyId, status, materials } = await scene();
    await client.send(new EnableKeyRotationCommand({ KeyId }));
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    await client.send(new DisableKeyRotationCommand({ KeyId }));
    expect((await status()).OnDemandRotationStartDate).toBeDefined();
    clock.advance(BACKGROUND);
    expect(await materials()).toHaveLength(2);
  });
});

describe('automatic rotation', () => {
  it('is off at first, then every 365 days or as often as asked', async () => {
    const { clock, client, KeyId, status } = await scene();
    expect(await status()).toMatchObject({ KeyId, KeyRotationEnabled: false });
    expect(await status()).not.toHaveProperty('RotationPeriodInDays');
    await client.send(new EnableKeyRotationCommand({ KeyId }));
    expect(await status()).toMatchObject({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 365,
      NextRotationDate: new Date(clock.now() + 365 * DAY),
    });
    clock.advance(DAY);
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    expect((await status()).NextRotationDate).toEqual(new Date(clock.now() + 90 * DAY));
    clock.advance(DAY);
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    expect((await status()).NextRotationDate).toEqual(new Date(clock.now() + 89 * DAY));
    await client.send(new DisableKeyRotationCommand({ KeyId }));
    expect(await status()).not.toHaveProperty('NextRotationDate');
  });

  it.each([89, 2561, 30])('every %d days is refused', async (RotationPeriodInDays) => {
    const { client, KeyId } = await scene();
    expect((await refusal(client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays })))).name).toBe('ValidationException');
  });

  it('happens on its date, and a rotation on demand does not move that date', async () => {
    const { clock, client, KeyId, status, materials } = await scene();
    const start = clock.now();
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 100 }));
    clock.advance(50 * DAY);
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    clock.advance(200 * DAY);
    expect(await materials()).toMatchObject([
      { KeyMaterialState: 'NON_CURRENT' },
      { RotationType: 'ON_DEMAND', RotationDate: new Date(start + 50 * DAY + BACKGROUND) },
      { RotationType: 'AUTOMATIC', RotationDate: new Date(start + 100 * DAY) },
      { RotationType: 'AUTOMATIC', RotationDate: new Date(start + 200 * DAY), KeyMaterialState: 'CURRENT' },
    ]);
    expect((await status()).NextRotationDate).toEqual(new Date(start + 300 * DAY));
  });

  it('rests while the key is disabled, and is made up for once when it is enabled', async () => {
    const { clock, client, KeyId, status, materials } = await scene();
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 100 }));
    await client.send(new DisableKeyCommand({ KeyId }));
    clock.advance(350 * DAY);
    expect(await materials()).toHaveLength(1);
    await client.send(new EnableKeyCommand({ KeyId }));
    expect(await materials()).toMatchObject([{}, { RotationType: 'AUTOMATIC', RotationDate: new Date(clock.now()) }]);
    expect((await status()).NextRotationDate).toEqual(new Date(clock.now() + 100 * DAY));
  });

  it('shows as off while the key is to be deleted', async () => {
    const { client, KeyId, status } = await scene();
    await client.send(new EnableKeyRotationCommand({ KeyId }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
    expect(await status()).toMatchObject({ KeyRotationEnabled: false });
    await client.send(new CancelKeyDeletionCommand({ KeyId }));
    expect(await status()).toMatchObject({ KeyRotationEnabled: true });
  });
});
