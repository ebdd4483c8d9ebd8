import { type Clock, KeyfoldError, type KeyVersion, type KmsClient } from '@keyfold/core';
import type { KeyAgePolicy } from './encryption-config.ts';

/** How long an answer of the KMS about its primary version is believed. */
const RECHECK_MS = 3_600_000;

/** The primary key version against the policy of its age. */
export interface KeyStatus {
  readonly version: KeyVersion;
  /** Older than `intervalDays`: rotate. */
  readonly rotationDue: boolean;
  /** Older than `maxAgeDays`: save() refuses. */
  readonly expired: boolean;
}

/** Holds new saves to the age that the policy permits. Loads are never refused for age. */
export class KeyAgeGuard {
  readonly #kms: KmsClient;
  readonly #policy: KeyAgePolicy;
  readonly #clock: Clock;
  #believed: { readonly version: KeyVersion; readonly at: number } | undefined;

  constructor(kms: KmsClient, policy: KeyAgePolicy, clock: Clock) {
    this.#kms = kms;
    this.#policy = policy;
    this.#clock = clock;
  }

  /** Asks the KMS. @throws what the KMS gives */
  async status(signal?: AbortSignal): Promise<KeyStatus> {
    const version = await this.#kms.currentKeyVersion({ signal });
    this.#believed = { version, at: this.#clock.now() };
    return this.#judge(version);
  }

  /**
   * Asks the KMS at most once an hour, and whenever the version it knows has expired.
   * @throws KeyfoldError KEY_EXPIRED, and what the KMS gives
   */
  async requireFresh(signal?: AbortSignal): Promise<void> {
    const believed = this.#believed;
    const recent = believed !== undefined && Math.abs(this.#clock.now() - believed.at) < RECHECK_MS;
    if (recent && !this.#judge(believed.version).expired) return;
    if (!(await this.status(signal)).expired) return;
    throw new KeyfoldError(
      'KEY_EXPIRED',
      'The primary version of the wrapping key is older than encryption.keyRotation.maxAgeDays. Rotate it (rotateKey()), then save again.',
    );
  }

  /** A version of unknown age is expired: the policy cannot be shown to hold. */
  #judge(version: KeyVersion): KeyStatus {
    const created = version.createdAt ?? Number.NaN;
    const age = Number.isFinite(created) ? this.#clock.now() - created : Number.POSITIVE_INFINITY;
    return { version, rotationDue: age >= this.#policy.intervalMs, expired: age >= this.#policy.maxAgeMs };
  }
}
