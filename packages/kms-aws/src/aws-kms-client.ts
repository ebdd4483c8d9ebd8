import {
  KeyfoldError,
  constantTimeEqual,
  type KeyVersion,
  type KmsCallOptions,
  type KmsClient,
  type KmsHealth,
  type WrappedKey,
} from '@keyfold/core/provider';
import type { AliasTargets } from './alias-targets.ts';
import { testHealth } from './health.ts';
import { awsContext, awsContextIfAny } from './kms-context.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import { keyArn, keyIdBeside, type ResolvedKey } from './key-name.ts';
import { keyOfVersion, versionName, type KeyVersions } from './key-versions.ts';
import type { Rotator } from './rotation/rotator.ts';
import { wait } from './rotation/wait.ts';
import type { AwsEncryptionContext } from './sdk.ts';

/** What AWS calls its only algorithm for symmetric keys, AES-256-GCM. */
const WRAP_ALGORITHM = 'SYMMETRIC_DEFAULT';
const MAX_PLAINTEXT_BYTES = 64;
const DEK_BYTES = 32;
/** The largest CiphertextBlob that Decrypt takes. */
const MAX_WRAPPED_BYTES = 6_144;

/** Pauses between looks at the aliases when AWS used a key to which none of them leads. */
const LOOK_AGAIN_MS = [200, 600];

/** What an AwsKmsClient is made of. */
export interface AwsKmsParts {
  readonly key: ResolvedKey;
  readonly calls: KmsCalls;
  readonly versions: KeyVersions;
  /** With an alias: which keys may unwrap. */
  readonly targets: AliasTargets | undefined;
  readonly rotator: Rotator;
  readonly testTenant: string;
}

/**
 * A key of AWS KMS, or the keys behind an alias. Every Decrypt names its key;
 * nothing that a record names is asked unless the configuration has it.
 */
export class AwsKmsClient implements KmsClient {
  readonly provider = 'aws-kms';
  /** The ARN of the key or alias; the region is `*` for a multi-Region key, which is one key in all of its regions. */
  readonly keyId: string;
  readonly capabilities: { readonly authenticatedWraps: true; readonly contextBinding: 'native'; readonly rotation: boolean; readonly versions: true };
  readonly #parts: AwsKmsParts;

  /** Clients come from AwsKms.open() and openKmsUrl(). */
  constructor(parts: AwsKmsParts) {
    this.keyId = parts.key.identity;
    this.capabilities = { authenticatedWraps: true, contextBinding: 'native', rotation: parts.rotator.rotates, versions: true };
    this.#parts = parts;
  }

