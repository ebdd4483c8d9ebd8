import { KeyfoldError, type KeyVersion } from '@keyfold/core/provider';
import { keyArn } from '../key-name.ts';
import { describeKey } from '../key-versions.ts';
import type { SignalOptions } from '../kms-calls.ts';
import { rotateAlias } from './alias.ts';
import { rotateOnDemand } from './on-demand.ts';
import type { RotationParts } from './parts.ts';
import type { CheckedRotation } from './strategy.ts';

/** Rotates by the strategy of the configuration. */
export class Rotator {
  readonly #parts: RotationParts;
  readonly #rotation: CheckedRotation;

  constructor(parts: RotationParts, rotation: CheckedRotation) {
    this.#parts = parts;
    this.#rotation = rotation;
  }

  /** Whether rotate() does anything. */
  get rotates(): boolean {
    return this.#rotation.strategy === 'alias' || this.#rotation.strategy === 'on-demand';
  }

  /** @throws KeyfoldError NOT_SUPPORTED, and what the strategy gives */
  async rotate(signals: SignalOptions): Promise<KeyVersion> {
    const rotation = this.#rotation;
    switch (rotation.strategy) {
      case 'alias':
        return rotateAlias(this.#parts, signals);
      case 'on-demand':
        return rotateOnDemand(this.#parts, rotation, signals);
      case 'automatic':
        throw new KeyfoldError('NOT_SUPPORTED', `AWS rotates this key by itself every ${rotation.periodDays} days. To rotate now, configure the strategy "on-demand" or "alias".`);
      case 'none':
        throw new KeyfoldError('NOT_SUPPORTED', 'This client is configured not to rotate. Configure rotation: { strategy: "alias" } or { strategy: "on-demand" }.');
    }
  }

  /** @throws KeyfoldError NOT_SUPPORTED, and what EnableKeyRotation gives */
  async enableAutomatic(signals: SignalOptions): Promise<void> {
    const rotation = this.#rotation;
    if (rotation.strategy !== 'automatic') {
      throw new KeyfoldError('NOT_SUPPORTED', 'This client is not configured for automatic rotation. Configure rotation: { strategy: "automatic", periodDays }.');
    }
    const { calls, key } = this.#parts;
    // An alias is not taken here.
    const { KeyId: keyId } = await describeKey(calls, key, key.arn, signals);
    await calls.call('EnableKeyRotation', signals, (api, options) =>
      api.enableKeyRotation({ KeyId: keyArn(key, keyId), RotationPeriodInDays: rotation.periodDays }, options),
    );
  }
}
