import { AwsError } from '../wire/aws-error.ts';

/** What an Authorization header of Signature Version 4 says. */
export interface Authorization {
  readonly accessKeyId: string;
  /** The day of the scope, `20260131`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const PARTS = ['Credential', 'Signature', 'SignedHeaders'] as const;

/**
 * Takes an Authorization header apart.
 *
 * @throws AwsError MissingAuthenticationTokenException for another scheme, IncompleteSignatureException for a damaged header
 */
export function parseAuthorization(header: string | undefined): Authorization {
  if (header?.startsWith(ALGORITHM) !== true) {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const parts = parseParts(header.slice(ALGORITHM.length));
  const missing = PARTS.filter((name) => !parts.has(name));
  if (missing.length > 0) {
    throw incomplete(missing.map((name) => `Authorization header requires '${name}' parameter.`).join(' '));
  }
  const [accessKeyId = '', date = '', region = '', service = '', end, ...rest] = (parts.get('Credential') ?? '').split('/');
  if (end === undefined || rest.length > 0) {
    throw incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.");
  }
  if (end !== 'aws4_request') {
    throw new AwsError('InvalidSignatureException', "Credential should be scoped with a valid terminator: 'aws4_request'. ");
  }
  const signedHeaders = (parts.get('SignedHeaders') ?? '').split(';');
  return { accessKeyId, date, region, service, signedHeaders, signature: parts.get('Signature') ?? '' };
}

/** `a=1, b=2`, in any order, with or without blanks. */
function parseParts(list: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const each of list.split(',')) {
    const part = each.trim();
    const equals = part.indexOf('=');
    if (equals < 1) throw incomplete('A part of the Authorization header is not a valid key=value pair (missing equal-sign).');
    parts.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return parts;
}

/** A header that cannot be verified because something is missing from it. */
export function incomplete(message: string): AwsError {
  return new AwsError('IncompleteSignatureException', message);
}
