import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Location } from './paths.ts';

/**
 * The store's own files and directories. `~` is in no object's name, so none of
 * them can be mistaken for an object, nor an object for one of them.
 *
 *     ~<random>.tmp          a body being written, or a directory being prepared
 *     <name>.~<etag>         the claim: a directory that settles who follows that state
 *       <random>.new         its token: the content that is to follow
 *       <random>.gone        its token: a directory that takes a tombstone away
 *     <name>.~<random>.void  a token that sweep took from a claim
 */
const TEMPORARY = /^~[0-9a-f]{32}\.tmp$/;
const CLAIM = /^(?<segment>[a-z0-9._%-]+)\.~(?<etag>[0-9a-f]{32})$/;
const VOID = /^[a-z0-9._%-]+\.~[0-9a-f]{32}\.void$/;
const TOKEN = /^(?<id>[0-9a-f]{32})\.(?<kind>new|gone)$/;

/** 128 bits: no two names are ever the same. */
export function randomId(): string {
  return randomBytes(16).toString('hex');
}

export function temporaryPath(directory: string): string {
  return join(directory, `~${randomId()}.tmp`);
}

export function claimPath(location: Location, etag: string): string {
  return `${location.path}.~${etag}`;
}

export function voidPath(location: Location, tokenId: string): string {
  return `${location.path}.~${tokenId}.void`;
}

/** Where a tombstone lies once its token has taken it. */
export function takenPath(tokenPath: string): string {
  return join(tokenPath, 'tombstone');
}

export function isTemporary(entry: string): boolean {
  return TEMPORARY.test(entry);
}

export function isVoid(entry: string): boolean {
  return VOID.test(entry);
}

export function parseClaim(entry: string): { readonly segment: string; readonly etag: string } | undefined {
  const { segment, etag } = CLAIM.exec(entry)?.groups ?? {};
  return segment === undefined || etag === undefined ? undefined : { segment, etag };
}

export interface Token {
  readonly id: string;
  readonly kind: 'new' | 'gone';
  readonly path: string;
}

export function newToken(directory: string, kind: Token['kind']): Token {
  const id = randomId();
  return { id, kind, path: join(directory, `${id}.${kind}`) };
}

/** The same token after the directory around it was renamed. */
export function movedToken(token: Token, directory: string): Token {
  return { ...token, path: join(directory, `${token.id}.${token.kind}`) };
}

export function parseToken(directory: string, entry: string): Token | undefined {
  const { id, kind } = TOKEN.exec(entry)?.groups ?? {};
  if (id === undefined || (kind !== 'new' && kind !== 'gone')) return undefined;
  return { id, kind, path: join(directory, entry) };
}
