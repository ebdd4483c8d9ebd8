import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { openMessage, sealMessage } from '../crypto/message.ts';
import { systemRandomSource } from '../crypto/random.ts';
import { systemClock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError, throwIfAborted, type ErrorCode } from '../errors.ts';
import { kmsAad } from '../format/context.ts';
import type { WrappedKey } from '../format/key-record.ts';
import type { KeyVersion, KmsCallOptions, KmsCapabilities, KmsClient, KmsHealth } from '../ports/kms-client.ts';

/**
 * What a test lets a MemoryKms do wrong: called before every operation, and throws to make it fail. What it
 * returns is waited for, whatever becomes of the caller's signal, which it gets to end itself by.
 */
export type MemoryKmsFault = (operation: keyof KmsClient, signal?: AbortSignal) => void | Promise<void>;

const ALGORITHM = 'memory-wrap-v1';

/** As the port has it. */
const MAX_PLAINTEXT_BYTES = 64;

/** What each code says about a connection; nothing beyond the failed round trip unless it is here. */
const UNREACHABLE: readonly ErrorCode[] = ['KMS_UNAVAILABLE', 'KMS_PROTOCOL_ERROR'];
const NOT_PERMITTED: readonly ErrorCode[] = ['ACCESS_DENIED', 'AUTHENTICATION_FAILED'];
const NOT_ENABLED: readonly ErrorCode[] = ['KEY_DISABLED', 'KEY_NOT_FOUND'];

/** A KMS in memory, for tests: really wraps, under keys that die with the process. */
export class MemoryKms implements KmsClient {
  readonly provider = 'memory';
  readonly keyId: string;
  readonly capabilities: KmsCapabilities = {
    authenticatedWraps: true,
    contextBinding: 'aad',
    rotation: true,
    versions: true,
  };
  /** Calls so far, by operation. */
  readonly calls = new Map<string, number>();
  fault: MemoryKmsFault | undefined;
  #closed = false;
  readonly #keys: { readonly key: KeyObject; readonly createdAt: number }[] = [];

  constructor(keyId = 'test-key') {
    this.keyId = keyId;
    this.#addVersion();
  }

  /** @throws KeyfoldError INVALID_ARGUMENT, ABORTED, CLOSED, and what the fault throws */
  async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    if (plaintext.byteLength < 1 || plaintext.byteLength > MAX_PLAINTEXT_BYTES) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A key to wrap has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
    }
    const aad = kmsAad(options.context);
    // The caller may zero its own as soon as this call is made.
    const copy = Uint8Array.from(plaintext);
    try {
      await this.#enter('encrypt', options.signal);
      return this.#wrap(copy, aad);
    } finally {
      copy.fill(0);
    }
  }

  /** @throws KeyfoldError KEY_NOT_FOUND, INVALID_CIPHERTEXT, INVALID_ARGUMENT, ABORTED, CLOSED, and what the fault throws */
  async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    this.#requireOpen();
    const { provider, keyId, keyVersion, algorithm } = wrapped;
    if (provider !== this.provider || keyId !== this.keyId) throw keyNotFound();
    const aad = kmsAad(options.context);
    const ciphertext = Uint8Array.from(wrapped.ciphertext);
    await this.#enter('decrypt', options.signal);
    const version = this.#keys.find((_, index) => String(index + 1) === keyVersion);
    if (version === undefined) throw keyNotFound();
    const plaintext = algorithm === ALGORITHM ? openMessage(version.key, aad, ciphertext) : undefined;
    if (plaintext === undefined) throw new KeyfoldError('INVALID_CIPHERTEXT', 'The memory KMS refuses the wrap.');
    return plaintext;
  }

  /** @throws KeyfoldError as {@link encrypt} */
  async generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    const aad = kmsAad(options.context);
    await this.#enter('generateDataKey', options.signal);
    const plaintext = systemRandomSource.bytes(32);
    return { plaintext, wrapped: this.#wrap(plaintext, aad) };
  }

  async currentKeyVersion(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion> {
    await this.#enter('currentKeyVersion', options?.signal);
    return this.#version(this.#keys.length);
  }

  async *listKeyVersions(options?: { signal?: AbortSignal | undefined }): AsyncIterable<KeyVersion> {
    await this.#enter('listKeyVersions', options?.signal);
    for (let id = this.#keys.length; id > 0; id--) yield this.#version(id);
  }

  async rotateKey(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion> {
    await this.#enter('rotateKey', options?.signal);
    this.#addVersion();
    return this.#version(this.#keys.length);
  }

  /** Reports what the fault throws, and rejects only with ABORTED and CLOSED. */
  async testConnection(options?: { signal?: AbortSignal | undefined }): Promise<KmsHealth> {
    try {
      await this.#enter('testConnection', options?.signal);
      return { reachable: true, permitted: true, keyEnabled: true, roundTrip: true };
    } catch (error) {
      if (!isKeyfoldError(error) || error.code === 'ABORTED' || error.code === 'CLOSED') throw error;
      const { code, message } = error;
      const reachable = !UNREACHABLE.includes(code);
      const permitted = reachable && !NOT_PERMITTED.includes(code);
      return { reachable, permitted, keyEnabled: permitted && !NOT_ENABLED.includes(code), roundTrip: false, problem: { code, message } };
    }
  }

  /** Every later call is CLOSED. */
  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #addVersion(): void {
    this.#keys.push({ key: createSecretKey(randomBytes(32)), createdAt: systemClock.now() });
  }

  #version(id: number): KeyVersion {
    return { id: String(id), createdAt: this.#keys[id - 1]?.createdAt, state: 'enabled', primary: id === this.#keys.length };
  }

  #wrap(plaintext: Uint8Array, aad: Uint8Array): WrappedKey {
    const primary = this.#keys.at(-1);
    if (primary === undefined) throw new KeyfoldError('KEY_NOT_FOUND', 'The memory KMS has no key.');
    return {
      provider: this.provider,
      keyId: this.keyId,
      keyVersion: String(this.#keys.length),
      algorithm: ALGORITHM,
      ciphertext: sealMessage(primary.key, aad, plaintext, systemRandomSource),
    };
  }

  async #enter(operation: keyof KmsClient, signal: AbortSignal | undefined): Promise<void> {
    this.#requireOpen();
    throwIfAborted(signal);
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    await this.fault?.(operation, signal);
  }

  #requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This memory KMS was closed.');
  }
}

function keyNotFound(): KeyfoldError {
  return new KeyfoldError('KEY_NOT_FOUND', 'The memory KMS has no such key or version.');
}
