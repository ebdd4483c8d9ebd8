import { request as httpRequest } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../../src/aws/auth/sha256.ts';
import type { AwsKmsServer } from '../../src/aws.ts';

/** A request by hand, for what the SDK would not send. */
export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** The operation; left out of the headers if undefined. */
  readonly operation?: string | undefined;
  readonly body?: string | Uint8Array;
  /** Sent instead of the body that was signed. */
  readonly sentBody?: string;
  /** Further headers to sign. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly service?: string;
  readonly signingDate?: Date;
  readonly unsigned?: readonly string[];
  /** Changes headers after signing. */
  readonly alter?: (headers: Record<string, string>) => void;
}

/** What came back. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: { readonly __type?: string; readonly message?: string };
}

/** Signs with the server's first credentials and sends. */
export async function sendRaw(server: AwsKmsServer, raw: RawRequest): Promise<RawAnswer> {
  const headers = await signedHeaders(server, raw);
  raw.alter?.(headers);
  const url = new URL(raw.path ?? '/', server.endpoint);
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: raw.method ?? 'POST', headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) as RawAnswer['body'] });
      });
    });
    request.on('error', reject);
    request.end(raw.sentBody ?? raw.body ?? '{}');
  });
}

async function signedHeaders(server: AwsKmsServer, raw: RawRequest): Promise<Record<string, string>> {
  const url = new URL(raw.path ?? '/', server.endpoint);
  const operation = 'operation' in raw ? raw.operation : 'ListAliases';
  const signer = new SignatureV4({
    service: raw.service ?? 'kms',
    region: server.region,
    credentials: server.credentials,
    sha256: Sha256,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method: raw.method ?? 'POST',
      protocol: 'http:',
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: {
        host: url.host,
        'content-type': 'application/x-amz-json-1.1',
        ...(operation === undefined ? {} : { 'x-amz-target': `TrentService.${operation}` }),
        ...raw.headers,
      },
      body: raw.body ?? '{}',
    },
    {
      ...(raw.signingDate === undefined ? {} : { signingDate: raw.signingDate }),
      ...(raw.unsigned === undefined ? {} : { unsignableHeaders: new Set(raw.unsigned) }),
    },
  );
  return { ...signed.headers };
}
