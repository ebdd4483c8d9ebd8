import { createAlias, deleteAlias, listAliases, updateAlias } from './aliases.ts';
import { createKey } from './create-key.ts';
import { generateDataKey, generateDataKeyWithoutPlaintext } from './data-keys.ts';
import { describeKey, listKeys } from './describe-keys.ts';
import { decrypt, encrypt, reEncrypt } from './encrypt-decrypt.ts';
import { cancelKeyDeletion, disableKey, enableKey, scheduleKeyDeletion } from './key-state.ts';
import { getKeyPolicy } from './key-policy.ts';
import type { Operation } from './operation.ts';
import { replicateKey } from './replicate-key.ts';
import { disableKeyRotation, enableKeyRotation, getKeyRotationStatus, listKeyRotations, rotateKeyOnDemand } from './rotation.ts';
import { listResourceTags, tagResource, untagResource } from './tags.ts';

/** Every operation that the server carries out, by name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [
    cancelKeyDeletion,
    createAlias,
    createKey,
    decrypt,
    deleteAlias,
    describeKey,
    disableKey,
    disableKeyRotation,
    enableKey,
    enableKeyRotation,
    encrypt,
    generateDataKey,
    generateDataKeyWithoutPlaintext,
    getKeyPolicy,
    getKeyRotationStatus,
    listAliases,
    listKeyRotations,
    listKeys,
    listResourceTags,
    reEncrypt,
    replicateKey,
    rotateKeyOnDemand,
    scheduleKeyDeletion,
    tagResource,
    untagResource,
    updateAlias,
  ].map((operation) => [operation.name, operation]),
);
