import type { EncryptionContext } from '../format/context.ts';
import type { WrappedKey } from '../format/key-record.ts';

export type { WrappedKey };

/** What a key version can do: `enabled` wraps and unwraps, `disabled` neither until switched on, `destroyed` never again; `unknown` where the KMS does not say. */
export type KeyVersionState = 'enabled' | 'disabled' | 'destroyed' | 'unknown';

/** A version of a KEK, as the KMS reports it. */
export interface KeyVersion {
  /** Opaque; equal to {@link WrappedKey.keyVersion} of what it wraps; `''` where it is unknown. */
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
 * errors and does nothing else. What it promises to those who call it, and the
 * conformance suite of `@keyfold/testkit` proves:
 *
 * **Errors.** Every method rejects with a KeyfoldError, and never throws before
 * it has given its promise. Codes that name a cause in the key service:
 * KEY_NOT_FOUND, KEY_DISABLED, ACCESS_DENIED, AUTHENTICATION_FAILED,
 * INVALID_CIPHERTEXT (damaged wrap and wrong context alike), INVALID_KEY_USAGE,
 * ROTATION_LIMIT, KMS_THROTTLED, KMS_UNAVAILABLE, KMS_PROTOCOL_ERROR. Codes
 * of the call itself: INVALID_ARGUMENT (a key of another length or a context that
 * is none; nothing was asked), ABORTED, CLOSED. Where they apply also:
 * CONFIG_INVALID and NOT_SUPPORTED (this key, file or machine cannot be used in
 * this way; the latter from rotateKey() where `capabilities.rotation` is false),
 * CONFLICT (a change lost against another one, and nothing was changed),
 * INTEGRITY_FAILURE and STORAGE_FULL, STORAGE_DENIED, STORAGE_FAILURE (keys that
 * the provider itself keeps in files). No other code.
 *
 * **Redaction.** No error, `cause`, log or inspection holds a key, plaintext,
 * password, token or request. Errors of an SDK carry requests and headers: hand
 * them to nobody but `KeyfoldError`'s `cause`, which keeps their name and code.
 *
 * **Time.** Time limits, retries, measuring and audit are core's, around every
 * provider alike: switch an SDK's own retries off, and let its own time limit be
 * no shorter than core's. What core repeats is in its table (see
 * GuardedKmsClient), so be exact with the two codes that it repeats.
 * KMS_THROTTLED means that the service did nothing, and for rotateKey() that no
 * request of it has changed anything: once a rotation may have begun, a throttled
 * request is KMS_UNAVAILABLE, which leaves open what happened.
 *
 * **Aborts.** When `signal` fires, the call ends with ABORTED as soon as it can,
 * requests under way are broken off, and keys that it holds are zeroed. A signal
 * that has fired already means that nothing is asked. The signal's `reason` is
 * core's and goes nowhere.
 *
 * **Memory.** Plaintext that is returned is a copy that the caller owns and
 * zeroes: no view of a pool, a cache or an SDK's buffer, and no second copy is
 * kept. Arrays that are passed in are read before the promise is given, and never
 * changed: the caller may zero them at once.
 *
 * **Versions.** `keyVersion` is what the KMS itself reports of the wrap, and `''`
 * where it does not say: unknown, never invented. So is {@link KeyVersion.id} of a
 * KMS that reports no versions (`capabilities.versions` false). Unwrapping must not
 * depend on it more than the KMS itself does.
 */
export interface KmsClient {
  readonly provider: string;
  readonly keyId: string;
  readonly capabilities: KmsCapabilities;
  /** Wraps a key of 1..64 bytes under the primary version. */
  encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey>;
  /** Unwraps; a `wrapped.provider` or `wrapped.keyId` that is not this client's is KEY_NOT_FOUND without a call. */
  decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array>;
  /** A new 32-byte DEK, in clear and wrapped. */
  generateDataKey(options: KmsCallOptions): Promise<{ plaintext: Uint8Array; wrapped: WrappedKey }>;
  /** The primary version. */
  currentKeyVersion(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion>;
  /** Every version, newest first where the KMS knows the order. */
  listKeyVersions(options?: { signal?: AbortSignal | undefined }): AsyncIterable<KeyVersion>;
  /** A new primary version; old ones still unwrap. After KMS_UNAVAILABLE or STORAGE_FAILURE there may be one: look at {@link currentKeyVersion}. */
  rotateKey(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion>;
  /** Reports rather than rejects: the outcome is the answer, and `problem` has the code and sentence of an error. After an abort it may do either, with ABORTED. */
  testConnection(options?: { signal?: AbortSignal | undefined }): Promise<KmsHealth>;
  /** Ends connections and zeroes keys; every later call is CLOSED. Closing twice does nothing. */
  close(): Promise<void>;
}

/**
 * What every provider's package exports as `openKmsUrl`, for openKms().
 * `url` has the provider's scheme; `options` is what has no place in it. It refuses,
 * with CONFIG_INVALID and without showing what may be a secret, members of the query and
 * options that it does not know, what is said twice, and users and passwords.
 */
export type OpenKmsUrl = (url: string, options: Readonly<Record<string, unknown>>) => Promise<KmsClient>;
