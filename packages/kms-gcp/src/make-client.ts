import type { KeyManagementServiceClient } from '@google-cloud/kms';
import { createRequire } from 'node:module';
import { KeyfoldError } from '@keyfold/core/provider';
import type { ClientSettings } from './options.ts';
import type { GcpAuthClient, GcpKmsApi } from './sdk.ts';

/** What the SDK's client takes; it shows no name for it. */
type ClientOptions = ConstructorParameters<typeof KeyManagementServiceClient>[0];

/** A client of the SDK that is ready to be asked. */
export interface MadeClient {
  readonly api: GcpKmsApi;
  /** What its calls send beside what the SDK sends by itself. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** What is used of google-gax, which the SDK brings. */
interface Gax {
  readonly grpc: { readonly credentials: { createInsecure(): object } };
  readonly googleAuthLibrary: { readonly PassThroughClient: new () => GcpAuthClient };
}

const DEFAULT_HTTPS_PORT = 443;
/** gRPC waits this long before it connects again, and twice as long each time up to the second one; the SDK says 1 s and 2 minutes. */
const RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 5_000 };

/**
 * Makes the SDK's client and has it find its credentials. The SDK is loaded here
 * and nowhere else, when a key is first used: importing this package costs nothing of it.
 * @throws KeyfoldError CONFIG_INVALID when the SDK would log keys; and what the SDK throws without credentials
 */
export async function makeClient(settings: ClientSettings): Promise<MadeClient> {
  refuseLogging();
  const sdk = await import('@google-cloud/kms');
  const { endpoint, transport, clientOptions } = settings;
  const url = endpoint === undefined ? undefined : new URL(endpoint);
  const plaintext = url?.protocol === 'http:' ? plaintextOptions(clientOptions.authClient) : undefined;
  const options: Record<string, unknown> = {
    ...RECONNECT,
    ...clientOptions,
    ...(url !== undefined && { servicePath: url.hostname, port: url.port === '' ? DEFAULT_HTTPS_PORT : Number(url.port) }),
    ...(transport === 'rest' && { fallback: true, protocol: url?.protocol.replace(':', '') ?? 'https' }),
    ...plaintext?.options,
  };
  const api: GcpKmsApi = new sdk.KeyManagementServiceClient(options as ClientOptions);
  // A call before this would end the process where there are no credentials: by an unhandled rejection.
  await api.initialize();
  return { api, headers: plaintext?.headers ?? noHeaders };
}

const noHeaders = (): Promise<Readonly<Record<string, string>>> => Promise.resolve({});

/**
 * For a server on this machine, without TLS. gRPC sends no tokens over such a
 * connection by itself; and without an AuthClient the SDK would ask the metadata
 * server of a machine in Google's cloud for one.
 */
function plaintextOptions(authClient: GcpAuthClient | undefined): { options: object; headers: MadeClient['headers'] } {
  const { grpc, googleAuthLibrary } = loadGax();
  const auth = authClient ?? new googleAuthLibrary.PassThroughClient();
  return {
    options: { sslCreds: grpc.credentials.createInsecure(), authClient: auth },
    headers: async () => Object.fromEntries(await auth.getRequestHeaders()),
  };
}

/** The copy of gRPC that the SDK itself uses: credentials of another copy are refused. */
function loadGax(): Gax {
  const sdk = createRequire(import.meta.url).resolve('@google-cloud/kms');
  return createRequire(sdk)('google-gax') as Gax;
}

/** The SDK writes every request and answer to stderr, keys in clear among them, when this variable names it. */
function refuseLogging(): void {
  const systems = (process.env['GOOGLE_SDK_NODE_LOGGING'] ?? '').split(',');
  if (!systems.some((system) => system === 'all' || system.includes('*') || system.includes('kms'))) return;
  throw new KeyfoldError('CONFIG_INVALID', 'GOOGLE_SDK_NODE_LOGGING has the Google SDK log data keys in clear. Unset it, or name systems other than kms.');
}
