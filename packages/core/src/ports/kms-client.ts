import type { EncryptionContext } from '../format/context.ts';
import type { WrappedKey } from '../format/key-record.ts';

export type { WrappedKey };

/** What a key version can do: `enabled` wraps and unwraps, `disabled` neither until switched on, `destroyed` never again; `unknown` where the KMS does not say. */
export type KeyVersionState = 'enabled' | 'disabled' | 'destroyed' | 'unknown';

/** A version of a KEK, as the KMS reports it. */
export interface KeyVersion {
  /** Opaque; equal to {@link WrappedKey.keyVersion} of what it wraps. */
  readonly id: string;
  /** Unix milliseconds, or undefined where the KMS does not say. */
  readonly createdAt: number | undefined;
  readonly state: KeyVersionState;
  /** Whether new wraps use it. */
  readonly primary: boolean;
}

/** What a KmsClient can and cannot do; conformance tests are gated by it. */
export interface KmsCapabilities {
  /** False where anybody may mint a wrap (RSA: whoever has the public key). */
  readonly authenticatedWraps: boolean;
  /** How the encryption context is bound: by the KMS itself, as AAD, or by a sealed seed. */
  readonly contextBinding: 'native' | 'aad' | 'seed';
  /** Whether rotateKey() works. */
  readonly rotation: boolean;
  /** Whether versions are reported and listed. */
  readonly versions: boolean;
}

/** What every wrap and unwrap takes. */
export interface KmsCallOptions {
  /** Bound into the wrap; decrypting under another one fails. */
  readonly context: EncryptionContext;
  readonly signal?: AbortSignal | undefined;
}

/** The outcome of testConnection(). */
export interface KmsHealth {
  /** The KMS answered. */
  readonly reachable: boolean;
  /** The caller may wrap and unwrap. */
  readonly permitted: boolean;
  /** The key is switched on. */
  readonly keyEnabled: boolean;
  /** A DEK went out and came back the same. */
  readonly roundTrip: boolean;
  /** When not all of the above hold: the code and sentence of what was in the way. */
  readonly problem?: { readonly code: string; readonly message: string };
}

/**
 * A key management service holding one KEK. An implementation maps calls and
 * errors and does nothing else: timeouts, retries, metrics and audit are core's.
 * Every method rejects with a KeyfoldError; plaintext keys that are returned
 * are fresh copies which the caller owns and zeroes. Arrays that are passed in
 * are read before the call returns its promise, and never changed: the caller
 * may zero them at once. The conformance suite of `@keyfold/testkit` proves it all.
 *
 * Codes: KEY_NOT_FOUND, KEY_DISABLED, ACCESS_DENIED, AUTHENTICATION_FAILED,
 * INVALID_CIPHERTEXT (damaged wrap and wrong context alike), INVALID_KEY_USAGE,
 * ROTATION_LIMIT, KMS_THROTTLED, KMS_UNAVAILABLE, KMS_PROTOCOL_ERROR, ABORTED,
 * CLOSED; INVALID_ARGUMENT for a key of another length or a context that is
 * none, without asking the service; NOT_SUPPORTED from rotateKey() where
 * `capabilities.rotation` is false.
 */
export interface KmsClient {
  readonly provider: string;
  readonly keyId: string;
  readonly capabilities: KmsCapabilities;
  /** Wraps a key of 1..64 bytes under the primary version. */
  encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey>;
  /** Unwraps; `wrapped.keyId` that is not this client's is KEY_NOT_FOUND without a call. */
  decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array>;
  /** A new 32-byte DEK, in clear and wrapped. */
  generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }>;
  /** The primary version. */
  currentKeyVersion(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion>;
  /** Every version, newest first where the KMS knows the order. */
  listKeyVersions(options?: { signal?: AbortSignal | undefined }): AsyncIterable<KeyVersion>;
  /** A new primary version; old ones still unwrap. */
  rotateKey(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion>;
  /** Reports rather than rejects: the outcome is the answer. */
  testConnection(options?: { signal?: AbortSignal | undefined }): Promise<KmsHealth>;
  /** Ends connections and zeroes keys; every later call is CLOSED. */
  close(): Promise<void>;
}
