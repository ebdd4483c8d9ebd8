import { status } from '@grpc/grpc-js';

/** The name of a gRPC status code, such as `NOT_FOUND`. */
export type StatusName = keyof typeof status;

/** A refusal as Cloud KMS gives it: a gRPC status and a sentence. */
export class GcpError extends Error {
  readonly code: StatusName;

  constructor(code: StatusName, message: string) {
    super(message);
    this.name = 'GcpError';
    this.code = code;
  }
}

/** A request that makes no sense, whatever the state of the keys. */
export function invalidArgument(message: string): GcpError {
  return new GcpError('INVALID_ARGUMENT', message);
}

/** A request that the state of a key does not permit. */
export function failedPrecondition(message: string): GcpError {
  return new GcpError('FAILED_PRECONDITION', message);
}

/** No such resource, or one that the server does not tell of. */
export function notFound(name: string): GcpError {
  return new GcpError('NOT_FOUND', `${name} not found.`);
}

/** What this server does not play. */
export function unimplemented(what: string): GcpError {
  return new GcpError('UNIMPLEMENTED', `${what} is not played by this server.`);
}

/** Whether a text names a gRPC status other than `OK`. */
export function isFailure(name: string): name is StatusName {
  return Object.hasOwn(status, name) && name !== 'OK' && !/^\d/.test(name);
}
