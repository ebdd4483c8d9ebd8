export { GcpKms } from './gcp-kms.ts';
export type { GcpKmsClient } from './gcp-kms-client.ts';
export type { GcpCredentials, GcpKmsClientOptions, GcpKmsOptions, GcpRotation } from './options.ts';
export type { GcpAuthClient, GcpKmsApi } from './sdk.ts';
export { openKmsUrl } from './url.ts';
