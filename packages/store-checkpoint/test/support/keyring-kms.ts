import { createSecretKey } from 'node:crypto';
import type { KeyVersion, KmsClient, KmsHealth, WrappedKey } from '@keyfold/core';
import {
  KeyfoldError,
  concatBytes,
  encodeUtf8,
  encodeWrapContext,
  label,
  lengthPrefixed,
  openMessage,
  type KmsCallOptions,
} from '@keyfold/core/provider';

/** A keyring as the vectors tell it. */
export interface Keyring {
  readonly keyId: string;
  readonly versions: readonly { readonly id: string; readonly state: string; readonly key: string | null }[];
}

/** Unwraps as spec/local-keyring, section 6, has it, and does nothing else. */
export class KeyringKms implements KmsClient {
  readonly provider = 'local';
  readonly keyId: string;
  readonly capabilities = { authenticatedWraps: true, contextBinding: 'aad', rotation: false, versions: false } as const;
  readonly #versions: Keyring['versions'];

  constructor({ keyId, versions }: Keyring) {
    this.keyId = keyId;
    this.#versions = versions;
  }

  decrypt(wrapped: WrappedKey, { context }: KmsCallOptions): Promise<Uint8Array> {
    const version = this.#versions.find(({ id }) => id === wrapped.keyVersion);
    if (wrapped.algorithm !== 'keyfold-wrap-v1') return refuse('INVALID_CIPHERTEXT');
    if (typeof version?.key !== 'string') return refuse('KEY_NOT_FOUND');
    if (version.state === 'disabled') return refuse('KEY_DISABLED');
    const names = [this.keyId, version.id].map((name) => lengthPrefixed(16, encodeUtf8(name, 'A name')));
    const bound = concatBytes(label('keyfold/wrap/v1'), ...names, encodeWrapContext(context));
    const key = openMessage(createSecretKey(Buffer.from(version.key, 'hex')), bound, wrapped.ciphertext);
    return key === undefined ? refuse('INVALID_CIPHERTEXT') : Promise.resolve(key);
  }

  encrypt(): Promise<never> {
    return refuse('NOT_SUPPORTED');
  }

  generateDataKey(): Promise<never> {
    return refuse('NOT_SUPPORTED');
  }

  currentKeyVersion(): Promise<KeyVersion> {
    return refuse('NOT_SUPPORTED');
  }

  listKeyVersions(): AsyncIterable<KeyVersion> {
    throw new KeyfoldError('NOT_SUPPORTED', 'This keyring only unwraps.');
  }

  rotateKey(): Promise<KeyVersion> {
    return refuse('NOT_SUPPORTED');
  }

  testConnection(): Promise<KmsHealth> {
    return refuse('NOT_SUPPORTED');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function refuse(code: 'INVALID_CIPHERTEXT' | 'KEY_NOT_FOUND' | 'KEY_DISABLED' | 'NOT_SUPPORTED'): Promise<never> {
  return Promise.reject(new KeyfoldError(code, 'This keyring does not unwrap that.'));
}
