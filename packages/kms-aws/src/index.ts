export { AwsKms } from './aws-kms.ts';
export type { AwsKmsClient } from './aws-kms-client.ts';
export type { AwsCredentials, AwsKmsClientOptions } from './client-options.ts';
export type { AwsKmsOptions } from './options.ts';
export type { AwsRotation } from './rotation/strategy.ts';
export type { AwsKmsApi } from './sdk.ts';
export { openKmsUrl } from './url.ts';
