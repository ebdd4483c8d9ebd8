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
  generateDataKey(
    input: { KeyId: string; KeySpec: 'AES_256'; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; Plaintext?: Uint8Array | undefined; KeyId?: string | undefined; KeyMaterialId?: string | undefined }>;
  encrypt(
    input: { KeyId: string; Plaintext: Uint8Array; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; KeyId?: string | undefined }>;
  decrypt(
    input: { KeyId: string; CiphertextBlob: Uint8Array; EncryptionContext: AwsEncryptionContext },
    options?: AwsCallOptions,
  ): Promise<{ Plaintext?: Uint8Array | undefined; KeyId?: string | undefined; KeyMaterialId?: string | undefined }>;
}

/** What looking at keys, their versions and aliases needs. */
interface LookApi {
  describeKey(input: { KeyId: string }, options?: AwsCallOptions): Promise<{ KeyMetadata?: AwsKeyMetadata | undefined }>;
  listKeyRotations(
    input: { KeyId: string; IncludeKeyMaterial: 'ALL_KEY_MATERIAL'; Marker?: string },
    options?: AwsCallOptions,
  ): Promise<AwsPage & { Rotations?: AwsKeyRotation[] | undefined }>;
  listAliases(input: { Limit?: number; Marker?: string }, options?: AwsCallOptions): Promise<AwsPage & { Aliases?: AwsAlias[] | undefined }>;
}

/** What rotating needs. */
interface RotateApi {
  rotateKeyOnDemand(input: { KeyId: string }, options?: AwsCallOptions): Promise<object>;
  getKeyRotationStatus(input: { KeyId: string }, options?: AwsCallOptions): Promise<{ OnDemandRotationStartDate?: Date | undefined }>;
  enableKeyRotation(input: { KeyId: string; RotationPeriodInDays: number }, options?: AwsCallOptions): Promise<object>;
  getKeyPolicy(input: { KeyId: string; PolicyName: string }, options?: AwsCallOptions): Promise<{ Policy?: string | undefined }>;
  listResourceTags(input: { KeyId: string; Marker?: string }, options?: AwsCallOptions): Promise<AwsPage & { Tags?: AwsTag[] | undefined }>;
  createKey(
    input: { Policy?: string; Description?: string; MultiRegion?: boolean; Tags?: AwsTag[] },
    options?: AwsCallOptions,
  ): Promise<{ KeyMetadata?: AwsKeyMetadata | undefined }>;
  createAlias(input: { AliasName: string; TargetKeyId: string }, options?: AwsCallOptions): Promise<object>;
  updateAlias(input: { AliasName: string; TargetKeyId: string }, options?: AwsCallOptions): Promise<object>;
}

/**
 * A client of AWS KMS: an instance of the SDK's `KMS` class (not of `KMSClient`,
 * whose commands would have to be of the same SDK version), or anything with
 * these methods.
 */
export interface AwsKmsApi extends WrapApi, LookApi, RotateApi {
  readonly config?: { readonly region?: string | (() => Promise<string | undefined>) | undefined } | undefined;
  destroy?(): void;
}
