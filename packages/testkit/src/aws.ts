/** A local AWS KMS server for tests: the real wire protocol, faults on request. */
export { AwsKmsServer, type CreatedKey, type CreateKeyOptions } from './aws/aws-kms-server.ts';
export type { AwsKmsServerOptions } from './aws/options.ts';
export type { AwsCredentials, AwsPrincipalOptions } from './aws/auth/principals.ts';
export type { AwsPolicy, AwsPolicyStatement } from './aws/auth/policy.ts';
export { FaultControls, type InjectedFault } from './faults/fault-controls.ts';
export type { Fault, FaultEffect, FaultKind, FaultMoment, FaultScope } from './faults/fault.ts';
export { RequestLog, type LoggedRequest } from './http/request-log.ts';
