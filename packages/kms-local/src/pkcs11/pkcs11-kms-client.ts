import {
  KeyfoldError,
  constantTimeEqual,
  isKeyfoldError,
  kmsAad,
  systemRandomSource,
  throwIfAborted,
  wrapContext,
  type EncryptionContext,
  type KeyVersion,
  type KmsCallOptions,
  type KmsCapabilities,
  type KmsClient,
  type KmsHealth,
  type WrappedKey,
} from '@keyfold/core/provider';
import { isAmbiguous } from './error-codes.ts';
import type { Kek } from './kek.ts';
import type { KekVersions } from './kek-versions.ts';
import type { Wrappings } from './mechanisms.ts';
import type { Token, TokenCall } from './token.ts';
import { MAX_PLAINTEXT_BYTES, invalidCiphertext, type Wrapping } from './wrapping.ts';

const DEK_BYTES = 32;
const PROBE_CONTEXT = { purpose: 'probe' };

interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a client is made of. */
export interface ClientParts {
  readonly token: Token;
  readonly keks: KekVersions;
  readonly wrappings: Wrappings;
  readonly keyId: string;
  readonly maxWrapsPerVersion: number;
}

/**
 * A key on a PKCS#11 token as a KMS. Its versions are the AES keys of one
 * label; every call sees what other processes did to them.
 */
export class Pkcs11KmsClient implements KmsClient {
  readonly provider = 'pkcs11';
  readonly keyId: string;
  readonly capabilities: KmsCapabilities;
  readonly #token: Token;
  readonly #keks: KekVersions;
  readonly #wrappings: Wrappings;
  readonly #maxWraps: number;
  readonly #wraps = new Map<string, number>();

  /** Clients come from Pkcs11Kms. */
  constructor({ token, keks, wrappings, keyId, maxWrapsPerVersion }: ClientParts) {
    this.keyId = keyId;
    this.#token = token;
    this.#keks = keks;
    this.#wrappings = wrappings;
    this.#maxWraps = maxWrapsPerVersion;
    const { contextBinding } = wrappings.preferred;
    this.capabilities = Object.freeze({ authenticatedWraps: true, contextBinding, rotation: true, versions: true });
  }

