import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  GetKeyRotationStatusCommand,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

const DAY = 86_400_000;
const BACKGROUND = 5000;
const Plaintext = Buffer.from('key');
const ReplicaRegion = 'eu-west-1';

interface Scene {
  readonly clock: ManualClock;
  readonly primary: KMSClient;
  readonly replica: KMSClient;
  readonly KeyId: string;
}

async function scene(): Promise<Scene> {
  const clock = new ManualClock();
  const server = await startServer({ clock, backgroundMs: BACKGROUND, region: 'eu-central-1', otherRegions: [ReplicaRegion] });
  const primary = clientOf(server);
  const { KeyMetadata } = await primary.send(new CreateKeyCommand({ MultiRegion: true }));
  return { clock, primary, replica: clientOf(server, { region: ReplicaRegion }), KeyId: KeyMetadata?.KeyId ?? '' };
}

async function replicated(): Promise<Scene> {
  const made = await scene();
  await made.primary.send(new ReplicateKeyCommand({ KeyId: made.KeyId, ReplicaRegion }));
  made.clock.advance(BACKGROUND);
  return made;
}

describe('a multi-Region key', () => {
  it('is replicated in the background, under the same id', async () => {
    const { clock, primary, replica, KeyId } = await scene();
    expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    const answer = await primary.send(
      new ReplicateKeyCommand({ KeyId, ReplicaRegion, Description: 'there', Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
    );
    const arn = (region: string) => `arn:aws:kms:${region}:111122223333:key/${KeyId}`;
    const MultiRegionConfiguration = {
      MultiRegionKeyType: 'REPLICA',
      PrimaryKey: { Arn: arn('eu-central-1'), Region: 'eu-central-1' },
      ReplicaKeys: [{ Arn: arn(ReplicaRegion), Region: ReplicaRegion }],
    };
    expect(answer.ReplicaTags).toEqual([{ TagKey: 'a', TagValue: 'b' }]);
    expect(answer.ReplicaKeyMetadata).toMatchObject({ Arn: arn(ReplicaRegion), KeyState: 'Creating', Enabled: false, MultiRegionConfiguration });
    const early = await refusal(replica.send(new EncryptCommand({ KeyId, Plaintext })));
    expect([early.name, early.message]).toEqual(['KMSInvalidStateException', `${arn(ReplicaRegion)} is creating.`]);
    clock.advance(BACKGROUND);
    const { KeyMetadata } = await replica.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ KeyState: 'Enabled', Description: 'there', MultiRegionConfiguration });
    const described = await primary.send(new DescribeKeyCommand({ KeyId }));
    expect(described.KeyMetadata).toMatchObject({
      MultiRegion: true,
      Description: '',
      MultiRegionConfiguration: { ...MultiRegionConfiguration, MultiRegionKeyType: 'PRIMARY' },
    });
  });

  it('decrypts in one region what was encrypted in the other, and rotates in both at once', async () => {
    const { clock, primary, replica, KeyId } = await replicated();
    const { CiphertextBlob } = await primary.send(new EncryptCommand({ KeyId, Plaintext }));
    const opened = await replica.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
    expect(opened.KeyId).toMatch(/^arn:aws:kms:eu-west-1:/);
    await primary.send(new RotateKeyOnDemandCommand({ KeyId }));
    clock.advance(BACKGROUND);
    const current = async (client: KMSClient) => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.CurrentKeyMaterialId;
    expect(await current(replica)).toBe(await current(primary));
    expect(await current(replica)).not.toBe(opened.KeyMaterialId);
  });

  it('is rotated at its primary only, and disabled in each region by itself', async () => {
    const { primary, replica, KeyId } = await replicated();
    expect((await refusal(replica.send(new RotateKeyOnDemandCommand({ KeyId })))).name).toBe('UnsupportedOperationException');
    expect(await replica.send(new GetKeyRotationStatusCommand({ KeyId }))).toMatchObject({ KeyRotationEnabled: false });
    await primary.send(new DisableKeyCommand({ KeyId }));
    await replica.send(new EncryptCommand({ KeyId, Plaintext }));
  });

  it.each([
    ['to a region that has it already', async ({ KeyId, primary }: Scene) => primary.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion })), 'AlreadyExistsException'],
    ['from a replica', async ({ KeyId, replica }: Scene) => replica.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-central-1' })), 'UnsupportedOperationException'],
    ['to a region that is not played', async ({ KeyId, primary }: Scene) => primary.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'us-east-1' })), 'ValidationException'],
    ['to what is no region', async ({ KeyId, primary }: Scene) => primary.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'Paris' })), 'ValidationException'],
    ['with a policy', async ({ KeyId, primary }: Scene) => primary.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion, Policy: '{}' })), 'UnsupportedOperationException'],
  ])('is not replicated %s', async (_, attempt, name) => {
    expect((await refusal(attempt(await replicated()))).name).toBe(name);
  });

  it('waits for its replicas before it is deleted', async () => {
    const { clock, primary, replica, KeyId } = await replicated();
    const scheduled = await primary.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 10 }));
    expect(scheduled).toMatchObject({ KeyState: 'PendingReplicaDeletion', PendingWindowInDays: 10 });
    expect(scheduled.DeletionDate).toBeUndefined();
    const state = async () => (await primary.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;
    expect(await state()).toMatchObject({ KeyState: 'PendingReplicaDeletion', PendingDeletionWindowInDays: 10 });
    await replica.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    clock.advance(7 * DAY);
    expect(await state()).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: new Date(clock.now() + 10 * DAY) });
    clock.advance(10 * DAY);
    expect((await refusal(state())).name).toBe('NotFoundException');
  });

  it('that is kept does not go when its replica goes', async () => {
    const { clock, primary, replica, KeyId } = await replicated();
    await primary.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await primary.send(new CancelKeyDeletionCommand({ KeyId }));
    await replica.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    clock.advance(30 * DAY);
    expect((await primary.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata).toMatchObject({ KeyState: 'Disabled' });
  });

  it('of one region only is not replicated', async () => {
    const { primary } = await scene();
    const { KeyMetadata } = await primary.send(new CreateKeyCommand({}));
    const attempt = primary.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion }));
    expect((await refusal(attempt)).message).toMatch(/is not a multi-region primary key/);
  });
});
