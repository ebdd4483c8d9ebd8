export { AwsKms } from './aws-kms.ts';
export type { AwsKmsClient } from './aws-kms-client.ts';
export type { AwsCredentials, AwsKmsClientOptions, AwsKmsOptions } from './options.ts';
export type { AwsRotation } from './rotation/strategy.ts';
export type { AwsKmsApi } from './sdk.ts';
export { openKmsUrl } from './url.ts';
