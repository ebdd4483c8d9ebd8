import { randomUUID } from 'node:crypto';
import { KeyMaterials } from './key-materials.ts';
import { KEY_SPECS, SYMMETRIC } from './key-specs.ts';
import { KmsKey, type KeyFamily, type KmsKeyInit } from './kms-key.ts';

/** An alias of a key. */
export interface Alias {
  readonly targetKeyId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a new key is to be. */
export interface NewKey {
  readonly spec: string;
  readonly description: string;
  readonly multiRegion: boolean;
}

/** The keys and aliases of one region. */
export class KmsRegion {
  readonly name: string;
  readonly accountId: string;
  readonly keys = new Map<string, KmsKey>();
  readonly aliases = new Map<string, Alias>();

  constructor(name: string, accountId: string) {
    this.name = name;
    this.accountId = accountId;
  }

  keyArn(keyId: string): string {
    return `arn:aws:kms:${this.name}:${this.accountId}:key/${keyId}`;
  }

  aliasArn(aliasName: string): string {
    return `arn:aws:kms:${this.name}:${this.accountId}:${aliasName}`;
  }

  /** The names of the aliases that a key has had since `by`, by its ARN; none for what is no key of this region. */
  aliasesOf(keyArn: string, by: number): readonly string[] {
    return [...this.aliases].filter(([, { targetKeyId, updatedAt }]) => this.keyArn(targetKeyId) === keyArn && updatedAt <= by).map(([name]) => name);
  }

  createKey({ spec, description, multiRegion }: NewKey, now: number): KmsKey {
    const id = multiRegion ? `mrk-${randomUUID().replaceAll('-', '')}` : randomUUID();
    const family: KeyFamily | undefined = multiRegion ? { primaryRegion: this.name, members: new Map() } : undefined;
    const key = new KmsKey({
      id,
      arn: this.keyArn(id),
      region: this.name,
      accountId: this.accountId,
      spec,
      usage: KEY_SPECS[spec]?.usage ?? 'ENCRYPT_DECRYPT',
      description,
      createdAt: now,
      readyAt: now,
      materials: spec === SYMMETRIC ? new KeyMaterials() : undefined,
      family,
    });
    family?.members.set(this.name, key);
    this.keys.set(id, key);
    return key;
  }

  /** A replica of a multi-Region key of another region. */
  addReplica(primary: KmsKey, family: KeyFamily, own: Pick<KmsKeyInit, 'description' | 'createdAt' | 'readyAt'>): KmsKey {
    const arn = this.keyArn(primary.init.id);
    const replica = new KmsKey({ ...primary.init, ...own, arn, region: this.name });
    family.members.set(this.name, replica);
    this.keys.set(replica.init.id, replica);
    return replica;
  }

  /** Removes the keys whose waiting period is over, and completes rotations. */
  settle(now: number): void {
    for (const key of this.keys.values()) {
      key.settle(now);
      if (key.deletionAt !== undefined && key.deletionAt <= now) this.#remove(key, key.deletionAt);
    }
  }

  #remove(key: KmsKey, at: number): void {
    this.keys.delete(key.init.id);
    for (const [name, alias] of this.aliases) {
      if (alias.targetKeyId === key.init.id) this.aliases.delete(name);
    }
    const { family } = key.init;
    family?.members.delete(this.name);
    if (family?.members.size === 1) family.members.get(family.primaryRegion)?.lastReplicaGone(at);
  }
}
