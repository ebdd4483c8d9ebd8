import { KeyManagementServiceClient } from '@google-cloud/kms';
import { GcpKmsServer, type GcpKmsServerOptions } from '@keyfold/testkit/gcp';
import { createRequire } from 'node:module';
import { onTestFinished } from 'vitest';
import { GcpKms, type GcpKmsOptions } from '../../src/index.ts';
import type { GcpKmsClient } from '../../src/gcp-kms-client.ts';

/** A server for one test. */
export async function startServer(options: GcpKmsServerOptions = {}): Promise<GcpKmsServer> {
  const server = await GcpKmsServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/** A client for one test, of the server's first principal unless told otherwise. */
export async function open(server: GcpKmsServer, keyId: string, options: Partial<GcpKmsOptions> = {}): Promise<GcpKmsClient> {
  const settings = options.client === undefined ? { endpoint: `http://${server.address}`, clientOptions: { authClient: bearer(server.token) } } : {};
  const kms = await GcpKms.open({ ...settings, keyId, ...options });
  onTestFinished(() => kms.close());
  return kms;
}

/** Credentials of a principal of the server. */
export function bearer(token: string): { getRequestHeaders: () => Promise<Headers> } {
  return { getRequestHeaders: () => Promise.resolve(new Headers({ authorization: `Bearer ${token}` })) };
}

/** What the SDK brings and does not show. */
interface Gax {
  readonly grpc: { readonly credentials: { createInsecure(): never } };
  readonly googleAuthLibrary: { readonly PassThroughClient: new () => never };
}

/** The SDK's own client, for what an administrator does and for clients of the user's own. */
export function administrator(server: GcpKmsServer): KeyManagementServiceClient {
  const gax = createRequire(createRequire(import.meta.url).resolve('@google-cloud/kms'))('google-gax') as Gax;
  const authClient = new gax.googleAuthLibrary.PassThroughClient();
  return new KeyManagementServiceClient({ servicePath: server.host, port: server.port, sslCreds: gax.grpc.credentials.createInsecure(), authClient });
}
