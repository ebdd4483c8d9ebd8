import { createHash, timingSafeEqual } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { AwsError } from '../wire/aws-error.ts';
import { incomplete, type Authorization } from './authorization-header.ts';
import type { AwsCredentials } from './principals.ts';
import { Sha256 } from './sha256.ts';

/** The signing name of KMS. */
export const SERVICE = 'kms';
/** How far a signature's date may lie from the server's: five minutes, either way. */
const MAX_SKEW_MINUTES = 5;
/** A request of which these are not signed could be sent to another operation or at another time. */
const MUST_BE_SIGNED = ['host', 'x-amz-target'];

/** A request as it came in. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Verifies a signature by making it anew from the secret, and the date it was made.
 *
 * @throws AwsError InvalidSignatureException or IncompleteSignatureException
 */
export async function verifySignature(
  request: SignedRequest,
  authorization: Authorization,
  credentials: AwsCredentials,
  now: number,
): Promise<void> {
  const signingDate = signedAt(request, authorization);
  checkSkew(signingDate, now);
  for (const name of MUST_BE_SIGNED.filter((each) => each in request.headers)) {
    if (!authorization.signedHeaders.includes(name)) {
      throw new AwsError('InvalidSignatureException', `'${name}' must be a 'SignedHeader' in the AWS Authorization. `);
    }
  }
  const expected = await sign(request, authorization, credentials, signingDate);
  if (!bodyIsAsStated(request) || !equal(expected, authorization.signature)) {
    throw new AwsError(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. ' +
        'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

async function sign(
  request: SignedRequest,
  authorization: Authorization,
  credentials: AwsCredentials,
  signingDate: Date,
): Promise<string> {
  const { region, signedHeaders } = authorization;
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, request.headers[name] ?? '']));
  const signer = new SignatureV4({ service: SERVICE, region, credentials, sha256: Sha256, applyChecksum: false });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: request.path,
      query: { ...request.query },
      headers,
      body: request.body,
    },
    { signingDate, signableHeaders: new Set(signedHeaders) },
  );
  return /Signature=([0-9a-f]+)$/.exec(signed.headers['authorization'] ?? '')?.[1] ?? '';
}

function signedAt(request: SignedRequest, authorization: Authorization): Date {
  const header = request.headers['x-amz-date'];
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(header ?? '');
  if (header === undefined || match === null) {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second));
  if (compact(date.getTime()) !== header) throw incomplete("Date must be in ISO-8601 'basic format'.");
  if (!header.startsWith(authorization.date)) {
    throw new AwsError(
      'InvalidSignatureException',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.date}' != '${header.slice(0, 8)}', from '${header}'.`,
    );
  }
  return date;
}

function checkSkew(signingDate: Date, now: number): void {
  const at = signingDate.getTime();
  const skew = MAX_SKEW_MINUTES * 60_000;
  const earliest = Math.floor(now / 1000) * 1000 - skew;
  const latest = Math.ceil(now / 1000) * 1000 + skew;
  if (at < earliest) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature expired: ${compact(at)} is now earlier than ${compact(earliest)} (${compact(now)} - ${MAX_SKEW_MINUTES} min.)`,
    );
  }
  if (at > latest) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature not yet current: ${compact(at)} is still later than ${compact(latest)} (${compact(now)} + ${MAX_SKEW_MINUTES} min.)`,
    );
  }
}

/** The signer trusts this header over the body, so what it says has to be so. */
function bodyIsAsStated(request: SignedRequest): boolean {
  const stated = request.headers['x-amz-content-sha256'];
  return stated === undefined || equal(createHash('sha256').update(request.body).digest('hex'), stated);
}

function equal(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `20260131T235959Z` */
function compact(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
