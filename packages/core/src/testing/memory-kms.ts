import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { openMessage, sealMessage } from '../crypto/message.ts';
import { systemRandomSource } from '../crypto/random.ts';
import { systemClock } from '../clock.ts';
import { KeyfoldError, throwIfAborted } from '../errors.ts';
import { kmsAad } from '../format/context.ts';
import type { WrappedKey } from '../format/key-record.ts';
import type { KeyVersion, KmsCallOptions, KmsCapabilities, KmsClient, KmsHealth } from '../ports/kms-client.ts';

/** What a test lets a MemoryKms do wrong: called before every operation, and throws to make it fail. */
export type MemoryKmsFault = (operation: keyof KmsClient) => void | Promise<void>;

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
  readonly #keys: { readonly key: KeyObject; readonly createdAt: number }[] = [];

  constructor(keyId = 'test-key') {
    this.keyId = keyId;
    this.#addVersion();
  }

  async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    await this.#enter('encrypt', options.signal);
    return this.#wrap(plaintext, options);
  }

  async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    await this.#enter('decrypt', options.signal);
    const version = this.#keys.find((_, index) => String(index + 1) === wrapped.keyVersion);
    if (wrapped.provider !== this.provider || wrapped.keyId !== this.keyId || version === undefined) {
      throw new KeyfoldError('KEY_NOT_FOUND', 'The memory KMS has no such key or version.');
    }
    const plaintext = openMessage(version.key, kmsAad(options.context), wrapped.ciphertext);
    if (plaintext === undefined) throw new KeyfoldError('INVALID_CIPHERTEXT', 'The memory KMS refuses the wrap.');
    return plaintext;
  }

  async generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }> {
    await this.#enter('generateDataKey', options.signal);
    const plaintext = systemRandomSource.bytes(32);
    return { plaintext, wrapped: this.#wrap(plaintext, options) };
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

  async testConnection(options?: { signal?: AbortSignal | undefined }): Promise<KmsHealth> {
    await this.#enter('testConnection', options?.signal);
    return { reachable: true, permitted: true, keyEnabled: true, roundTrip: true };
  }

  /** Does nothing: its keys die with the process. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  #addVersion(): void {
    this.#keys.push({ key: createSecretKey(randomBytes(32)), createdAt: systemClock.now() });
  }

  #version(id: number): KeyVersion {
    return { id: String(id), createdAt: this.#keys[id - 1]?.createdAt, state: 'enabled', primary: id === this.#keys.length };
  }

  #wrap(plaintext: Uint8Array, { context }: KmsCallOptions): WrappedKey {
    const primary = this.#keys.at(-1);
    if (primary === undefined) throw new KeyfoldError('KEY_NOT_FOUND', 'The memory KMS has no key.');
    return {
      provider: this.provider,
      keyId: this.keyId,
      keyVersion: String(this.#keys.length),
      algorithm: 'memory-wrap-v1',
      ciphertext: sealMessage(primary.key, kmsAad(context), plaintext, systemRandomSource),
    };
  }

  async #enter(operation: keyof KmsClient, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    await this.fault?.(operation);
  }
}
