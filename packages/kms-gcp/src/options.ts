import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';
import { requireKeyName } from './key-name.ts';
import type { GcpAuthClient, GcpKmsApi } from './sdk.ts';

/** A service account's key, as the JSON file of it has it. */
export interface GcpCredentials {
  readonly client_email: string;
  readonly private_key: string;
}

/** The settings of the SDK's client that applications need; for others build the client yourself and pass `client`. */
export interface GcpKmsClientOptions {
  /** Default: Application Default Credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud, workload identity, the metadata server). */
  readonly authClient?: GcpAuthClient | undefined;
  readonly credentials?: GcpCredentials | undefined;
  /** The path of a file of credentials. */
  readonly keyFilename?: string | undefined;
  /** Of a sovereign cloud. Default: `googleapis.com`. */
  readonly universeDomain?: string | undefined;
}

/** How rotateKey() rotates: by a new version that becomes the primary, or not at all. */
export interface GcpRotation {
  readonly strategy: 'new-version' | 'none';
  /** Milliseconds between looks at a version that an HSM is still generating. Default: 1,000. */
  readonly pollMs?: number | undefined;
}

/** How to reach a key of Google Cloud KMS. */
export interface GcpKmsOptions {
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`, P being the id of the project. */
  readonly keyId: string;
  /** An https URL instead of Google's own, e.g. of a regional or private endpoint; http to this machine only. */
  readonly endpoint?: string | undefined;
  /** `rest` for networks that let no gRPC through. Default: `grpc`. */
  readonly transport?: 'grpc' | 'rest' | undefined;
  /** Settings for the SDK's client that is made here. */
  readonly clientOptions?: GcpKmsClientOptions | undefined;
  /** An instance of the SDK's `KeyManagementServiceClient` instead; it stays yours to close. */
  readonly client?: GcpKmsApi | undefined;
  /** Default: `new-version`. */
  readonly rotation?: GcpRotation | undefined;
  /** Milliseconds until a call fails, the search for credentials included. Default: 10,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** The tenant in the encryption context of testConnection(). Default: `keyfold`. */
  readonly testTenant?: string | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

/** What a client is made of here, checked. */
export interface ClientSettings {
  readonly endpoint: string | undefined;
  readonly transport: 'grpc' | 'rest';
  readonly clientOptions: GcpKmsClientOptions;
}

/** The options, checked, with every default filled in. */
export interface CheckedOptions {
  readonly keyId: string;
  readonly rotation: { readonly strategy: GcpRotation['strategy']; readonly pollMs: number };
  readonly requestTimeoutMs: number;
  readonly testTenant: string;
  readonly clock: Clock;
  /** One of yours, or what to make. */
  readonly client: GcpKmsApi | ClientSettings;
}

/** Every option of GcpKms.open(). */
export const OPTION_NAMES: ReadonlySet<string> = new Set<keyof GcpKmsOptions>([
  'keyId', 'endpoint', 'transport', 'clientOptions', 'client', 'rotation', 'requestTimeoutMs', 'testTenant', 'clock',
]);
const CLIENT_OPTION_NAMES = ['authClient', 'credentials', 'keyFilename', 'universeDomain'] as const;
/** What only makes sense for a client that is made here. */
const CLIENT_SETTINGS = ['endpoint', 'transport', 'clientOptions'] as const;
const METHODS = ['initialize', 'encrypt', 'decrypt', 'getCryptoKey', 'listCryptoKeyVersions'] as const;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws KeyfoldError CONFIG_INVALID */
export function checkOptions(options: GcpKmsOptions): CheckedOptions {
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.has(name));
  if (unknown !== undefined) throw invalid(`There is no option ${JSON.stringify(unknown)}.`);
  const { client, requestTimeoutMs = 10_000, testTenant = 'keyfold', clock = systemClock } = options;
  requireMs(requestTimeoutMs, 'requestTimeoutMs');
  if (typeof testTenant !== 'string' || testTenant === '') throw invalid('testTenant must be a tenant.');
  return {
    keyId: requireKeyName(options.keyId),
    rotation: checkRotation(options.rotation),
    requestTimeoutMs,
    testTenant,
    clock,
    client: client === undefined ? checkSettings(options) : checkClient(client, options),
  };
}

/** Whether two clients would be the same; credentials are compared by identity. */
export function sameSettings(a: ClientSettings, b: ClientSettings): boolean {
  return a.endpoint === b.endpoint && a.transport === b.transport && CLIENT_OPTION_NAMES.every((name) => a.clientOptions[name] === b.clientOptions[name]);
}

function checkRotation({ strategy, pollMs = 1_000 }: GcpRotation = { strategy: 'new-version' }): CheckedOptions['rotation'] {
  if (!['new-version', 'none'].includes(strategy)) throw invalid('rotation.strategy must be "new-version" or "none". Cloud KMS rotates by itself as the key\'s rotation period says.');
  requireMs(pollMs, 'rotation.pollMs');
  return { strategy, pollMs };
}

function checkClient(client: GcpKmsApi, options: GcpKmsOptions): GcpKmsApi {
  const extra = CLIENT_SETTINGS.find((name) => options[name] !== undefined);
  if (extra !== undefined) throw invalid(`${extra} is a setting of the client: give it to the one that you pass, or pass no client.`);
  if (METHODS.some((name) => typeof (Object(client) as Partial<GcpKmsApi>)[name] !== 'function')) {
    throw invalid('client must be an instance of the class KeyManagementServiceClient of @google-cloud/kms.');
  }
  return client;
}

function checkSettings({ endpoint, transport = 'grpc', clientOptions = {} }: GcpKmsOptions): ClientSettings {
  if (endpoint !== undefined) requireSafeEndpoint(endpoint);
  if (!['grpc', 'rest'].includes(transport)) throw invalid('transport must be "grpc" or "rest".');
  const unknown = Object.keys(clientOptions).find((name) => !(CLIENT_OPTION_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw invalid(`There is no option clientOptions.${unknown}; for other settings of the SDK pass a client of your own.`);
  return { endpoint, transport, clientOptions };
}

/** Data keys go out in clear: only TLS, or a way that never leaves this machine, may carry them. */
function requireSafeEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw invalid('endpoint must be an https URL of a host and port, without a path, user name or password.');
  }
  if (url.protocol === 'http:' && !/^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.test(url.hostname)) {
    throw invalid('endpoint is http: data keys would cross the network in clear. Use https.');
  }
}

function requireMs(ms: number, name: string): void {
  if (!(ms >= 1 && ms <= MAX_TIMEOUT_MS)) throw invalid(`${name} must be 1 to ${MAX_TIMEOUT_MS} milliseconds.`);
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `Google Cloud KMS: ${message}`);
}
