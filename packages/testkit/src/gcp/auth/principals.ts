import { randomBytes } from 'node:crypto';
import { KeyfoldError } from '@keyfold/core/provider';
import { GcpError } from '../wire/gcp-error.ts';

const VIEWING = ['keyRings.get', 'keyRings.list', 'cryptoKeys.get', 'cryptoKeys.list', 'cryptoKeyVersions.get', 'cryptoKeyVersions.list'];
const MANAGING = [
  ...VIEWING, 'keyRings.create', 'cryptoKeys.create', 'cryptoKeys.update', 'cryptoKeyVersions.create', 'cryptoKeyVersions.update',
  'cryptoKeyVersions.destroy', 'cryptoKeyVersions.restore',
];

/** What the predefined roles permit, of the operations that the server plays. */
const ROLES = {
  'roles/cloudkms.admin': MANAGING,
  'roles/cloudkms.viewer': VIEWING,
  'roles/cloudkms.cryptoKeyEncrypter': ['cryptoKeyVersions.useToEncrypt'],
  'roles/cloudkms.cryptoKeyDecrypter': ['cryptoKeyVersions.useToDecrypt'],
  'roles/cloudkms.cryptoKeyEncrypterDecrypter': ['cryptoKeyVersions.useToEncrypt', 'cryptoKeyVersions.useToDecrypt'],
} as const;

const KNOWN = new Set([...MANAGING, 'cryptoKeyVersions.useToEncrypt', 'cryptoKeyVersions.useToDecrypt'].map((name) => `cloudkms.${name}`));

/** A predefined role of Cloud KMS. */
export type GcpRole = keyof typeof ROLES;

/** A caller that the server knows. */
export interface GcpPrincipalOptions {
  /** Its name in the request log; `principal-<n>` when left out. */
  readonly name?: string | undefined;
  /** Its bearer token; drawn at random when left out. */
  readonly token?: string | undefined;
  /** When the token expires: refused with UNAUTHENTICATED from then on. */
  readonly expiration?: Date | undefined;
  /** Predefined roles. With neither roles nor permissions it may do everything. */
  readonly roles?: readonly GcpRole[] | undefined;
  /** Permissions as IAM names them, such as `cloudkms.cryptoKeyVersions.useToEncrypt`. */
  readonly permissions?: readonly string[] | undefined;
  /** Names of what the roles and permissions are granted on, with everything below; all when left out. */
  readonly resources?: readonly string[] | undefined;
}

/** A caller as the server sees it. */
export interface Principal {
  readonly name: string;
  readonly token: string;
  may(permission: string, resource: string): boolean;
}

interface Known extends Principal {
  readonly expiration: Date | undefined;
}

const ANONYMOUS: Principal = { name: 'anonymous', token: '', may: () => true };

/** Everybody who may call, by token. */
export class Principals {
  readonly #requireToken: boolean;
  readonly #byToken = new Map<string, Known>();

  constructor(requireToken: boolean) {
    this.#requireToken = requireToken;
  }

  /** @throws KeyfoldError CONFIG_INVALID for a token that is taken or cannot be sent, and for unknown roles and permissions */
  add(options: GcpPrincipalOptions): Principal {
    const token = options.token ?? randomBytes(24).toString('base64url');
    if (!/^[\x21-\x7e]+$/.test(token)) throw invalid('a token is ASCII without spaces');
    if (this.#byToken.has(token)) throw invalid('two principals cannot have one token');
    const name = options.name ?? `principal-${this.#byToken.size + 1}`;
    const principal: Known = { name, token, expiration: options.expiration, may: permissionsOf(options) };
    this.#byToken.set(token, principal);
    return principal;
  }

  /**
   * The caller with this `authorization` metadata.
   *
   * @throws GcpError UNAUTHENTICATED
   */
  find(authorization: string | undefined, now: number): Principal {
    if (authorization === undefined && !this.#requireToken) return ANONYMOUS;
    const [, token] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? [];
    const known = token === undefined ? undefined : this.#byToken.get(token);
    if (known === undefined || (known.expiration !== undefined && known.expiration.getTime() <= now)) throw unauthenticated();
    return known;
  }
}

/** The answer to credentials that are missing, unknown or expired: Google words all three alike. */
export function unauthenticated(): GcpError {
  return new GcpError('UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.');
}

function permissionsOf({ roles, permissions, resources }: GcpPrincipalOptions): Principal['may'] {
  const role = roles?.find((name) => !Object.hasOwn(ROLES, name));
  if (role !== undefined) throw invalid(`there is no role ${role}`);
  const permission = permissions?.find((name) => !KNOWN.has(name));
  if (permission !== undefined) throw invalid(`nothing here needs the permission ${permission}`);
  const everything = roles === undefined && permissions === undefined;
  const granted = new Set([...(permissions ?? []), ...(roles ?? []).flatMap((name) => ROLES[name].map((each) => `cloudkms.${each}`))]);
  const covers = (resource: string): boolean => resources?.some((name) => resource === name || resource.startsWith(`${name}/`)) ?? true;
  return (wanted, resource) => (everything || granted.has(wanted)) && covers(resource);
}

function invalid(what: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `GcpKmsServer: ${what}.`);
}
