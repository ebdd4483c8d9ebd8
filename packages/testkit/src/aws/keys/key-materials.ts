import { AwsError } from '../wire/aws-error.ts';
import { drawKeyMaterial, type KeyMaterial } from './key-material.ts';

const DAY_MS = 86_400_000;
/** On-demand rotations of one key, for life. */
const MAX_ON_DEMAND = 25;
/** An automatic rotation this near stands in the way of one on demand. */
const CONFLICT_WINDOW_MS = 20 * 60_000;

/** The schedule of automatic rotation. */
export interface RotationSchedule {
  readonly periodDays: number;
  readonly next: number;
}

/**
 * The key materials of a symmetric KMS key and how they rotate: what a multi-Region primary and its
 * replicas share.
 */
export class KeyMaterials {
  readonly #materials: KeyMaterial[] = [drawKeyMaterial()];
  #schedule: RotationSchedule | undefined;
  #onDemand: { readonly startedAt: number; readonly doneAt: number } | undefined;
  #onDemandCount = 0;

  /** All materials, oldest first. */
  get all(): readonly KeyMaterial[] {
    return this.#materials;
  }

  get current(): KeyMaterial {
    const current = this.#materials.at(-1);
    if (current === undefined) throw new Error('A key always has key material.');
    return current;
  }

  get schedule(): RotationSchedule | undefined {
    return this.#schedule;
  }

  /** When the on-demand rotation that is under way was asked for. */
  get onDemandStartedAt(): number | undefined {
    return this.#onDemand?.startedAt;
  }

  find(materialId: string): KeyMaterial | undefined {
    return this.#materials.find((material) => material.id === materialId);
  }

  /** A new period counts from now. */
  enable(periodDays: number, now: number): void {
    if (this.#schedule?.periodDays === periodDays) return;
    this.#schedule = { periodDays, next: now + periodDays * DAY_MS };
  }

  disable(): void {
    this.#schedule = undefined;
  }

  /** @throws AwsError ConflictException or LimitExceededException */
  rotateOnDemand(now: number, durationMs: number): void {
    if (this.#onDemand !== undefined) {
      throw new AwsError('ConflictException', 'An on-demand rotation of this key is in progress.');
    }
    if (this.#schedule !== undefined && this.#schedule.next - now <= CONFLICT_WINDOW_MS) {
      throw new AwsError('ConflictException', 'An automatic rotation of this key is scheduled to begin within the next 20 minutes.');
    }
    if (this.#onDemandCount >= MAX_ON_DEMAND) {
      throw new AwsError('LimitExceededException', `The limit of ${MAX_ON_DEMAND} on-demand rotations of this key has been reached.`);
    }
    this.#onDemandCount += 1;
    this.#onDemand = { startedAt: now, doneAt: now + durationMs };
    this.settle(now, 'may rotate');
  }

  /**
   * Completes what is due by now. A key that is switched off does not rotate by itself; when it is
   * switched on again, it rotates once for all that it missed.
   */
  settle(now: number, mode: 'may rotate' | 'may not rotate'): void {
    if (mode === 'may rotate') this.#settleAutomatic(Math.min(now, this.#onDemand?.doneAt ?? now), now);
    if (this.#onDemand !== undefined && this.#onDemand.doneAt <= now) {
      this.#materials.push(drawKeyMaterial({ at: this.#onDemand.doneAt, type: 'ON_DEMAND' }));
      this.#onDemand = undefined;
    }
    if (mode === 'may rotate') this.#settleAutomatic(now, now);
  }

  /** Drops the rotations that fell due while the key was off, but for one at `now`. */
  resume(now: number): void {
    if (this.#schedule !== undefined && this.#schedule.next < now) {
      this.#schedule = { ...this.#schedule, next: now };
    }
    this.settle(now, 'may rotate');
  }

  #settleAutomatic(until: number, now: number): void {
    while (this.#schedule !== undefined && this.#schedule.next <= until) {
      const { periodDays, next } = this.#schedule;
      this.#materials.push(drawKeyMaterial({ at: Math.min(next, now), type: 'AUTOMATIC' }));
      this.#schedule = { periodDays, next: next + periodDays * DAY_MS };
    }
  }
}
