/**
 * The part of Google's SDK that this package uses, as types of its own: the
 * SDK's `KeyManagementServiceClient` has all of it, in every version, and so may
 * an object of the user's. Nothing else of the SDK shows in this package's types.
 */

/** A 64-bit number as the SDK gives it: text, a number, or an object that converts to either. */
export type GcpInteger = number | string | { toString(): string };

/** A checksum on the wire: an Int64Value, never a bare number (which the SDK would drop unseen). */
export interface GcpChecksum {
  readonly value?: GcpInteger | null | undefined;
}

/** A point in time. */
export interface GcpTimestamp {
  readonly seconds?: GcpInteger | null | undefined;
  readonly nanos?: number | null | undefined;
}

/** What every call takes beside its request. */
export interface GcpCallOptions {
  /** Milliseconds for the whole call. */
  readonly timeout?: number;
  /** Null: the SDK must not retry, as core does. */
  readonly retry?: null;
  readonly autoPaginate?: boolean;
  readonly otherArgs?: { readonly headers: Record<string, string>; readonly options: object };
}

/** A version of a key. */
export interface GcpKeyVersion {
  readonly name?: string | null | undefined;
  readonly state?: string | number | null | undefined;
  readonly createTime?: GcpTimestamp | null | undefined;
}

/** A key. */
export interface GcpCryptoKey {
  readonly name?: string | null | undefined;
  readonly purpose?: string | number | null | undefined;
  readonly primary?: GcpKeyVersion | null | undefined;
}

/** The answer to Encrypt. */
export interface GcpEncrypted {
  readonly name?: string | null | undefined;
  readonly ciphertext?: Uint8Array | string | null | undefined;
  readonly ciphertextCrc32c?: GcpChecksum | null | undefined;
  readonly verifiedPlaintextCrc32c?: boolean | null | undefined;
  readonly verifiedAdditionalAuthenticatedDataCrc32c?: boolean | null | undefined;
}

/** The answer to Decrypt. */
export interface GcpDecrypted {
  readonly plaintext?: Uint8Array | string | null | undefined;
  readonly plaintextCrc32c?: GcpChecksum | null | undefined;
}

/** The SDK answers with a list, of which the first is the answer. */
export type GcpAnswer<T> = Promise<readonly [T, ...unknown[]]>;

/** A client of Cloud KMS: an instance of the SDK's `KeyManagementServiceClient`, or anything with these methods. */
export interface GcpKmsApi {
  /** Finds credentials; rejects where there are none. */
  initialize(): Promise<unknown>;
  /** Wraps under the primary version. */
  encrypt(
    request: {
      name: string;
      plaintext: Uint8Array;
      plaintextCrc32c: { value: number };
      additionalAuthenticatedData: Uint8Array;
      additionalAuthenticatedDataCrc32c: { value: number };
    },
    options?: GcpCallOptions,
  ): GcpAnswer<GcpEncrypted>;
  /** Unwraps under the version that the ciphertext names. */
  decrypt(
    request: {
      name: string;
      ciphertext: Uint8Array;
      ciphertextCrc32c: { value: number };
      additionalAuthenticatedData: Uint8Array;
      additionalAuthenticatedDataCrc32c: { value: number };
    },
    options?: GcpCallOptions,
  ): GcpAnswer<GcpDecrypted>;
  /** The key, with its primary version. */
  getCryptoKey(request: { name: string }, options?: GcpCallOptions): GcpAnswer<GcpCryptoKey>;
  /** One version. */
  getCryptoKeyVersion(request: { name: string }, options?: GcpCallOptions): GcpAnswer<GcpKeyVersion>;
  /** A page of the versions. */
  listCryptoKeyVersions(
    request: { parent: string; pageSize: number; pageToken?: string },
    options?: GcpCallOptions,
  ): Promise<readonly [GcpKeyVersion[], { pageToken?: string | null } | null, ...unknown[]]>;
  /** Makes a version, which is not the primary. */
  createCryptoKeyVersion(request: { parent: string; cryptoKeyVersion: object }, options?: GcpCallOptions): GcpAnswer<GcpKeyVersion>;
  /** Makes a version the primary. */
  updateCryptoKeyPrimaryVersion(request: { name: string; cryptoKeyVersionId: string }, options?: GcpCallOptions): GcpAnswer<GcpCryptoKey>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** Where tokens come from: an AuthClient of google-auth-library, or anything with this method. */
export interface GcpAuthClient {
  /** The headers that a request needs, such as `authorization`. */
  getRequestHeaders(url?: string): Promise<Headers>;
}
