import { randomFillSync } from 'node:crypto';
import {
  KeyfoldError,
  kmsAad,
  type Clock,
  type EncryptionContext,
  type KeyVersion,
  type KmsCallOptions,
  type KmsClient,
  type KmsHealth,
  type WrappedKey,
} from '@keyfold/core/provider';
import { openAnswer, wrapOfAnswer } from './answers.ts';
import { crc32c } from './crc32c.ts';
import { testHealth } from './health.ts';
import { currentVersion, listVersions, shown } from './key-versions.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import type { CheckedOptions } from './options.ts';
import { rotate } from './rotate.ts';

/** What Google calls its algorithm for symmetric keys, AES-256-GCM. */
const WRAP_ALGORITHM = 'GOOGLE_SYMMETRIC_ENCRYPTION';
const MAX_PLAINTEXT_BYTES = 64;
const DEK_BYTES = 32;
/** Far more than Cloud KMS makes of 64 bytes. */
const MAX_WRAPPED_BYTES = 4_096;

/** What a GcpKmsClient is made of. */
export interface GcpKmsParts {
  readonly keyId: string;
  readonly calls: KmsCalls;
  readonly rotation: CheckedOptions['rotation'];
  readonly testTenant: string;
  readonly clock: Clock;
}

/**
 * A key of Google Cloud KMS. Every byte that goes out or comes back has a checksum
 * that this side and the service compare; the encryption context is additional
 * authenticated data.
 */
export class GcpKmsClient implements KmsClient {
  readonly provider = 'gcp-kms';
  /** The full name of the CryptoKey. */
  readonly keyId: string;
  readonly capabilities: { readonly authenticatedWraps: true; readonly contextBinding: 'aad'; readonly rotation: boolean; readonly versions: true };
  readonly #parts: GcpKmsParts;

  /** Clients come from GcpKms.open() and openKmsUrl(). */
  constructor(parts: GcpKmsParts) {
    this.keyId = parts.keyId;
    this.capabilities = { authenticatedWraps: true, contextBinding: 'aad', rotation: parts.rotation.strategy !== 'none', versions: true };
    this.#parts = parts;
  }

  /**
   * Wraps a key of 1..64 bytes under the primary version.
   * @throws KeyfoldError INVALID_ARGUMENT, KMS_PROTOCOL_ERROR (a checksum or name that is not right), and the codes of KmsClient
   */
  async encrypt(plaintext: Uint8Array, { context, signal }: KmsCallOptions): Promise<WrappedKey> {
    if (!(plaintext instanceof Uint8Array) || plaintext.byteLength < 1 || plaintext.byteLength > MAX_PLAINTEXT_BYTES) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A key to wrap has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
    }
    // The caller may zero its array as soon as it has the promise.
    const dek = new Uint8Array(plaintext);
    try {
      return await this.#wrap(dek, context, { signal });
    } finally {
      dek.fill(0);
    }
  }

  /**
   * Cloud KMS is given the name of the CryptoKey, never of a version: the ciphertext says which one opens it.
   * @throws KeyfoldError KEY_NOT_FOUND (another provider's or key's wrap; nothing is asked), INVALID_CIPHERTEXT,
   * INVALID_ARGUMENT, KMS_PROTOCOL_ERROR (a checksum that is not right), and the codes of KmsClient
   */
  async decrypt(wrapped: WrappedKey, { context, signal }: KmsCallOptions): Promise<Uint8Array> {
    this.#parts.calls.requireOpen();
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId) {
      throw new KeyfoldError('KEY_NOT_FOUND', 'This key was wrapped by another KMS or key than the configured one.');
    }
    const aad = kmsAad(context);
    const ciphertext = new Uint8Array(wrapped.ciphertext);
    if (wrapped.algorithm !== WRAP_ALGORITHM || ciphertext.byteLength < 1 || ciphertext.byteLength > MAX_WRAPPED_BYTES) {
      throw new KeyfoldError('INVALID_CIPHERTEXT', 'The wrapped key is damaged, or belongs to another key or encryption context.');
    }
    const request = {
      name: this.keyId,
      ciphertext,
      ciphertextCrc32c: { value: crc32c(ciphertext) },
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
    };
    const [answer] = await this.#parts.calls.call('Decrypt', { signal }, (api, options) => api.decrypt(request, options));
    return openAnswer(answer, MAX_PLAINTEXT_BYTES);
  }

  /** 32 random bytes of this machine, and their wrap. @throws KeyfoldError as encrypt() */
  async generateDataKey({ context, signal }: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    this.#parts.calls.requireOpen();
    const plaintext = randomFillSync(new Uint8Array(DEK_BYTES));
    try {
      return { plaintext, wrapped: await this.#wrap(plaintext, context, { signal }) };
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
  }

  /** By GetCryptoKey. After a rotation Encrypt may use the old primary for up to three hours; every wrap names the one it used. */
  async currentKeyVersion({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    return currentVersion(this.#parts, { signal });
  }

  /** Every version, destroyed ones too, newest first. */
  async *listKeyVersions({ signal }: SignalOptions = {}): AsyncGenerator<KeyVersion, void, undefined> {
    const { id } = await currentVersion(this.#parts, { signal });
    for (const version of await listVersions(this.#parts, { signal })) yield shown(version, version.id === id);
  }

  /**
   * Makes a version and, once it is enabled, the primary of it. A rotation that was begun and not ended is ended instead.
   * @throws KeyfoldError NOT_SUPPORTED (configured not to rotate), CONFLICT, and the codes of KmsClient
   */
  async rotateKey({ signal }: SignalOptions = {}): Promise<KeyVersion> {
    const { rotation } = this.#parts;
    if (rotation.strategy === 'none') {
      throw new KeyfoldError('NOT_SUPPORTED', 'This client is configured not to rotate. Configure rotation: { strategy: "new-version" }, or set a rotation period in Cloud KMS.');
    }
    return rotate({ ...this.#parts, pollMs: rotation.pollMs }, { signal });
  }

  /** GetCryptoKey, where it is permitted, and a data key out and back. */
  async testConnection({ signal }: SignalOptions = {}): Promise<KmsHealth> {
    return testHealth(this, this.#parts, { signal });
  }

  /** Ends what is under way, and the SDK's client if it was made here and no other key is open with it; one of yours stays open. */
  async close(): Promise<void> {
    await this.#parts.calls.close();
  }

  async #wrap(dek: Uint8Array, context: EncryptionContext, signals: SignalOptions): Promise<WrappedKey> {
    const aad = kmsAad(context);
    const request = {
      name: this.keyId,
      plaintext: dek,
      plaintextCrc32c: { value: crc32c(dek) },
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
    };
    const [answer] = await this.#parts.calls.call('Encrypt', signals, (api, options) => api.encrypt(request, options));
    const { keyVersion, ciphertext } = wrapOfAnswer(this.keyId, answer, MAX_WRAPPED_BYTES);
    return { provider: this.provider, keyId: this.keyId, keyVersion, algorithm: WRAP_ALGORITHM, ciphertext };
  }
}
