import type { KeyMaterials } from '../keys/key-materials.ts';
import type { KmsKey } from '../keys/kms-key.ts';
import { unsupported } from '../wire/aws-error.ts';
import { integer, required, text } from '../wire/shape.ts';
import { define, keyId, keyIdOnly, limit, marker } from './define.ts';
import { page } from './page.ts';

const DEFAULT_PERIOD_DAYS = 365;

/** EnableKeyRotation: every 90 to 2560 days, 365 by default. */
export const enableKeyRotation = define(
  'EnableKeyRotation',
  { KeyId: required(keyId), RotationPeriodInDays: integer({ min: 90, max: 2560 }) },
  (call, input) => {
    const key = call.useKey({ action: 'EnableKeyRotation', identifier: input.KeyId });
    key.checkUsable(call.now);
    rotatable(key, 'primary only').enable(input.RotationPeriodInDays ?? DEFAULT_PERIOD_DAYS, call.now);
    return undefined;
  },
);

/** DisableKeyRotation; a rotation on demand that is under way goes on. */
export const disableKeyRotation = define('DisableKeyRotation', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'DisableKeyRotation', identifier: input.KeyId });
  key.checkUsable(call.now);
  rotatable(key, 'primary only').disable();
  return undefined;
});

/** GetKeyRotationStatus: where a rotation on demand shows while it is under way. */
export const getKeyRotationStatus = define('GetKeyRotationStatus', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'GetKeyRotationStatus', identifier: input.KeyId });
  const { schedule, onDemandStartedAt } = rotatable(key, 'replicas too');
  // KMS reports rotation as off while a key is pending deletion.
  const shown = key.isPendingDeletion ? undefined : schedule;
  return {
    KeyId: key.arn,
    KeyRotationEnabled: shown !== undefined,
    RotationPeriodInDays: shown?.periodDays,
    NextRotationDate: shown === undefined ? undefined : new Date(shown.next),
    OnDemandRotationStartDate: onDemandStartedAt === undefined ? undefined : new Date(onDemandStartedAt),
  };
});

/** RotateKeyOnDemand: answers at once and rotates in the background. */
export const rotateKeyOnDemand = define('RotateKeyOnDemand', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'RotateKeyOnDemand', identifier: input.KeyId });
  key.checkUsable(call.now);
  rotatable(key, 'primary only').rotateOnDemand(call.now, call.state.backgroundMs);
  return { KeyId: key.arn };
});

/** ListKeyRotations: oldest first, 100 a page by default. */
export const listKeyRotations = define(
  'ListKeyRotations',
  {
    KeyId: required(keyId),
    IncludeKeyMaterial: text({ values: ['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY'] }),
    Limit: limit(1000),
    Marker: marker,
  },
  (call, input) => {
    const key = call.useKey({ action: 'ListKeyRotations', identifier: input.KeyId });
    const { all, current } = rotatable(key, 'replicas too');
    const numbered = all
      .map((material, index) => ({ material, position: String(index).padStart(6, '0') }))
      .filter(({ material }) => material.rotatedAt !== undefined || input.IncludeKeyMaterial === 'ALL_KEY_MATERIAL');
    const { items, paging } = page(numbered, ({ position }) => position, { limit: input.Limit ?? 100, marker: input.Marker });
    const Rotations = items.map(({ material }) => ({
      KeyId: key.init.id,
      KeyMaterialId: material.id,
      KeyMaterialState: material === current ? 'CURRENT' : 'NON_CURRENT',
      RotationDate: material.rotatedAt === undefined ? undefined : new Date(material.rotatedAt),
      RotationType: material.rotationType,
    }));
    return { Rotations, ...paging };
  },
);

/** @throws AwsError UnsupportedOperationException for keys that never rotate, and for replicas where the primary is to be asked */
function rotatable(key: KmsKey, which: 'primary only' | 'replicas too'): KeyMaterials {
  const { materials, spec } = key.init;
  if (materials === undefined) throw unsupported(`${key.arn} key spec is ${spec} which is not valid for this operation.`);
  if (which === 'primary only' && key.isReplica) {
    throw unsupported(`${key.arn} is a replica key; rotation is a property of its primary key.`);
  }
  return materials;
}
