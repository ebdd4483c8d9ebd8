import {
  type Clock,
  HiddenNames,
  type KeyCache,
  KeyfoldError,
  type KmsClient,
  NAME_KEY_CHECKPOINT,
  type ObjectStore,
  isKeyfoldError,
  keyPolicy,
  openCheckpointData,
  openCheckpointRecord,
  rewrapRecord,
  type RewrapResult,
  sealCheckpoint,
} from '@keyfold/core';
import { concatBytes, integrityFailure } from '@keyfold/core/provider';
import { idOfRecord } from '../object-names.ts';
import type { CheckpointNames } from './checkpoint-names.ts';
import { invalid } from './encryption-config.ts';
import { HiddenCheckpointNames, hiddenRoot, nameKeyObject } from './hidden-checkpoint-names.ts';
import { once } from './load-range.ts';
import { ObjectKeyRecordStore } from './object-key-record-store.ts';
import { VisibleNames } from './visible-names.ts';

/** What a tenant's name key is kept with. */
export interface NameKeyBasis {
  readonly tenant: string;
  readonly objects: ObjectStore;
  /** Wraps a new name key. */
  readonly kms: KmsClient;
  /** What may unwrap it. */
  readonly accepted: readonly KmsClient[];
  readonly requireAuthenticatedWraps: boolean;
  readonly cache: KeyCache;
  readonly clock: Clock;
}

/** Its suite is the specification's, whatever checkpoints use. */
const SUITE = 'cobblestone-256';

/** How often another process may be in the middle of making the key. */
const ATTEMPTS = 5;

/**
 * The tenant's hidden names. The first time, makes the name key: a checkpoint
 * without data under an id that no other can have (docs/spec/hidden-names.md).
 * @throws KeyfoldError CONFIG_INVALID when the root has visible names, INTEGRITY_FAILURE when the name key does not
 *   open, or is gone and objects named by it are there; and what storage and KMS give
 */
export async function openHiddenNames(basis: NameKeyBasis): Promise<HiddenCheckpointNames> {
  const records = nameKeyRecords(basis);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await records.get(NAME_KEY_CHECKPOINT);
    if (stored !== undefined) return new HiddenCheckpointNames(await openNameKey(basis, stored.bytes), basis.tenant);
    await requireUnused(basis);
    await createNameKey(basis, records);
  }
  throw new KeyfoldError('CONFLICT', 'The name key is being made and removed faster than it can be read. Try again.');
}

/**
 * Looks whether the name key is there and gives the names that a store goes on with.
 * @throws KeyfoldError INTEGRITY_FAILURE when it does not, and what storage and KMS give
 */
export async function confirmNameKey(basis: NameKeyBasis, names: CheckpointNames, signal: AbortSignal | undefined): Promise<void> {
  const stored = await nameKeyRecords(basis).get(NAME_KEY_CHECKPOINT, { signal });
  if (stored === undefined) throw lostNameKey(nameKeyObject(basis.tenant));
  const found = new HiddenCheckpointNames(await openNameKey(basis, stored.bytes, signal), basis.tenant);
  // Any id does: another key gives other names to all of them.
  if (found.stem('a') !== names.stem('a')) throw integrityFailure('The name key');
}

/** The name key under the primary version of the configured key; no name changes. */
export function rewrapNameKey(basis: NameKeyBasis, signal: AbortSignal | undefined): Promise<RewrapResult> {
  const { cache, kms: target } = basis;
  const policy = policyOf(basis);
  return rewrapRecord({ records: nameKeyRecords(basis), key: NAME_KEY_CHECKPOINT, identity: identityOf(basis), policy, target, cache, signal });
}

/**
 * Refuses to open a root with visible names where this tenant has hidden ones:
 * it would look empty. So it would to who opened it while the storage could not tell.
 * @throws KeyfoldError CONFIG_INVALID, and what the storage gives
 */
export async function refuseHiddenNames(objects: ObjectStore, tenant: string): Promise<void> {
  const hidden = await objects.head(nameKeyObject(tenant));
  if (hidden === undefined) return;
  throw invalid('The checkpoints of this tenant have hidden names here. Open the store with hideNames: true, or another root.');
}

async function openNameKey(basis: NameKeyBasis, bytes: Uint8Array, signal?: AbortSignal): Promise<HiddenNames> {
  const identity = identityOf(basis);
  const opened = await openCheckpointRecord(bytes, identity, { policy: policyOf(basis), cache: basis.cache, signal });
  try {
    for await (const plaintext of openCheckpointData(opened, identity, once(opened.parsed.rest))) {
      if (plaintext.byteLength > 0) throw integrityFailure('The name key');
    }
    return new HiddenNames(opened.dek, basis.tenant);
  } finally {
    opened.lease.release();
  }
}

async function createNameKey(basis: NameKeyBasis, records: ObjectKeyRecordStore): Promise<void> {
  const sealer = await sealCheckpoint({ ...identityOf(basis), kms: basis.kms, suite: SUITE, clock: basis.clock });
  try {
    await records.create(NAME_KEY_CHECKPOINT, concatBytes(sealer.record, sealer.lead, sealer.end()));
  } catch (error) {
    // Somebody else was first: theirs it is.
    if (!isKeyfoldError(error, 'ALREADY_EXISTS')) throw error;
  }
}

/** A name key that is lost must not be replaced by another, under which the store would look empty. */
async function requireUnused({ objects, tenant }: NameKeyBasis): Promise<void> {
  for await (const { name } of objects.list()) {
    if (name.startsWith(hiddenRoot(tenant))) return requireNameKey(objects, tenant);
    if (idOfRecord(name) !== undefined) {
      throw invalid('This root has checkpoints under visible names. Open it without hideNames, or hide names in another root and save the checkpoints there.');
    }
  }
}

/** Somebody else may have made it since it was looked for. */
async function requireNameKey(objects: ObjectStore, tenant: string): Promise<void> {
  const key = nameKeyObject(tenant);
  if ((await objects.head(key)) === undefined) throw lostNameKey(key);
}

function lostNameKey(key: string): KeyfoldError {
  return new KeyfoldError('INTEGRITY_FAILURE', `The name key ${key} is missing, and objects that are named by it are there. Restore it from a backup: no other key gives these names.`);
}

function nameKeyRecords({ objects, tenant }: NameKeyBasis): ObjectKeyRecordStore {
  return new ObjectKeyRecordStore(objects, new NameKeyName(tenant));
}

/** The one object of the one record. */
class NameKeyName extends VisibleNames {
  readonly #name: string;

  constructor(tenant: string) {
    super();
    this.#name = nameKeyObject(tenant);
  }

  override stem(): string {
    return this.#name;
  }

  override record(stem: string): string {
    return stem;
  }
}

function identityOf({ tenant }: NameKeyBasis): { readonly tenant: string; readonly checkpoint: string } {
  return { tenant, checkpoint: NAME_KEY_CHECKPOINT };
}

function policyOf({ accepted, requireAuthenticatedWraps }: NameKeyBasis): ReturnType<typeof keyPolicy> {
  return keyPolicy(accepted, { suites: [SUITE], requireAuthenticatedWraps });
}
