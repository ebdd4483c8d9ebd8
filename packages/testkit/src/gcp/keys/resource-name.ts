import { invalidArgument } from '../wire/gcp-error.ts';

const SEGMENT = '[a-zA-Z0-9_.:-]{1,100}';
const ID = '[a-zA-Z0-9_-]{1,63}';
const LOCATION = `projects/${SEGMENT}/locations/${ID}`;
const KEY_RING = `${LOCATION}/keyRings/${ID}`;
const CRYPTO_KEY = `${KEY_RING}/cryptoKeys/${ID}`;

const PATTERNS = {
  location: new RegExp(`^${LOCATION}$`),
  keyRing: new RegExp(`^${KEY_RING}$`),
  cryptoKey: new RegExp(`^${CRYPTO_KEY}$`),
  version: new RegExp(`^${CRYPTO_KEY}/cryptoKeyVersions/[1-9][0-9]{0,9}$`),
} as const;

/** The kinds of resources that have names here. */
export type ResourceKind = keyof typeof PATTERNS;

/** Whether a text is a name of this kind. */
export function isName(kind: ResourceKind, name: string): boolean {
  return PATTERNS[kind].test(name);
}

/** @throws GcpError INVALID_ARGUMENT */
export function requireName(kind: ResourceKind, name: string): string {
  if (!isName(kind, name)) throw invalidArgument(`The resource name "${name}" is not of the form of a ${kind}.`);
  return name;
}

/** @throws GcpError INVALID_ARGUMENT for what may not be the last part of a name */
export function requireId(field: string, id: string): string {
  if (!new RegExp(`^${ID}$`).test(id)) throw invalidArgument(`${field} must match ${ID}.`);
  return id;
}

/** The name of what holds this resource: two segments fewer. */
export function parentOf(name: string): string {
  return name.split('/').slice(0, -2).join('/');
}

/** The last part of a name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** The location in a name, for the request log. */
export function locationOf(name: string): string | undefined {
  return /^projects\/[^/]+\/locations\/([^/]+)/.exec(name)?.[1];
}
