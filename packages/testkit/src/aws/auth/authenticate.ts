import type { IncomingMessage } from 'node:http';
import type { KmsRegion } from '../keys/kms-region.ts';
import type { KmsState } from '../keys/kms-state.ts';
import { AwsError } from '../wire/aws-error.ts';
import { parseAuthorization } from './authorization-header.ts';
import type { Principal, Principals } from './principals.ts';
import { SERVICE, verifySignature } from './signature.ts';

/** Whom the server knows, and the time. */
export interface AuthenticationParts {
  readonly principals: Principals;
  readonly state: KmsState;
  readonly now: number;
}

/**
 * Who sent a request, and to which region: proven by the signature over all of it.
 *
 * @throws AwsError MissingAuthenticationToken, IncompleteSignature, InvalidSignature, UnrecognizedClient or ExpiredToken
 */
export async function authenticate(
  request: IncomingMessage,
  body: Uint8Array,
  { principals, state, now }: AuthenticationParts,
): Promise<{ readonly principal: Principal; readonly region: KmsRegion }> {
  const headers = joinHeaders(request);
  const authorization = parseAuthorization(headers['authorization']);
  if (authorization.service !== SERVICE) {
    throw new AwsError('InvalidSignatureException', `Credential should be scoped to correct service: '${SERVICE}'. `);
  }
  const region = state.region(authorization.region);
  if (region === undefined) {
    throw new AwsError('InvalidSignatureException', `Credential should be scoped to a valid region, not '${authorization.region}'. `);
  }
  const principal = principals.find(authorization.accessKeyId, headers['x-amz-security-token'], now);
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const signed = {
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers,
    body,
  };
  await verifySignature(signed, authorization, principal.credentials, now);
  return { principal, region };
}

function joinHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const headers = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(request.headers)) headers[name] = [value].flat().join(',');
  return headers;
}
