import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';
import { FaultControls } from '../faults/fault-controls.ts';
import { LoopbackServer } from '../http/loopback-server.ts';
import { RequestLog } from '../http/request-log.ts';
import { Principals, type AwsCredentials, type AwsPrincipalOptions } from './auth/principals.ts';
import { Endpoint } from './endpoint.ts';
import { SYMMETRIC } from './keys/key-specs.ts';
import { KmsState } from './keys/kms-state.ts';
import { checkOptions, type AwsKmsServerOptions } from './options.ts';

/** A key that was made from inside the process. */
export interface CreatedKey {
  readonly keyId: string;
  readonly arn: string;
  /** The ARN of its alias, if it was given one. */
  readonly aliasArn: string | undefined;
}

/** What a key made from inside the process is to be. */
export interface CreateKeyOptions {
  /** The region; the server's first by default. */
  readonly region?: string | undefined;
  /** An alias for it, `alias/...`. */
  readonly alias?: string | undefined;
  /** Whether other regions may replicate it; false by default. */
  readonly multiRegion?: boolean | undefined;
  readonly description?: string | undefined;
}

interface Parts {
  readonly http: LoopbackServer;
  readonly closing: AbortController;
  readonly state: KmsState;
  readonly principals: Principals;
  readonly clock: Clock;
}

/**
 * A local server that speaks the wire protocol of AWS KMS and enforces what KMS enforces, for tests.
 * It keeps keys in the memory of the process and is no KMS for production.
 */
export class AwsKmsServer {
  /** `http://127.0.0.1:<port>`, for the `endpoint` of a client. */
  readonly endpoint: string;
  /** The region of keys that are made without one. */
  readonly region: string;
  /** Of the first principal, which may do everything. */
  readonly credentials: AwsCredentials;
  /** Faults on request. */
  readonly faults: FaultControls;
  /** The requests so far. */
  readonly requests: RequestLog;
  readonly #parts: Parts;

  private constructor(parts: Parts & Pick<AwsKmsServer, 'region' | 'credentials' | 'faults' | 'requests'>) {
    this.#parts = parts;
    this.endpoint = parts.http.endpoint;
    this.region = parts.region;
    // A copy: the SDK writes into the object that it is given.
    this.credentials = { ...parts.credentials };
    this.faults = parts.faults;
    this.requests = parts.requests;
  }

  /**
   * Starts a server on 127.0.0.1.
   *
   * @throws KeyfoldError CONFIG_INVALID for options that cannot be, policies that cannot be enforced, and a port that is taken
   */
  static async start(options: AwsKmsServerOptions = {}): Promise<AwsKmsServer> {
    const { region, regions, accountId, ...delays } = checkOptions(options);
    const principals = new Principals(accountId);
    const { credentials } = principals.add({ name: 'admin', ...options.credentials });
    for (const each of options.principals ?? []) principals.add(each);
    const closing = new AbortController();
    const shared = {
      state: new KmsState(accountId, regions, delays),
      principals,
      clock: options.clock ?? systemClock,
      faults: new FaultControls(),
      requests: new RequestLog(),
    };
    const signingClock = options.signingClock ?? systemClock;
    const endpoint = new Endpoint({ ...shared, signingClock, closing: closing.signal });
    const http = await LoopbackServer.start(options.port ?? 0, (request, response) => endpoint.handle(request, response));
    return new AwsKmsServer({ ...shared, http, closing, region, credentials });
  }

  /**
   * Makes a symmetric key without a request.
   *
   * @throws KeyfoldError INVALID_ARGUMENT for a region that the server does not play, or an alias that is taken or no alias
   */
  createKey(options: CreateKeyOptions = {}): CreatedKey {
    const region = this.#parts.state.region(options.region ?? this.region);
    if (region === undefined) throw invalid(`it does not play the region ${String(options.region)}; name it in otherRegions`);
    const { alias } = options;
    if (alias !== undefined && !/^alias\/(?!aws\/)[a-zA-Z0-9:/_-]{1,250}$/.test(alias)) throw invalid('an alias is written alias/name');
    if (alias !== undefined && region.aliases.has(alias)) throw invalid(`${alias} is taken`);
    const now = this.#parts.clock.now();
    const { description = '', multiRegion = false } = options;
    const key = region.createKey({ spec: SYMMETRIC, description, multiRegion }, now);
    if (alias !== undefined) region.aliases.set(alias, { targetKeyId: key.init.id, createdAt: now, updatedAt: now });
    return { keyId: key.init.id, arn: key.arn, aliasArn: alias === undefined ? undefined : region.aliasArn(alias) };
  }

  /**
   * Adds a caller.
   *
   * @returns its credentials
   * @throws KeyfoldError CONFIG_INVALID for an access key that is taken, an expiry without a token, or a policy that cannot be enforced
   */
  addPrincipal(options: AwsPrincipalOptions = {}): AwsCredentials {
    return { ...this.#parts.principals.add(options).credentials };
  }

  /** Ends every connection, hanging ones too, stops listening, and forgets the keys. Can be called again. */
  async close(): Promise<void> {
    this.#parts.closing.abort();
    await this.#parts.http.close();
  }
}

function invalid(what: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', `AwsKmsServer.createKey: ${what}.`);
}
