/** A local Google Cloud KMS server for tests: the real wire protocol, faults on request. */
export { GcpKmsServer, type CreatedCryptoKey, type CreateCryptoKeyOptions } from './gcp/gcp-kms-server.ts';
export type { GcpKmsServerOptions } from './gcp/options.ts';
export type { GcpPrincipalOptions, GcpRole } from './gcp/auth/principals.ts';
export type { ProtectionLevel, VersionState } from './gcp/keys/key-version.ts';
export { FaultControls, type InjectedFault } from './faults/fault-controls.ts';
export type { Fault, FaultEffect, FaultKind, FaultMoment, FaultScope } from './faults/fault.ts';
export { RequestLog, type LoggedRequest } from './http/request-log.ts';
