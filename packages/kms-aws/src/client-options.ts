import { KeyfoldError } from '@keyfold/core/provider';

/** Credentials as the SDK takes them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

/** The settings of the SDK's client that applications need; for others build the client yourself and pass `client`. */
export interface AwsKmsClientOptions {
  /** Default: the SDK's own chain (environment, profile, SSO, container, instance). */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>) | undefined;
  /** A profile of the shared configuration files. */
  readonly profile?: string | undefined;
  /** A request handler, or the options of the SDK's own (agents, timeouts). */
  readonly requestHandler?: object | undefined;
  readonly useDualstackEndpoint?: boolean | undefined;
}

type Check = (value: unknown) => boolean;

const isObject: Check = (value) => typeof value === 'object' && value !== null;

/** Everything that clientOptions may have: what is misspelt would silently leave the SDK's default, e.g. its credentials. */
const MEMBERS: Readonly<Record<keyof AwsKmsClientOptions, readonly [Check, string]>> = {
  credentials: [(value) => isObject(value) || typeof value === 'function', 'credentials, or a function that gives them'],
  profile: [(value) => typeof value === 'string' && value !== '', 'the name of a profile'],
  requestHandler: [isObject, 'a request handler, or the options of one'],
  useDualstackEndpoint: [(value) => typeof value === 'boolean', 'a boolean'],
};
/** Retries are core's, once around every provider. */
const RETRY_SETTINGS = ['maxAttempts', 'retryMode', 'retryStrategy'];

/** @throws KeyfoldError CONFIG_INVALID */
export function checkClientOptions(given: unknown, { requestTimeoutMs, connectTimeoutMs }: { readonly requestTimeoutMs?: number | undefined; readonly connectTimeoutMs?: number | undefined }): AwsKmsClientOptions {
  if (typeof given !== 'object' || given === null) throw invalid('clientOptions must be an object.');
  for (const [name, value] of Object.entries(given)) {
    if (RETRY_SETTINGS.includes(name)) throw invalid(`clientOptions.${name}: retries are made in one place, around every KMS. A client of your own may have its own.`);
    if (!isMember(name)) {
      throw invalid(`There is no option clientOptions.${JSON.stringify(name)}, only ${Object.keys(MEMBERS).join(', ')}. For other settings make the SDK's client yourself, and pass client.`);
    }
    const [check, what] = MEMBERS[name];
    if (value !== undefined && !check(value)) throw invalid(`clientOptions.${name} must be ${what}.`);
  }
  const options: AwsKmsClientOptions = given;
  const timed = requestTimeoutMs !== undefined || connectTimeoutMs !== undefined;
  if (timed && 'handle' in (options.requestHandler ?? {})) {
    throw invalid('requestTimeoutMs and connectTimeoutMs are for the SDK\'s own request handler: give them to the one in clientOptions.requestHandler.');
  }
  return options;
}

function isMember(name: string): name is keyof AwsKmsClientOptions {
  return Object.hasOwn(MEMBERS, name);
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `AWS KMS: ${message}`);
}
