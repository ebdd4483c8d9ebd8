import { type AuditSink, KeyfoldError, type SuiteName } from '@keyfold/core';

/** How checkpoints are encrypted. Whatever this version does not carry out makes open() refuse. */
export interface EncryptionConfig {
  /** Default true. `false` is refused: use a PlainCheckpointStore where plaintext is wanted. */
  readonly enabled?: boolean;
  /**
   * Default `aes-256-gcm` (1 MiB frames). `cobblestone-256` is AES-256-GCM in 16 KiB chunks.
   * `aes-256-cbc-hmac-sha256` is not carried out by this version.
   */
  readonly algorithm?: SuiteName | 'aes-256-cbc-hmac-sha256';
  /** Left out: the age of keys is not looked at. */
  readonly keyRotation?: KeyRotationConfig;
  /** `true` without an `audit` sink is refused. Default: true exactly when there is a sink. */
  readonly auditLogging?: boolean;
  /** Default false. `true` is not carried out by this version. */
  readonly fipsMode?: boolean;
}

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
  readonly keyAge: KeyAgePolicy | undefined;
}

const DAY_MS = 86_400_000;

/**
 * Checks a configuration once, at the door.
 * @throws KeyfoldError CONFIG_INVALID for contradictions and unknown members, NOT_SUPPORTED for what is not carried out
 */
export function resolveEncryption(config: EncryptionConfig, audit: AuditSink | undefined): ResolvedEncryption {
  refuseUnknown('encryption', config, ['enabled', 'algorithm', 'keyRotation', 'auditLogging', 'fipsMode']);
  requireFlags('encryption', config, ['enabled', 'auditLogging', 'fipsMode']);
  if (config.enabled === false) {
    throw unsupported('encryption.enabled: false', 'Open a PlainCheckpointStore if plaintext is what you want.');
  }
  if (config.fipsMode === true) throw unsupported('encryption.fipsMode: true', 'Leave it out, or run without Keyfold where FIPS mode is required.');
  if (config.auditLogging === true && audit === undefined) {
    throw invalid('encryption.auditLogging is true and there is no audit sink. Pass one as "audit".');
  }
  if (config.auditLogging === false && audit !== undefined) {
    throw invalid('encryption.auditLogging is false and an audit sink is given. Leave one of them out.');
  }
  const { algorithm, keyRotation } = config;
  return { suite: resolveSuite(algorithm), keyAge: keyRotation === undefined ? undefined : resolveKeyAge(keyRotation) };
}

/** @throws KeyfoldError CONFIG_INVALID: a misspelt option must not be ignored */
export function refuseUnknown(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw invalid(`${what} takes an object. Known options are: ${known.join(', ')}.`);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`${what} has no option ${JSON.stringify(unknown)}. Known are: ${known.join(', ')}.`);
}

/** @throws KeyfoldError CONFIG_INVALID: the text "true" must not pass for a switch that is off */
function requireFlags<T extends object>(what: string, options: T, flags: readonly (keyof T & string)[]): void {
  const wrong = flags.find((flag) => options[flag] !== undefined && typeof options[flag] !== 'boolean');
  if (wrong !== undefined) throw invalid(`${what}.${wrong} must be true or false.`);
}

function resolveSuite(algorithm: EncryptionConfig['algorithm'] = 'aes-256-gcm'): SuiteName {
  switch (algorithm) {
    case 'aes-256-gcm':
    case 'cobblestone-256':
      return algorithm;
    case 'aes-256-cbc-hmac-sha256':
      throw unsupported('encryption.algorithm "aes-256-cbc-hmac-sha256"', 'Use "aes-256-gcm".');
    default:
      throw invalid('encryption.algorithm must be "aes-256-gcm" or "cobblestone-256".');
  }
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