  /**
   * Wraps a key of 1..64 bytes under the newest enabled version.
   * @throws KeyfoldError INVALID_ARGUMENT, KEY_NOT_FOUND, KEY_DISABLED, CONFIG_INVALID (a key that is extractable, not
   * sensitive, imported, or not the only one of its id), LIMIT_EXCEEDED (maxWrapsPerVersion), INVALID_KEY_USAGE,
   * AUTHENTICATION_FAILED, KMS_UNAVAILABLE, KMS_THROTTLED, KMS_PROTOCOL_ERROR, ABORTED, CLOSED
   */
  async encrypt(plaintext: Uint8Array, { context, signal }: KmsCallOptions): Promise<WrappedKey> {
    if (!(plaintext instanceof Uint8Array) || plaintext.byteLength < 1 || plaintext.byteLength > MAX_PLAINTEXT_BYTES) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A key to wrap has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
    }
    const bound = checked(context);
    // The caller may change its array as soon as it has the promise.
    const copy = Uint8Array.from(plaintext);
    const wrapping = this.#wrappings.preferred;
    try {
      return await this.#token.run({ doing: 'Wrapping a key', signal }, (call) =>
        this.#keks.use(
          call,
          () => this.#keks.primary(call),
          async (kek) => ({
            provider: this.provider,
            keyId: this.keyId,
            keyVersion: kek.id.text,
            algorithm: wrapping.algorithm,
            ciphertext: await this.#wrap(call, kek, wrapping, bound, copy),
          }),
        ),
      );
    } finally {
      copy.fill(0);
    }
  }

  /**
   * @throws KeyfoldError KEY_NOT_FOUND (another provider's or key's wrap, or no such version on the token), KEY_DISABLED,
   * INVALID_CIPHERTEXT, and as {@link encrypt}
   */
  async decrypt(wrapped: WrappedKey, { context, signal }: KmsCallOptions): Promise<Uint8Array> {
    this.#token.requireOpen();
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KEY_NOT_FOUND', 'This key was wrapped by another KMS, or under another key.');
    }
    const bound = checked(context);
    const wrapping = this.#wrappings.all.find(({ algorithm }) => algorithm === wrapped.algorithm);
    if (wrapping?.isWrapped(wrapped.ciphertext) !== true) throw invalidCiphertext();
    const ciphertext = Uint8Array.from(wrapped.ciphertext);
    return this.#token.run({ doing: 'Unwrapping a key', signal, discard: zero }, (call) =>
      this.#keks.use(
        call,
        () => this.#keks.find(call, wrapped.keyVersion, (may) => wrapping.canUnwrap(may)),
        (kek) => this.#unwrap(call, kek, wrapping, bound, ciphertext),
      ),
    );
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

  /** @throws KeyfoldError as {@link encrypt} */
  async currentKeyVersion({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    return this.#token.run({ doing: 'Looking for the key', signal }, (call) => this.#primary(call));
  }

  /** Newest first. Destroyed versions are no longer on the token and not listed. */
  async *listKeyVersions({ signal }: SignalOptions = {}): AsyncGenerator<KeyVersion, void, undefined> {
    const versions = await this.#token.run({ doing: 'Listing the key versions', signal }, (call) => {
      const keks = this.#keks.list(call, true);
      if (keks.length === 0) call.requireAlive();
      return Promise.resolve(keks.map((kek) => this.#keks.describe(call, kek)));
    });
    for (const version of versions) {
      throwIfAborted(signal);
      yield version;
    }
  }

  /**
   * Makes the token generate a version, and gives the primary: where another process rotated at the same moment, that
   * may be its version; all processes agree on which it is. After ABORTED the new version may exist.
   * @throws KeyfoldError ROTATION_LIMIT (1,024 versions), ACCESS_DENIED, INVALID_KEY_USAGE, and as {@link encrypt}
   */
  async rotateKey({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    return this.#token.run({ doing: 'Rotating the key', signal }, async (call) => {
      await this.#keks.generate(call);
      return this.#primary(call);
    });
  }

  /**
   * Switches a version off, on the token: it neither wraps nor unwraps until it is enabled again.
   * @throws KeyfoldError KEY_NOT_FOUND, ACCESS_DENIED, and as {@link encrypt}
   */
  async disableKeyVersion(version: string, options: SignalOptions = {}): Promise<KeyVersion> {
    return this.#setEnabled(version, false, options);
  }

  /** Switches a version on again. @throws KeyfoldError as {@link disableKeyVersion} */
  async enableKeyVersion(version: string, options: SignalOptions = {}): Promise<KeyVersion> {
    return this.#setEnabled(version, true, options);
  }

  /**
   * Destroys a version on the token. What it wrapped is lost for good, unless the token was cloned or backed up. The
   * primary is refused.
   * @throws KeyfoldError INVALID_ARGUMENT (the primary), KEY_NOT_FOUND, ACCESS_DENIED, and as {@link encrypt}
   */
  async destroyKeyVersion(version: string, { signal }: SignalOptions = {}): Promise<void> {
    await this.#token.run({ doing: 'Destroying a key version', signal }, (call) =>
      this.#keks.destroy(call, this.#keks.locate(call, version)),
    );
  }

  async testConnection({ signal }: SignalOptions = {}): Promise<KmsHealth> {
    const health = { reachable: false, permitted: false, keyEnabled: false, roundTrip: false };
    try {
      await this.currentKeyVersion({ signal });
      health.reachable = true;
      health.keyEnabled = true;
      const context = wrapContext('checkpoint', 'keyfold', 'test-connection', new Uint8Array(16));
      const { plaintext, wrapped } = await this.generateDataKey({ context, signal });
      const opened = await this.decrypt(wrapped, { context, signal });
      health.permitted = true;
      health.roundTrip = constantTimeEqual(plaintext, opened);
      plaintext.fill(0);
      opened.fill(0);
      return health;
    } catch (error) {
      return { ...health, ...failure(error) };
    }
  }

  /**
   * Waits for what is under way, then closes all sessions with the token and forgets its keys. Every later call is
   * CLOSED. The module stays initialised, because others in this process may use it.
   */
  async close(): Promise<void> {
    await this.#token.close();
  }

  async #primary(call: TokenCall): Promise<KeyVersion> {
    const pick = (): Kek => this.#keks.primary(call);
    return this.#keks.use(call, pick, (kek) => Promise.resolve(this.#keks.describe(call, kek)));
  }

  async #setEnabled(version: string, enabled: boolean, { signal }: SignalOptions): Promise<KeyVersion> {
    const doing = `Switching a key version ${enabled ? 'on' : 'off'}`;
    return this.#token.run({ doing, signal }, async (call) =>
      this.#keks.describe(call, await this.#keks.setEnabled(call, this.#keks.locate(call, version), enabled)),
    );
  }

  async #wrap(call: TokenCall, kek: Kek, wrapping: Wrapping, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array> {
    const before = this.#wraps.get(kek.id.text) ?? 0;
    if (before >= this.#maxWraps) {
      throw new KeyfoldError('LIMIT_EXCEEDED', `This client wrapped ${before} keys under one version, which is its limit. Rotate the key.`);
    }
    this.#wraps.set(kek.id.text, before + 1);
    return wrapping.wrap(call, kek, this, context, plaintext);
  }

  async #unwrap(call: TokenCall, kek: Kek, wrapping: Wrapping, context: EncryptionContext, ciphertext: Uint8Array): Promise<Uint8Array> {
    try {
      return await wrapping.unwrap(call, kek, this, context, ciphertext);
    } catch (error) {
      if (!isAmbiguous(error) || !(await this.#stillUnwraps(call, kek, wrapping))) throw error;
      throw invalidCiphertext();
    }
  }

  /**
   * Many tokens answer CKR_GENERAL_ERROR to a ciphertext that does not authenticate and to a fault of their own alike.
   * If they open what they wrapped themselves, it was the ciphertext. One such wrap is kept of each version, so that
   * planted ciphertexts cause no wraps.
   */
  async #stillUnwraps(call: TokenCall, kek: Kek, wrapping: Wrapping): Promise<boolean> {
    call.requireAlive();
    if (!wrapping.canWrap(kek.may)) return true;
    try {
      return await call.inSession(0, async (session) => {
        const further = { ...call, session };
        const name = `${wrapping.algorithm}/${kek.id.text}`;
        const probe = call.known.probes.get(name) ?? (await this.#wrap(further, kek, wrapping, PROBE_CONTEXT, new Uint8Array(DEK_BYTES)));
        call.known.probes.set(name, probe);
        zero(await wrapping.unwrap(further, kek, this, PROBE_CONTEXT, probe));
        return true;
      });
    } catch {
      return false;
    }
  }
}

/** A copy of the context, which the caller may change, refused before the token is asked if it is none. */
function checked(context: EncryptionContext): EncryptionContext {
  kmsAad(context);
  return { ...context };
}

function zero(key: Uint8Array): void {
  key.fill(0);
}

/** The token was there and refused: reachable all the same. */
const UNREACHABLE = ['KMS_UNAVAILABLE', 'KMS_THROTTLED', 'ABORTED', 'CLOSED'] as const;
/** And let us in. */
const PERMITTED = ['KEY_NOT_FOUND', 'KEY_DISABLED'] as const;

function failure(error: unknown): Partial<KmsHealth> {
  if (!isKeyfoldError(error)) return { problem: { code: 'KMS_PROTOCOL_ERROR', message: 'The token failed in an unforeseen way.' } };
  const { code, message } = error;
  const is = (codes: readonly string[]): boolean => codes.includes(code);
  return {
    ...(is(UNREACHABLE) ? {} : { reachable: true }),
    ...(is(PERMITTED) ? { permitted: true } : {}),
    problem: { code, message },
  };
}
