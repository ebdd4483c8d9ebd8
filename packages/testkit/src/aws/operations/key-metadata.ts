import { KEY_SPECS } from '../keys/key-specs.ts';
import type { KmsKey } from '../keys/kms-key.ts';
import type { Output } from './operation.ts';

/** The KeyMetadata of a key. */
export function keyMetadata(key: KmsKey, now: number): Output {
  const { init } = key;
  const state = key.state(now);
  return {
    AWSAccountId: init.accountId,
    KeyId: init.id,
    Arn: init.arn,
    CreationDate: new Date(init.createdAt),
    Enabled: state === 'Enabled',
    Description: init.description,
    KeyUsage: init.usage,
    KeyState: state,
    DeletionDate: key.deletionAt === undefined ? undefined : new Date(key.deletionAt),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: init.spec,
    KeySpec: init.spec,
    ...KEY_SPECS[init.spec]?.algorithms,
    MultiRegion: init.family !== undefined,
    MultiRegionConfiguration: multiRegionConfiguration(key),
    PendingDeletionWindowInDays: key.pendingWindowDays,
    CurrentKeyMaterialId: init.materials?.current.id,
  };
}

function multiRegionConfiguration(key: KmsKey): Output | undefined {
  const { family } = key.init;
  if (family === undefined) return undefined;
  const members = [...family.members.values()].map(({ init }) => ({ Arn: init.arn, Region: init.region }));
  return {
    MultiRegionKeyType: key.isReplica ? 'REPLICA' : 'PRIMARY',
    PrimaryKey: members.find((member) => member.Region === family.primaryRegion),
    ReplicaKeys: members.filter((member) => member.Region !== family.primaryRegion),
  };
}
