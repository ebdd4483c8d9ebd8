import { AwsError } from '../wire/aws-error.ts';
import type { KeyMaterials } from './key-materials.ts';
import type { KeyUsage } from './key-specs.ts';

const DAY_MS = 86_400_000;

/** The state of a key, as DescribeKey names it. */
export type KeyState = 'Creating' | 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion';

/** What a key is made of. */
export interface KmsKeyInit {
  readonly id: string;
  readonly arn: string;
  readonly region: string;
  readonly accountId: string;
  readonly spec: string;
  readonly usage: KeyUsage;
  readonly description: string;
  readonly createdAt: number;
  /** When it can be used: later than `createdAt` for replicas. */
  readonly readyAt: number;
  /** Undefined for keys that do not encrypt. */
  readonly materials: KeyMaterials | undefined;
  /** The regions of a multi-Region key, shared by all that are related. */
  readonly family: KeyFamily | undefined;
}

/** The related keys of a multi-Region key. */
export interface KeyFamily {
  readonly primaryRegion: string;
  /** By region, the primary included. */
  readonly members: Map<string, KmsKey>;
}

/** One KMS key in one region. */
export class KmsKey {
  readonly init: KmsKeyInit;
  readonly tags = new Map<string, string>();
  /** Its key policy, if it was made with one. */
  policy: string | undefined;
  #state: 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion' = 'Enabled';
  #deletionAt: number | undefined;
  #windowDays: number | undefined;

  constructor(init: KmsKeyInit) {
    this.init = init;
  }

  get arn(): string {
    return this.init.arn;
  }

  get isReplica(): boolean {
    return this.init.family !== undefined && this.init.family.primaryRegion !== this.init.region;
  }

  get isPendingDeletion(): boolean {
    return this.#state === 'PendingDeletion' || this.#state === 'PendingReplicaDeletion';
  }

  /** When it will be gone; undefined while its replicas keep it. */
  get deletionAt(): number | undefined {
    return this.#deletionAt;
  }

  /** The waiting period of a primary key that waits for its replicas. */
  get pendingWindowDays(): number | undefined {
    return this.#state === 'PendingReplicaDeletion' ? this.#windowDays : undefined;
  }

  state(now: number): KeyState {
    return this.#state === 'Enabled' && now < this.init.readyAt ? 'Creating' : this.#state;
  }

  /** Completes the rotations that are due. */
  settle(now: number): void {
    this.init.materials?.settle(now, this.#primary().#state === 'Enabled' ? 'may rotate' : 'may not rotate');
  }

  enable(now: number): void {
    if (this.#state === 'Disabled' && !this.isReplica) this.init.materials?.resume(now);
    this.#state = 'Enabled';
  }

  disable(): void {
    this.#state = 'Disabled';
  }

  /** A primary key with replicas waits for them first. */
  scheduleDeletion(windowDays: number, now: number): void {
    this.#windowDays = windowDays;
    if (!this.isReplica && (this.init.family?.members.size ?? 1) > 1) {
      this.#state = 'PendingReplicaDeletion';
      return;
    }
    this.#state = 'PendingDeletion';
    this.#deletionAt = now + windowDays * DAY_MS;
  }

  /** As KMS: the key comes back disabled. */
  cancelDeletion(): void {
    this.#state = 'Disabled';
    this.#deletionAt = undefined;
    this.#windowDays = undefined;
  }

  /** Tells a primary key that its last replica is gone. */
  lastReplicaGone(at: number): void {
    if (this.#state !== 'PendingReplicaDeletion') return;
    this.#state = 'PendingDeletion';
    this.#deletionAt = at + (this.#windowDays ?? 0) * DAY_MS;
  }

  /** @throws AwsError DisabledException or KMSInvalidStateException unless the key can be used */
  checkUsable(now: number): void {
    const state = this.state(now);
    if (state === 'Disabled') throw new AwsError('DisabledException', `${this.arn} is disabled.`);
    if (state !== 'Enabled') this.#refuseState(state);
  }

  /** @throws AwsError KMSInvalidStateException for a key that is being made or deleted */
  checkNotPending(now: number): void {
    const state = this.state(now);
    if (state !== 'Enabled' && state !== 'Disabled') this.#refuseState(state);
  }

  #refuseState(state: Exclude<KeyState, 'Enabled' | 'Disabled'>): never {
    const what = { Creating: 'creating', PendingDeletion: 'pending deletion', PendingReplicaDeletion: 'pending replica deletion' };
    throw new AwsError('KMSInvalidStateException', `${this.arn} is ${what[state]}.`);
  }

  #primary(): KmsKey {
    return this.init.family?.members.get(this.init.family.primaryRegion) ?? this;
  }
}
