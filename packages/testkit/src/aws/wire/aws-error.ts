/**
 * A refusal as KMS gives it. Real KMS answers 400 to nearly every client error, whatever the status
 * in its API model says.
 */
export class AwsError extends Error {
  /** The `__type` of the answer. */
  readonly type: string;
  /** The HTTP status. */
  readonly status: number;

  constructor(type: string, message = '', status = 400) {
    super(message);
    this.name = 'AwsError';
    this.type = type;
    this.status = status;
  }
}

/** A parameter that is well formed and makes no sense. */
export function validationError(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

/** No such key or alias; `message` names it. */
export function notFound(message: string): AwsError {
  return new AwsError('NotFoundException', message);
}

/** A ciphertext that does not decrypt, for whichever reason: KMS says nothing more. */
export function invalidCiphertext(): AwsError {
  return new AwsError('InvalidCiphertextException');
}

/** What this server does not play. */
export function unsupported(message: string): AwsError {
  return new AwsError('UnsupportedOperationException', message);
}
