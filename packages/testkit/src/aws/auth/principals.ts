import { randomBytes } from 'node:crypto';
import { KeyfoldError } from '@keyfold/core/provider';
import { AwsError } from '../wire/aws-error.ts';
import { parsePolicy, type AwsPolicy, type Policy } from './policy.ts';

/** Credentials as every AWS SDK takes them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials: sent with every request. */
  readonly sessionToken?: string;
  /** Of temporary credentials: refused with ExpiredTokenException from then on. */
  readonly expiration?: Date;
}

/** A caller that the server knows. What is left out is drawn at random. */
export interface AwsPrincipalOptions {
  /** The user name in its ARN, `user-<n>` by default. */
  readonly name?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  /** Makes the credentials temporary ones; `true` draws a token. */
  readonly sessionToken?: string | true | undefined;
  /** When temporary credentials expire. */
  readonly expiration?: Date | undefined;
  /** What it may do: an IAM policy. Everything, when left out. */
  readonly policy?: AwsPolicy | undefined;
}

/** A caller as the server sees it. */
export interface Principal {
  readonly arn: string;
  readonly credentials: AwsCredentials;
  readonly policy: Policy;
}

const EVERYTHING: AwsPolicy = { Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }] };

/** Everybody who may call, by access key. */
export class Principals {
  readonly #accountId: string;
  readonly #byAccessKey = new Map<string, Principal>();

  constructor(accountId: string) {
    this.#accountId = accountId;
  }

  /** @throws KeyfoldError CONFIG_INVALID for an access key that is taken, an expiry without a token, or a policy that cannot be enforced */
  add(options: AwsPrincipalOptions): Principal {
    const accessKeyId = options.accessKeyId ?? drawAccessKeyId(options.sessionToken === undefined ? 'AKIA' : 'ASIA');
    if (this.#byAccessKey.has(accessKeyId)) {
      throw new KeyfoldError('CONFIG_INVALID', `Two principals cannot have the access key ${accessKeyId}.`);
    }
    if (options.expiration !== undefined && options.sessionToken === undefined) {
      throw new KeyfoldError('CONFIG_INVALID', 'Only temporary credentials expire; give them a sessionToken.');
    }
    const sessionToken = options.sessionToken === true ? randomBytes(96).toString('base64') : options.sessionToken;
    const principal: Principal = {
      arn: `arn:aws:iam::${this.#accountId}:user/${options.name ?? `user-${this.#byAccessKey.size + 1}`}`,
      policy: parsePolicy(options.policy ?? EVERYTHING),
      credentials: Object.freeze({
        accessKeyId,
        secretAccessKey: options.secretAccessKey ?? randomBytes(30).toString('base64'),
        ...(sessionToken === undefined ? {} : { sessionToken }),
        ...(options.expiration === undefined ? {} : { expiration: options.expiration }),
      }),
    };
    this.#byAccessKey.set(accessKeyId, principal);
    return principal;
  }

  /**
   * The caller with this access key and, for temporary credentials, this token.
   *
   * @throws AwsError UnrecognizedClientException or ExpiredTokenException
   */
  find(accessKeyId: string, sessionToken: string | undefined, now: number): Principal {
    const principal = this.#byAccessKey.get(accessKeyId);
    if (principal?.credentials.sessionToken !== sessionToken || principal === undefined) {
      throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    const { expiration } = principal.credentials;
    if (expiration !== undefined && expiration.getTime() <= now) throw expiredToken();
    return principal;
  }
}

/** The answer to temporary credentials that have expired. */
export function expiredToken(): AwsError {
  return new AwsError('ExpiredTokenException', 'The security token included in the request is expired');
}

/** 20 characters, as AWS's: the prefix says long-term or temporary. */
function drawAccessKeyId(prefix: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return prefix + Array.from(randomBytes(16), (byte) => alphabet.charAt(byte % 32)).join('');
}
