import { randomBytes } from 'node:crypto';
import { failedPrecondition } from '../wire/gcp-error.ts';
import { seconds, type Plain } from '../wire/fields.ts';

/** Where key material lives; only the two kinds that this server plays. */
export type ProtectionLevel = 'SOFTWARE' | 'HSM';

/** The states of a version that this server plays. */
export type VersionState = 'PENDING_GENERATION' | 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED';

/** What a version is made with. */
export interface VersionInit {
  readonly name: string;
  readonly number: number;
  readonly protectionLevel: ProtectionLevel;
  readonly algorithm: string;
  readonly createdAt: number;
  /** When its material is ready. */
  readonly generatedAt: number;
  /** Whether it becomes the primary as soon as it is enabled: of a scheduled rotation. */
  readonly promote: boolean;
}

/** One version of a key, with its own material. */
export class KeyVersion {
  readonly init: VersionInit;
  state: VersionState;
  /** When its destruction is due or was done. */
  destroyAt: number | undefined;
  promote: boolean;
  #secret: Buffer | undefined = randomBytes(32);

  constructor(init: VersionInit) {
    this.init = init;
    this.state = init.generatedAt > init.createdAt ? 'PENDING_GENERATION' : 'ENABLED';
    this.promote = init.promote;
  }

  /** 256 bits; never leave this process. @throws GcpError FAILED_PRECONDITION unless the version is enabled */
  get secret(): Uint8Array {
    if (this.state !== 'ENABLED' || this.#secret === undefined) {
      throw failedPrecondition(`${this.init.name} is not enabled, current state is: ${this.state}.`);
    }
    return this.#secret;
  }

  /** Completes what is due by now. */
  settle(now: number): void {
    if (this.state === 'PENDING_GENERATION' && now >= this.init.generatedAt) this.state = 'ENABLED';
    if (this.state === 'DESTROY_SCHEDULED' && this.destroyAt !== undefined && now >= this.destroyAt) {
      this.state = 'DESTROYED';
      this.#secret?.fill(0);
      this.#secret = undefined;
    }
  }

  /** @throws GcpError FAILED_PRECONDITION where the version is in neither state */
  switchTo(state: 'ENABLED' | 'DISABLED'): void {
    if (this.state !== 'ENABLED' && this.state !== 'DISABLED') throw this.#wrongState(`cannot become ${state}`);
    this.state = state;
  }

  /** @throws GcpError FAILED_PRECONDITION where it is pending, or was destroyed already */
  destroy(at: number): void {
    if (this.state !== 'ENABLED' && this.state !== 'DISABLED') throw this.#wrongState('cannot be destroyed');
    this.state = 'DESTROY_SCHEDULED';
    this.destroyAt = at;
  }

  /** @throws GcpError FAILED_PRECONDITION unless its destruction is scheduled */
  restore(): void {
    if (this.state !== 'DESTROY_SCHEDULED') throw this.#wrongState('cannot be restored');
    this.state = 'DISABLED';
    this.destroyAt = undefined;
  }

  /** As the API shows it. */
  toMessage(): Plain {
    const { name, protectionLevel, algorithm, createdAt, generatedAt } = this.init;
    const { state, destroyAt } = this;
    return {
      name,
      state,
      protectionLevel,
      algorithm,
      createTime: seconds(createdAt),
      ...(state !== 'PENDING_GENERATION' && { generateTime: seconds(generatedAt) }),
      ...(state === 'DESTROY_SCHEDULED' && destroyAt !== undefined && { destroyTime: seconds(destroyAt) }),
      ...(state === 'DESTROYED' && destroyAt !== undefined && { destroyEventTime: seconds(destroyAt) }),
    };
  }

  #wrongState(what: string): Error {
    return failedPrecondition(`${this.init.name} ${what}, current state is: ${this.state}.`);
  }
}
