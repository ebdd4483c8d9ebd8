/**
 * The part of the AWS SDK for JavaScript v3 that this package uses, as types of
 * its own: the SDK's `KMS` class has all of it, in every version, and so may an
 * object of the user's. Nothing else of the SDK shows in this package's types.
 */

/** What every call takes beside its input. */
export interface AwsCallOptions {
  readonly abortSignal?: AbortSignal;
}

/** The encryption context as AWS KMS takes it: a map of strings, visible to policies and in CloudTrail. */
export type AwsEncryptionContext = Record<string, string>;

/** A key as DescribeKey and CreateKey tell of it. */
export interface AwsKeyMetadata {
  readonly KeyId?: string | undefined;
  readonly Arn?: string | undefined;
  readonly CreationDate?: Date | undefined;
  readonly KeyState?: string | undefined;
  readonly KeySpec?: string | undefined;
  readonly KeyUsage?: string | undefined;
  readonly Origin?: string | undefined;
  readonly Description?: string | undefined;
  readonly MultiRegion?: boolean | undefined;
  readonly MultiRegionConfiguration?:
    | {
        readonly MultiRegionKeyType?: string | undefined;
        readonly PrimaryKey?: { readonly Region?: string | undefined } | undefined;
        readonly ReplicaKeys?: readonly object[] | undefined;
      }
    | undefined;
  readonly CurrentKeyMaterialId?: string | undefined;
}

/** An entry of ListKeyRotations. */
export interface AwsKeyRotation {
  readonly KeyMaterialId?: string | undefined;
  readonly KeyMaterialState?: string | undefined;
  readonly ImportState?: string | undefined;
  readonly RotationDate?: Date | undefined;
}

/** An entry of ListAliases. */
export interface AwsAlias {
  readonly AliasName?: string | undefined;
  readonly AliasArn?: string | undefined;
  readonly TargetKeyId?: string | undefined;
}

/** A tag of a key. */
export interface AwsTag {
  TagKey: string | undefined;
  TagValue: string | undefined;
}

/** How AWS KMS answers page by page. */
export interface AwsPage {
  readonly Truncated?: boolean | undefined;
  readonly NextMarker?: string | undefined;
}

/** What wrapping and unwrapping need. */
interface WrapApi {
  /** GenerateDataKey. */
  generateDataKey(
    input: { KeyId: string; KeySpec: 'AES_256'; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; Plaintext?: Uint8Array | undefined; KeyId?: string | undefined; KeyMaterialId?: string | undefined }>;
  /** Encrypt. */
  encrypt(
    input: { KeyId: string; Plaintext: Uint8Array; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; KeyId?: string | undefined }>;
  /** Decrypt. */
  decrypt(
    input: { KeyId: string; CiphertextBlob: Uint8Array; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ Plaintext?: Uint8Array | undefined; KeyId?: string | undefined; KeyMaterialId?: string | undefined }>;
}

/** What looking at keys, their versions and aliases needs. */
interface LookApi {
  /** DescribeKey. */
  describeKey(input: { KeyId: string }, options?: AwsCallOptions): Promise<{ KeyMetadata?: AwsKeyMetadata | undefined }>;
  /** ListKeyRotations. */
  listKeyRotations(
    input: { KeyId: string; IncludeKeyMaterial: 'ALL_KEY_MATERIAL'; Marker?: string },
    options?: AwsCallOptions,
  ): Promise<AwsPage & { Rotations?: AwsKeyRotation[] | undefined }>;
  /** ListAliases. */
  listAliases(input: { Limit?: number; Marker?: string }, options?: AwsCallOptions): Promise<AwsPage & { Aliases?: AwsAlias[] | undefined }>;
}

/** What rotating needs. */
interface RotateApi {
  /** RotateKeyOnDemand. */
  rotateKeyOnDemand(input: { KeyId: string }, options?: AwsCallOptions): Promise<object>;
  /** GetKeyRotationStatus. */
  getKeyRotationStatus(input: { KeyId: string }, options?: AwsCallOptions): Promise<{ OnDemandRotationStartDate?: Date | undefined }>;
  /** EnableKeyRotation. */
  enableKeyRotation(input: { KeyId: string; RotationPeriodInDays: number }, options?: AwsCallOptions): Promise<object>;
  /** GetKeyPolicy. */
  getKeyPolicy(input: { KeyId: string; PolicyName: string }, options?: AwsCallOptions): Promise<{ Policy?: string | undefined }>;
  /** ListResourceTags. */
  listResourceTags(input: { KeyId: string; Marker?: string }, options?: AwsCallOptions): Promise<AwsPage & { Tags?: AwsTag[] | undefined }>;
  /** CreateKey. */
  createKey(
    input: { Policy?: string; BypassPolicyLockoutSafetyCheck?: boolean; Description?: string; MultiRegion?: boolean; Tags?: AwsTag[] },
    options?: AwsCallOptions,
  ): Promise<{ KeyMetadata?: AwsKeyMetadata | undefined }>;
  /** CreateAlias. */
  createAlias(input: { AliasName: string; TargetKeyId: string }, options?: AwsCallOptions): Promise<object>;
  /** UpdateAlias. */
  updateAlias(input: { AliasName: string; TargetKeyId: string }, options?: AwsCallOptions): Promise<object>;
}

/** What is read of a client's configuration. */
export interface AwsClientConfig {
  /** The region, or how to find it out. */
  readonly region?: string | (() => Promise<string | undefined>) | undefined;
}

/**
 * A client of AWS KMS: an instance of the SDK's `KMS` class (not of `KMSClient`,
 * whose commands would have to be of the same SDK version), or anything with
 * these methods.
 */
export interface AwsKmsApi extends WrapApi, LookApi, RotateApi {
  /** Its region is compared with that of the configured key. */
  readonly config?: AwsClientConfig | undefined;
  /** Ends its connections; called only on a client that was made here. */
  destroy?(): void;
}
