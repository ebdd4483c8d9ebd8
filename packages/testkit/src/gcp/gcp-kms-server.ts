import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';
import { FaultControls } from '../faults/fault-controls.ts';
import { RequestLog } from '../http/request-log.ts';
import { Principals, type GcpPrincipalOptions } from './auth/principals.ts';
import { Endpoint } from './endpoint.ts';
import type { ProtectionLevel } from './keys/key-version.ts';
import { KmsState } from './keys/kms-state.ts';
import { Call, type Operation } from './operations/call.ts';
import { createCryptoKey } from './operations/crypto-keys.ts';
import { createKeyRing } from './operations/key-rings.ts';
import { checkOptions, type GcpKmsServerOptions } from './options.ts';
import { Fields, type Plain } from './wire/fields.ts';
import { GcpError } from './wire/gcp-error.ts';
import { GrpcEndpoint } from './wire/grpc-endpoint.ts';
import { loadService } from './wire/protos.ts';

/** A key that was made from inside the process. */
export interface CreatedCryptoKey {
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`. */
  readonly name: string;
  /** The last part of the name. */
  readonly id: string;
}

/** What a key made from inside the process is to be. */
export interface CreateCryptoKeyOptions {
  /** Its KeyRing, made if there is none; `ring` by default. */
  readonly keyRing?: string | undefined;
  /** The last part of its name; `key-<n>` by default. */
  readonly id?: string | undefined;
  /** `SOFTWARE` by default. */
  readonly protectionLevel?: ProtectionLevel | undefined;
  /** `ENCRYPT_DECRYPT` by default; a key that signs does nothing here, so that a client meets one of the wrong purpose. */
  readonly purpose?: 'ENCRYPT_DECRYPT' | 'ASYMMETRIC_SIGN' | undefined;
}

interface Parts {
  readonly grpc: GrpcEndpoint;
  readonly closing: AbortController;
  readonly state: KmsState;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly place: string;
}

/**
 * A local server that speaks the wire protocol of Google Cloud KMS and enforces what Cloud KMS
 * enforces, for tests. It keeps keys in the memory of the process and is no KMS for production.
 */
export class GcpKmsServer {
  /** `127.0.0.1:<port>`, plain gRPC without TLS. */
  readonly address: string;
  /** The host of {@link address}, for the SDK's `servicePath`. */
  readonly host = '127.0.0.1';
  /** The port of {@link address}, for the SDK's `port`. */
  readonly port: number;
  /** The bearer token of the first principal, which may do everything. */
  readonly token: string;
  /** Faults on request. */
  readonly faults: FaultControls;
  /** The requests so far. */
  readonly requests: RequestLog;
  readonly #parts: Parts;
  #made = 0;

  private constructor(parts: Parts & Pick<GcpKmsServer, 'token' | 'faults' | 'requests'>) {
    this.#parts = parts;
    this.address = parts.grpc.address;
    this.port = Number(parts.grpc.address.split(':')[1]);
    this.token = parts.token;
    this.faults = parts.faults;
    this.requests = parts.requests;
  }

  /**
   * Starts a server on 127.0.0.1.
   *
   * @throws KeyfoldError CONFIG_INVALID for options that cannot be, a port that is taken, and when @google-cloud/kms is not installed
   */
  static async start(options: GcpKmsServerOptions = {}): Promise<GcpKmsServer> {
    const { project, location, generationMs } = checkOptions(options);
    const principals = new Principals(options.requireToken ?? false);
    const { token } = principals.add({ name: 'admin', token: options.token });
    for (const each of options.principals ?? []) principals.add(each);
    const closing = new AbortController();
    const shared = {
      state: new KmsState(generationMs),
      principals,
      clock: options.clock ?? systemClock,
      faults: new FaultControls(),
      requests: new RequestLog(),
    };
    const service = loadService();
    const endpoint = new Endpoint({ ...shared, service, tokenClock: options.tokenClock ?? systemClock, closing: closing.signal });
    const grpc = await GrpcEndpoint.start(options.port ?? 0, service, (call) => endpoint.handle(call));
    return new GcpKmsServer({ ...shared, grpc, closing, token, place: `projects/${project}/locations/${location}` });
  }

  /** How many calls their clients broke off, or gave up when their time was over. */
  get cancelled(): number {
    return this.#parts.grpc.cancelled;
  }

  /**
   * Makes a key, and its KeyRing where there is none, without a request.
   *
   * @throws KeyfoldError INVALID_ARGUMENT for names that are none or taken
   */
  createCryptoKey({ keyRing = 'ring', id, protectionLevel = 'SOFTWARE', purpose = 'ENCRYPT_DECRYPT' }: CreateCryptoKeyOptions = {}): CreatedCryptoKey {
    const { place, state } = this.#parts;
    this.#made++;
    const cryptoKeyId = id ?? `key-${this.#made}`;
    const parent = `${place}/keyRings/${keyRing}`;
    if (!state.keyRings.has(parent)) this.#run(createKeyRing, { parent: place, keyRingId: keyRing });
    const algorithm = purpose === 'ENCRYPT_DECRYPT' ? 'GOOGLE_SYMMETRIC_ENCRYPTION' : 'EC_SIGN_P256_SHA256';
    this.#run(createCryptoKey, { parent, cryptoKeyId, cryptoKey: { purpose, versionTemplate: { protectionLevel, algorithm } } });
    return { name: `${parent}/cryptoKeys/${cryptoKeyId}`, id: cryptoKeyId };
  }

  /**
   * Adds a caller.
   *
   * @returns its bearer token
   * @throws KeyfoldError CONFIG_INVALID for a token that is taken, and for roles and permissions that there are not
   */
  addPrincipal(options: GcpPrincipalOptions = {}): string {
    return this.#parts.principals.add(options).token;
  }

  /** Ends every connection, hanging ones too, stops listening, and forgets the keys. Can be called again. */
  async close(): Promise<void> {
    this.#parts.closing.abort();
    await this.#parts.grpc.close();
  }

  #run(operation: Operation, request: Plain): void {
    const { state, principals, clock } = this.#parts;
    const call = new Call(state, principals.find(`Bearer ${this.token}`, 0));
    call.now = clock.now();
    try {
      operation(call, new Fields(request));
    } catch (error) {
      if (error instanceof GcpError) throw new KeyfoldError('INVALID_ARGUMENT', `GcpKmsServer.createCryptoKey: ${error.message}`);
      throw error;
    }
  }
}
