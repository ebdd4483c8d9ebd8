import {
  systemRandomSource,
  KeyfoldError,
  SecretBytes,
  constantTimeEqual,
  isKeyfoldError,
  throwIfAborted,
  wrapContext,
  type Clock,
  type EncryptionContext,
  type KeyVersion,
  type KmsCallOptions,
  type KmsClient,
  type KmsHealth,
  type WrappedKey,
} from '@keyfold/core/provider';
import { describeVersion, findVersion, requireVersion, withNewPrimary, withState, type KekSet, type KekVersion } from './kek-set.ts';
import type { KeyringSession } from './keyring-session.ts';
import { MAX_PLAINTEXT_BYTES, WRAP_ALGORITHM, invalidCiphertext, isWrapLength, unwrap, wrap, type WrappingKey } from './wrap.ts';

const DEK_BYTES = 32;
const KEK_BYTES = 32;

interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A keyring file as a KMS. Every call first looks whether another process has
 * changed the file, and uses the newest state.
 */
export class LocalKmsClient implements KmsClient {
  readonly provider = 'local';
  readonly keyId: string;
  readonly capabilities = { authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true } as const;
  readonly #session: KeyringSession;
  readonly #clock: Clock;

  /** Clients come from LocalKms.create() and LocalKms.open(). */
  constructor(session: KeyringSession, clock: Clock) {
    this.keyId = session.keyId;
    this.#session = session;
    this.#clock = clock;
  }

  /** The keyring's generation, to be kept elsewhere and passed as `minimumGeneration`; it grows with every change. */
  get generation(): number {
    return this.#session.generation;
  }

