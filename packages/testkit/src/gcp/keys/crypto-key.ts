import { seconds, type Plain } from '../wire/fields.ts';
import { failedPrecondition, invalidArgument, notFound } from '../wire/gcp-error.ts';
import { KeyVersion, type ProtectionLevel } from './key-version.ts';

/** The only purpose for which keys do anything here. */
export const ENCRYPT_DECRYPT = 'ENCRYPT_DECRYPT';

/** When the next versions come by themselves. */
export interface RotationSchedule {
  readonly periodMs: number | undefined;
  readonly nextAt: number | undefined;
}

/** What a key is made with. */
export interface CryptoKeyInit {
  readonly name: string;
  readonly purpose: string;
  readonly protectionLevel: ProtectionLevel;
  readonly algorithm: string;
  readonly createdAt: number;
  /** How long a destroyed version can be restored. */
  readonly destroyScheduledMs: number;
  /** How long new material of an HSM takes. */
  readonly generationMs: number;
}

/** A CryptoKey with its versions. */
export class CryptoKey {
  readonly init: CryptoKeyInit;
  readonly versions: KeyVersion[] = [];
  labels: Readonly<Record<string, string>> = {};
  schedule: RotationSchedule = { periodMs: undefined, nextAt: undefined };
  #primary: KeyVersion | undefined;

  constructor(init: CryptoKeyInit) {
    this.init = init;
  }

  /** @throws GcpError FAILED_PRECONDITION for a key that has none */
  get primary(): KeyVersion {
    if (this.#primary === undefined) throw failedPrecondition(`${this.init.name} has no primary version.`);
    return this.#primary;
  }

  isPrimary(version: KeyVersion): boolean {
    return this.#primary === version;
  }

  /** A new version, which wraps nothing until it is made the primary. */
  addVersion(now: number, promote = false): KeyVersion {
    const { name, protectionLevel, algorithm, generationMs } = this.init;
    const number = this.versions.length + 1;
    const generatedAt = protectionLevel === 'HSM' ? now + generationMs : now;
    const version = new KeyVersion({ name: `${name}/cryptoKeyVersions/${number}`, number, protectionLevel, algorithm, createdAt: now, generatedAt, promote });
    this.versions.push(version);
    return version;
  }

  /** @throws GcpError NOT_FOUND */
  version(id: string): KeyVersion {
    const version = this.versions[Number(id) - 1];
    if (version?.init.number.toString() !== id) throw notFound(`${this.init.name}/cryptoKeyVersions/${id}`);
    return version;
  }

  /** @throws GcpError FAILED_PRECONDITION unless the version is enabled */
  makePrimary(version: KeyVersion): void {
    if (version.state !== 'ENABLED') throw failedPrecondition(`${version.init.name} is not enabled, current state is: ${version.state}.`);
    this.#primary = version;
  }

  /** The first version is the primary while it is still being generated. */
  setFirstPrimary(version: KeyVersion): void {
    this.#primary = version;
  }

  /** Completes what is due by now: generation, destruction, scheduled rotation. */
  settle(now: number): void {
    this.#rotateWhenDue(now);
    for (const version of this.versions) {
      version.settle(now);
      if (version.promote && version.state === 'ENABLED') {
        version.promote = false;
        this.makePrimary(version);
      }
    }
  }

  /** @throws GcpError INVALID_ARGUMENT unless the key encrypts */
  requireEncrypts(): void {
    const { name, purpose } = this.init;
    if (purpose !== ENCRYPT_DECRYPT) throw invalidArgument(`${name} has the purpose ${purpose}, and this takes a key of the purpose ${ENCRYPT_DECRYPT}.`);
  }

  /** As the API shows it. */
  toMessage(): Plain {
    const { name, purpose, createdAt, protectionLevel, algorithm, destroyScheduledMs } = this.init;
    const { periodMs, nextAt } = this.schedule;
    return {
      name,
      purpose,
      createTime: seconds(createdAt),
      versionTemplate: { protectionLevel, algorithm },
      labels: this.labels,
      destroyScheduledDuration: seconds(destroyScheduledMs),
      ...(this.#primary !== undefined && { primary: this.#primary.toMessage() }),
      ...(periodMs !== undefined && { rotationPeriod: seconds(periodMs) }),
      ...(nextAt !== undefined && { nextRotationTime: seconds(nextAt) }),
    };
  }

  /** One new version, however many periods have passed; the next is due at the next full period. */
  #rotateWhenDue(now: number): void {
    const { periodMs, nextAt } = this.schedule;
    if (nextAt === undefined || now < nextAt) return;
    this.addVersion(now, true);
    this.schedule = { periodMs, nextAt: periodMs === undefined ? undefined : nextAt + periodMs * (Math.floor((now - nextAt) / periodMs) + 1) };
  }
}
