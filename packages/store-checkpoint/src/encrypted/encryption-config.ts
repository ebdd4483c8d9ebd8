import { ALL_SUITES, type AuditSink, GCM_SUITES, KeyfoldError, type SuiteName } from '@keyfold/core';

/** How checkpoints are encrypted. Whatever this version does not carry out makes open() refuse. */
export interface EncryptionConfig {
  /** Default true. `false` is for openCheckpointStore(), which asks for more before it opens a store in plaintext. */
  readonly enabled?: boolean;
  /**
   * What save() uses. Default `aes-256-gcm` (1 MiB frames). `cobblestone-256` is AES-256-GCM in
   * 16 KiB chunks; `aes-256-cbc-hmac-sha256` is for rules that demand CBC, and several times slower.
   */
  readonly algorithm?: SuiteName;
  /**
   * What may be opened; anything else is an INTEGRITY_FAILURE before a key is used. Default: the two
   * of AES-256-GCM, and `algorithm`. List `aes-256-cbc-hmac-sha256` to go on reading it after a change back.
   */
  readonly acceptedAlgorithms?: readonly SuiteName[];
  /** Left out: the age of keys is not looked at. */
  readonly keyRotation?: KeyRotationConfig;
  /** `true` without an `audit` sink is refused. Default: true exactly when there is a sink. */
  readonly auditLogging?: boolean;
  /** Default false. `true` is not carried out by this version. */
  readonly fipsMode?: boolean;
}

/** How old keys may become. */
export interface KeyRotationConfig {
  /** Days after which a rotation is due. Default 30. */
  readonly intervalDays?: number;
  /** Days after which save() refuses to use the key version. Default 90, at least `intervalDays`. */
  readonly maxAgeDays?: number;
  /** Default true, which this version does not carry out: say `false` and call `rotateKey()` on a schedule. */
  readonly autoRotate?: boolean;
}

export interface KeyAgePolicy {
  readonly intervalMs: number;
  readonly maxAgeMs: number;
}

export interface ResolvedEncryption {
  readonly suite: SuiteName;
  readonly accepted: readonly SuiteName[];
  readonly keyAge: KeyAgePolicy | undefined;
}

const DAY_MS = 86_400_000;

/**
 * Checks a configuration once, at the door.
 * @throws KeyfoldError CONFIG_INVALID for contradictions and unknown members, NOT_SUPPORTED for what is not carried out
 */
export function resolveEncryption(config: EncryptionConfig = {}, audit: AuditSink | undefined): ResolvedEncryption {
  refuseUnknown('encryption', config, ['enabled', 'algorithm', 'acceptedAlgorithms', 'keyRotation', 'auditLogging', 'fipsMode']);
  requireFlags('encryption', config, ['enabled', 'auditLogging', 'fipsMode']);
  if (config.enabled === false) {
    throw invalid('encryption.enabled is false, and an EncryptedCheckpointStore always encrypts. If plaintext is what you want, say so to openCheckpointStore().');
  }
  if (config.fipsMode === true) throw unsupported('encryption.fipsMode: true', 'Leave it out, or run without Keyfold where FIPS mode is required.');
  if (config.auditLogging === true && audit === undefined) {
    throw invalid('encryption.auditLogging is true and there is no audit sink. Pass one as "audit".');
  }
  if (config.auditLogging === false && audit !== undefined) {
    throw invalid('encryption.auditLogging is false and an audit sink is given. Leave one of them out.');
  }
  const { algorithm, acceptedAlgorithms, keyRotation } = config;
  const suite = resolveSuite(algorithm);
  return { suite, accepted: resolveAccepted(acceptedAlgorithms, suite), keyAge: keyRotation === undefined ? undefined : resolveKeyAge(keyRotation) };
}

/** @throws KeyfoldError CONFIG_INVALID: a misspelt option must not be ignored */
export function refuseUnknown(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw invalid(`${what} takes an object. Known options are: ${known.join(', ')}.`);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`${what} has no option ${JSON.stringify(unknown)}. Known are: ${known.join(', ')}.`);
}

/** @throws KeyfoldError CONFIG_INVALID: the text "true" must not pass for a switch that is off */
export function requireFlags<T extends object>(what: string, options: T, flags: readonly (keyof T & string)[]): void {
  const wrong = flags.find((flag) => options[flag] !== undefined && typeof options[flag] !== 'boolean');
  if (wrong !== undefined) throw invalid(`${what}.${wrong} must be true or false.`);
}

function resolveSuite(algorithm: SuiteName = 'aes-256-gcm'): SuiteName {
  if (ALL_SUITES.includes(algorithm)) return algorithm;
  throw invalid(`encryption.algorithm must be one of ${ALL_SUITES.join(', ')}.`);
}

function resolveAccepted(accepted: readonly SuiteName[] | undefined, suite: SuiteName): readonly SuiteName[] {
  if (accepted === undefined) return [...new Set([...GCM_SUITES, suite])];
  if (!isSuiteList(accepted)) {
    throw invalid(`encryption.acceptedAlgorithms must be a list of ${ALL_SUITES.join(', ')}.`);
  }
  if (!accepted.includes(suite)) {
    throw invalid(`encryption.acceptedAlgorithms leaves out ${suite}, so this store could not load what it saves. Add it, or save with another algorithm.`);
  }
  return accepted;
}

function isSuiteList(list: unknown): boolean {
  return Array.isArray(list) && list.every((name: SuiteName) => ALL_SUITES.includes(name));
}

function resolveKeyAge(rotation: KeyRotationConfig): KeyAgePolicy {
  refuseUnknown('encryption.keyRotation', rotation, ['intervalDays', 'maxAgeDays', 'autoRotate']);
  requireFlags('encryption.keyRotation', rotation, ['autoRotate']);
  const { intervalDays = 30, maxAgeDays = 90, autoRotate = true } = rotation;
  if (!isDays(intervalDays) || !isDays(maxAgeDays) || maxAgeDays < intervalDays) {
    throw invalid('encryption.keyRotation: intervalDays and maxAgeDays must be days above 0, and maxAgeDays not below intervalDays.');
  }
  if (autoRotate) {
    throw unsupported('encryption.keyRotation.autoRotate: true (its default)', 'Set autoRotate: false and call rotateKey() of your KmsClient on a schedule; save() refuses keys older than maxAgeDays.');
  }
  return { intervalMs: intervalDays * DAY_MS, maxAgeMs: maxAgeDays * DAY_MS };
}

function isDays(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

export function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', message);
}

function unsupported(what: string, instead: string): KeyfoldError {
  return new KeyfoldError('NOT_SUPPORTED', `This version does not carry out ${what}, so it refuses to open rather than ignore it. ${instead}`);
}