  /**
   * Wraps a key of 1..64 bytes. Encrypt does not tell which key material it used,
   * so the wrap is opened once, and what Decrypt reports is recorded.
   * @throws KeyfoldError INVALID_ARGUMENT, KMS_PROTOCOL_ERROR (the wrap gives another key), and the codes of KmsClient
   */
  async encrypt(plaintext: Uint8Array, { context, signal }: KmsCallOptions): Promise<WrappedKey> {
    if (!(plaintext instanceof Uint8Array) || plaintext.byteLength < 1 || plaintext.byteLength > MAX_PLAINTEXT_BYTES) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A key to wrap has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
    }
    const native = awsContext(context);
    // The caller may zero its array as soon as it has the promise.
    const dek = new Uint8Array(plaintext);
    try {
      return await this.#encryptVerified(dek, native, { signal });
    } finally {
      dek.fill(0);
    }
  }

  /**
   * @throws KeyfoldError KEY_NOT_FOUND (another provider's or key's wrap) and KEY_NOT_ALLOWED (a key that is not behind
   * the alias), both without asking the wrap's key; INVALID_CIPHERTEXT, INVALID_ARGUMENT, and the codes of KmsClient
   */
  async decrypt(wrapped: WrappedKey, { context, signal }: KmsCallOptions): Promise<Uint8Array> {
    this.#parts.calls.requireOpen();
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KEY_NOT_FOUND', 'This key was wrapped by another KMS or key than the configured one.');
    }
    const native = awsContextIfAny(context);
    const ciphertext = new Uint8Array(wrapped.ciphertext);
    if (native === undefined || wrapped.algorithm !== WRAP_ALGORITHM || ciphertext.byteLength < 1 || ciphertext.byteLength > MAX_WRAPPED_BYTES) {
      throw new KeyfoldError('INVALID_CIPHERTEXT', 'The wrapped key is damaged, or belongs to another key or encryption context.');
    }
    const keyId = await this.#allowedKey(wrapped, { signal });
    return (await this.#decryptUnder(keyId, ciphertext, native, { signal })).plaintext;
  }

  /** @throws KeyfoldError INVALID_ARGUMENT, KMS_PROTOCOL_ERROR (no key of 32 bytes), and the codes of KmsClient */
  async generateDataKey({ context, signal }: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    const { calls, key } = this.#parts;
    const native = awsContext(context);
    const answer = await calls.call('GenerateDataKey', { signal }, (api, options) =>
      api.generateDataKey({ KeyId: key.arn, KeySpec: 'AES_256', EncryptionContext: native }, options),
    );
    const plaintext = takeSecret(answer.Plaintext, DEK_BYTES);
    try {
      if (plaintext.byteLength !== DEK_BYTES) throw new KeyfoldError('KMS_PROTOCOL_ERROR', `AWS KMS made a data key that has no ${DEK_BYTES} bytes.`);
      const ciphertext = requireBytes(answer.CiphertextBlob, MAX_WRAPPED_BYTES);
      return { plaintext, wrapped: this.#wrapped(await this.#answered(answer.KeyId, { signal }), answer.KeyMaterialId, ciphertext) };
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
  }

  /** Its date is that of the key material; undefined where the caller may not read the history. */
  async currentKeyVersion({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    return this.#parts.versions.current({ signal });
  }

  /** The key's materials, or those of every key behind the alias; newest first. */
  async *listKeyVersions({ signal }: SignalOptions = {}): AsyncGenerator<KeyVersion, void, undefined> {
    yield* this.#parts.versions.list({ signal });
  }

  /**
   * By the configured strategy. A rotation that was begun and not ended is ended instead.
   * @throws KeyfoldError NOT_SUPPORTED (no strategy, or AWS rotates by itself), ROTATION_LIMIT, CONFLICT, and the codes of KmsClient
   */
  async rotateKey({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    return this.#parts.rotator.rotate({ signal });
  }

  /**
   * Has AWS rotate the key by itself, as `rotation: { strategy: 'automatic', periodDays }` says.
   * @throws KeyfoldError NOT_SUPPORTED (another strategy), and the codes of KmsClient
   */
  async enableAutomaticRotation({ signal }: SignalOptions = {}): Promise<void> {
    await this.#parts.rotator.enableAutomatic({ signal });
  }

  /** DescribeKey, where it is permitted, and a data key out and back. */
  async testConnection({ signal }: SignalOptions = {}): Promise<KmsHealth> {
    return testHealth(this, this.#parts, { signal });
  }

  /** Ends the SDK's client if it was made here; one of yours stays open. */
  close(): Promise<void> {
    this.#parts.calls.close();
    return Promise.resolve();
  }

  /** Encrypt does not tell which key material it used: Decrypt does, and proves the wrap. */
  async #encryptVerified(dek: Uint8Array, native: AwsEncryptionContext, signals: SignalOptions): Promise<WrappedKey> {
    const { calls, key } = this.#parts;
    const answer = await calls.call('Encrypt', signals, (api, options) =>
      api.encrypt({ KeyId: key.arn, Plaintext: dek, EncryptionContext: native }, options),
    );
    const keyId = await this.#answered(answer.KeyId, signals);
    const ciphertext = requireBytes(answer.CiphertextBlob, MAX_WRAPPED_BYTES);
    const opened = await this.#decryptUnder(keyId, ciphertext, native, signals);
    const same = constantTimeEqual(opened.plaintext, dek);
    opened.plaintext.fill(0);
    if (!same) throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS wrapped another key than it was given.');
    return this.#wrapped(keyId, opened.material, ciphertext);
  }

  async #decryptUnder(
    keyId: string,
    ciphertext: Uint8Array,
    native: AwsEncryptionContext,
    signals: SignalOptions,
  ): Promise<{ plaintext: Uint8Array; material: string | undefined }> {
    const { calls, key } = this.#parts;
    const arn = keyArn(key, keyId);
    const answer = await calls.call('Decrypt', signals, (api, options) =>
      api.decrypt({ KeyId: arn, CiphertextBlob: ciphertext, EncryptionContext: native }, options),
    );
    const plaintext = takeSecret(answer.Plaintext, MAX_PLAINTEXT_BYTES);
    if (answer.KeyId === arn) return { plaintext, material: answer.KeyMaterialId };
    plaintext.fill(0);
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS unwrapped with another key than it was asked for.');
  }

  /** The id of the key that unwraps: the configured one, or one behind the alias that the wrap chooses. */
  async #allowedKey({ keyVersion }: WrappedKey, signals: SignalOptions): Promise<string> {
    const { key, targets } = this.#parts;
    if (targets === undefined) return key.name;
    const keyId = keyOfVersion(keyVersion);
    if (keyId !== undefined && (await targets.allows(keyId, 'record', signals))) return keyId;
    throw new KeyfoldError(
      'KEY_NOT_ALLOWED',
      `This key was wrapped by a key that neither ${key.name} nor one of ${key.name}-v1, ${key.name}-v2, ... points at. If that key is yours, give it such an alias.`,
    );
  }

  /** Which key wrapped: the configured one, or one behind the alias. A wrap that decrypt() would refuse must not reach a record. */
  async #answered(arn: string | undefined, signals: SignalOptions): Promise<string> {
    const { key, targets } = this.#parts;
    const keyId = keyIdBeside(key, arn);
    if (keyId !== undefined && (targets === undefined ? keyId === key.name : await leadsTo(targets, keyId, signals))) return keyId;
    throw new KeyfoldError(
      'KMS_PROTOCOL_ERROR',
      `AWS KMS wrapped with another key than the configured one${targets === undefined ? '' : ', to which no alias leads (try again if the alias was moved a moment ago)'}.`,
    );
  }

  #wrapped(keyId: string, material: string | undefined, ciphertext: Uint8Array): WrappedKey {
    const { key } = this.#parts;
    return { provider: this.provider, keyId: this.keyId, keyVersion: versionName(key, keyId, material), algorithm: WRAP_ALGORITHM, ciphertext };
  }
}

/** Whether an alias leads to a key; a moved one takes a moment until every server of AWS shows it. */
async function leadsTo(targets: AliasTargets, keyId: string, signals: SignalOptions): Promise<boolean> {
  for (const pauseMs of LOOK_AGAIN_MS) {
    if (await targets.allows(keyId, 'service', signals)) return true;
    await wait(pauseMs, signals);
  }
  return targets.allows(keyId, 'service', signals);
}

function requireBytes(bytes: Uint8Array | undefined, max: number): Uint8Array {
  if (bytes instanceof Uint8Array && bytes.byteLength >= 1 && bytes.byteLength <= max) return new Uint8Array(bytes);
  throw new KeyfoldError('KMS_PROTOCOL_ERROR', `AWS KMS answered without bytes where 1 to ${max} were due.`);
}

/** A copy that is the caller's alone: the SDK decodes small values into Node's shared pool, where a key must not stay. */
function takeSecret(bytes: Uint8Array | undefined, max: number): Uint8Array {
  try {
    return requireBytes(bytes, max);
  } finally {
    bytes?.fill(0);
  }
}
