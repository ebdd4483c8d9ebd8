import { credentials } from '@grpc/grpc-js';
import { v1 } from '@google-cloud/kms';
import { createRequire } from 'node:module';
import { expect, onTestFinished } from 'vitest';
import { GcpKmsServer, type GcpKmsServerOptions } from '../../src/gcp.ts';
import { crc32c } from '../../src/gcp/wire/crc32c.ts';

export type Kms = v1.KeyManagementServiceClient;

/** A server for one test. */
export async function startServer(options: GcpKmsServerOptions = {}): Promise<GcpKmsServer> {
  const server = await GcpKmsServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/** What the SDK brings and does not show. */
interface Gax {
  readonly googleAuthLibrary: { readonly PassThroughClient: new () => never };
}

/** Without an AuthClient the SDK looks for a metadata server, and without TLS it sends none of the credentials that it has. */
const gax = createRequire(createRequire(import.meta.url).resolve('@google-cloud/kms'))('google-gax') as Gax;

/** Google's SDK as it is; without TLS it sends no credentials by itself. */
export async function clientOf({ host, port }: Pick<GcpKmsServer, 'host' | 'port'>): Promise<Kms> {
  const client = new v1.KeyManagementServiceClient({ servicePath: host, port, sslCreds: credentials.createInsecure(), authClient: new gax.googleAuthLibrary.PassThroughClient() });
  await client.initialize();
  onTestFinished(() => client.close());
  return client;
}

/** What a call with this token takes. */
export function as(token: string): { otherArgs: { headers: Record<string, string> }; retry: null; timeout: number } {
  return { otherArgs: { headers: { authorization: `Bearer ${token}` } }, retry: null, timeout: 10_000 };
}

export const ONCE = { retry: null, timeout: 10_000 } as const;

/** Expects a call to be refused with this status, in words like these. */
export async function refused(call: Promise<unknown>, code: number, words = /./): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code: given, details } = Object(error) as { code?: number; details?: string };
  expect(given, details).toBe(code);
  expect(details).toMatch(words);
}

/** What Encrypt made, as far as later calls need it. */
export async function encrypted(kms: Kms, request: Parameters<Kms['encrypt']>[0]): Promise<{ name: string; ciphertext: Buffer }> {
  const [{ name, ciphertext }] = await kms.encrypt(request, ONCE);
  if (typeof name !== 'string' || !(ciphertext instanceof Uint8Array)) expect.fail('Encrypt gave no name or no ciphertext');
  return { name, ciphertext: Buffer.from(ciphertext) };
}

export function checksum(bytes: Uint8Array): { value: number } {
  return { value: crc32c(bytes) };
}