  /**
   * Wraps a key of 1..64 bytes.
   * @throws KeyfoldError INVALID_ARGUMENT, KEY_DISABLED, ABORTED, CLOSED, and what reading the keyring throws
   */
  async encrypt(plaintext: Uint8Array, { context, signal }: KmsCallOptions): Promise<WrappedKey> {
    if (!(plaintext instanceof Uint8Array) || plaintext.byteLength < 1 || plaintext.byteLength > MAX_PLAINTEXT_BYTES) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A key to wrap has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
    }
    // The caller may zero its own as soon as this call is made, and zeros must not be what is wrapped.
    const copy = Uint8Array.from(plaintext);
    try {
      await this.#refresh(signal);
      return this.#wrap(copy, context);
    } finally {
      copy.fill(0);
    }
  }

  /**
   * @throws KeyfoldError KEY_NOT_FOUND (another provider's or keyring's wrap, or a version that is unknown or
   * destroyed), KEY_DISABLED, INVALID_CIPHERTEXT, INVALID_ARGUMENT, ABORTED, CLOSED, and what reading the keyring throws
   */
  async decrypt(wrapped: WrappedKey, { context, signal }: KmsCallOptions): Promise<Uint8Array> {
    this.#session.requireOpen();
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KEY_NOT_FOUND', 'This key was wrapped by another KMS or keyring.');
    }
    if (wrapped.algorithm !== WRAP_ALGORITHM || !isWrapLength(wrapped.ciphertext.byteLength)) throw invalidCiphertext();
    const { keyVersion } = wrapped;
    const ciphertext = Uint8Array.from(wrapped.ciphertext);
    await this.#refresh(signal);
    if (findVersion(this.#session.keks, keyVersion) === undefined) await this.#session.reload();
    const kek = this.#usable(requireVersion(this.#session.keks, keyVersion));
    return unwrap(kek, ciphertext, context);
  }

  /** @throws KeyfoldError as {@link encrypt} */
  async generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    const plaintext = systemRandomSource.bytes(DEK_BYTES);
    try {
      return { plaintext, wrapped: await this.encrypt(plaintext, options) };
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
  }

  async currentKeyVersion({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    await this.#refresh(signal);
    const { keks } = this.#session;
    return describe(keks, keks.primary);
  }

  /** Newest first, destroyed ones included. */
  async *listKeyVersions({ signal }: SignalOptions = {}): AsyncGenerator<KeyVersion, void, undefined> {
    await this.#refresh(signal);
    const { keks } = this.#session;
    const versions = keks.versions.map((version) => describeVersion(keks, version));
    for (const version of versions.toReversed()) {
      throwIfAborted(signal);
      yield version;
    }
  }

  /**
   * Adds a version and makes it the primary, durably; other processes wrap with it from their next call on.
   * @throws KeyfoldError ROTATION_LIMIT, CONFLICT, ABORTED, CLOSED, STORAGE_*, and what reading the keyring
   * throws. After STORAGE_FAILURE the new version may exist: look at currentKeyVersion().
   */
  async rotateKey({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    throwIfAborted(signal);
    const key = SecretBytes.random(KEK_BYTES, systemRandomSource);
    const createdAt = this.#clock.now();
    try {
      let id = '';
      const keks = await this.#session.update((current) => {
        const next = withNewPrimary(current, key, createdAt);
        id = next.primary;
        return next;
      }, signal);
      return describe(keks, id);
    } finally {
      key.dispose();
    }
  }

  /**
   * Switches a version off: it neither wraps nor unwraps until it is enabled again. Doing it twice does no harm.
   * @throws KeyfoldError KEY_NOT_FOUND (unknown or destroyed), and as {@link rotateKey}
   */
  async disableKeyVersion(version: string, { signal }: SignalOptions = {}): Promise<KeyVersion> {
    return describe(await this.#session.update((keks) => withState(keks, version, 'disabled'), signal), version);
  }

  /** Switches a version on again. @throws KeyfoldError as {@link disableKeyVersion} */
  async enableKeyVersion(version: string, { signal }: SignalOptions = {}): Promise<KeyVersion> {
    return describe(await this.#session.update((keks) => withState(keks, version, 'enabled'), signal), version);
  }

  /**
   * Erases a version's key from the keyring and its backup. What it wrapped is lost for good; the primary is refused.
   * If this fails after the version is destroyed but before the backup is rewritten, call it again.
   * @throws KeyfoldError INVALID_ARGUMENT (the primary), KEY_NOT_FOUND, and as {@link rotateKey}
   */
  async destroyKeyVersion(version: string, { signal }: SignalOptions = {}): Promise<KeyVersion> {
    await this.#session.update((keks) => withState(keks, version, 'destroyed'), signal);
    // The generation before this one still holds the key and is now the backup: one more generation pushes it out.
    const keks = await this.#session.update((current) => current, undefined);
    await this.#session.tidy();
    return describe(keks, version);
  }

  async testConnection({ signal }: SignalOptions = {}): Promise<KmsHealth> {
    const health = { reachable: false, permitted: false, keyEnabled: false, roundTrip: false };
    try {
      await this.#refresh(signal);
      health.reachable = true;
      health.permitted = true;
      const context = wrapContext('checkpoint', 'keyfold', 'test-connection', new Uint8Array(16));
      const { plaintext, wrapped } = await this.generateDataKey({ context, signal });
      health.keyEnabled = true;
      const opened = await this.decrypt(wrapped, { context, signal });
      health.roundTrip = constantTimeEqual(plaintext, opened);
      plaintext.fill(0);
      opened.fill(0);
      return health;
    } catch (error) {
      return { ...health, ...failure(error) };
    }
  }

  /** Waits for a change under way, then overwrites the keys in memory. Every later call is CLOSED. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  #wrap(plaintext: Uint8Array, context: EncryptionContext): WrappedKey {
    const { keks } = this.#session;
    const kek = this.#usable(requireVersion(keks, keks.primary));
    return {
      provider: this.provider,
      keyId: this.keyId,
      keyVersion: kek.version,
      algorithm: WRAP_ALGORITHM,
      ciphertext: wrap(kek, plaintext, context),
    };
  }

  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    await this.#session.refresh();
    throwIfAborted(signal);
  }

  #usable({ id, state, key }: KekVersion): WrappingKey {
    if (key === undefined) throw new KeyfoldError('KEY_NOT_FOUND', `Version ${id} was destroyed; what it wrapped is lost.`);
    if (state === 'disabled') {
      throw new KeyfoldError('KEY_DISABLED', `Version ${id} is disabled. Switch it on with enableKeyVersion().`);
    }
    return { keyId: this.keyId, version: id, key };
  }
}

/** Names and states only, so it works on a set whose keys are gone. */
function describe(keks: KekSet, id: string): KeyVersion {
  return describeVersion(keks, requireVersion(keks, id));
}

/** The keyring was there and refused: reachable all the same. */
const REFUSALS = ['STORAGE_DENIED', 'CONFIG_INVALID', 'AUTHENTICATION_FAILED', 'INTEGRITY_FAILURE'] as const;

function failure(error: unknown): Pick<KmsHealth, 'problem'> & { reachable?: true } {
  const refused = REFUSALS.some((code) => isKeyfoldError(error, code)) ? { reachable: true as const } : {};
  return isKeyfoldError(error)
    ? { ...refused, problem: { code: error.code, message: error.message } }
    : { problem: { code: 'KMS_PROTOCOL_ERROR', message: 'The keyring failed in an unforeseen way.' } };
}
