import { KeyfoldError } from '@keyfold/core/provider';

const ARN = /^arn:(aws[a-z0-9-]{0,32}):kms:([a-z0-9-]{1,64}|\*):(\d{12}):(.+)$/;
const KEY = /^key\/([A-Za-z0-9_-]{1,128})$/;
const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,240}$/;
const KEY_ID = /^[A-Za-z0-9_-]{1,128}$/;
const EVERY_REGION = '*';
const MULTI_REGION_PREFIX = 'mrk-';

/** What a name says by itself; account, partition and region only if it is an ARN. */
export interface ParsedName {
  readonly kind: 'key' | 'alias';
  /** A key id, or an alias with its prefix `alias/`. */
  readonly name: string;
  readonly home: { readonly partition: string; readonly region: string; readonly account: string } | undefined;
}

/** The configured key, with everything that its identity and its calls are made of. */
export interface ResolvedKey {
  readonly kind: 'key' | 'alias';
  readonly name: string;
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  /** The name in stored wraps (spec/aws-kms, 3). */
  readonly identity: string;
  /** The name in requests that wrap: the ARN in this client's region. */
  readonly arn: string;
}

/**
 * Takes a key id, a key ARN, an alias name or an alias ARN apart.
 * @throws KeyfoldError CONFIG_INVALID
 */
export function parseName(configured: string): ParsedName {
  const [, partition, region, account, resource] = ARN.exec(configured) ?? [];
  if (partition !== undefined && region !== undefined && account !== undefined && resource !== undefined) {
    const home = { partition, region, account };
    const [, id] = KEY.exec(resource) ?? [];
    if (id !== undefined) return { kind: 'key', name: id, home };
    if (isAlias(resource)) return { kind: 'alias', name: resource, home };
  }
  if (isAlias(configured)) return { kind: 'alias', name: configured, home: undefined };
  if (KEY_ID.test(configured)) return { kind: 'key', name: configured, home: undefined };
  throw new KeyfoldError(
    'CONFIG_INVALID',
    'keyId must be a key id, a key ARN, an alias name (alias/...) or an alias ARN of AWS KMS, and no alias of an AWS service (alias/aws/...).',
  );
}

function isAlias(text: string): boolean {
  return ALIAS.test(text) && !text.startsWith('alias/aws/');
}

/** Whether a region stands for all of them, as in the identity of a multi-Region key. */
export function isEveryRegion(region: string): boolean {
  return region === EVERY_REGION;
}

/** Whether AWS made the key as a multi-Region key: all of them, and only they, are named so. */
export function isMultiRegionId(keyId: string): boolean {
  return keyId.startsWith(MULTI_REGION_PREFIX);
}

/** Puts the parts together. A multi-Region key has one identity in all of its regions, so that a replica opens what its primary wrapped. */
export function resolvedKey(
  { kind, name }: ParsedName,
  { partition, region, account }: { partition: string; region: string; account: string },
  multiRegion: boolean,
): ResolvedKey {
  const resource = kind === 'key' ? `key/${name}` : name;
  const arnIn = (where: string): string => `arn:${partition}:kms:${where}:${account}:${resource}`;
  return { kind, name, partition, region, account, identity: arnIn(multiRegion ? EVERY_REGION : region), arn: arnIn(region) };
}

/** The ARN of a key beside `home`: same partition, region and account. */
export function keyArn(home: ResolvedKey, keyId: string): string {
  return `arn:${home.partition}:kms:${home.region}:${home.account}:key/${keyId}`;
}

/** The key id in an ARN of a key beside `home`, or undefined for any other. */
export function keyIdBeside(home: ResolvedKey, arn: string | undefined): string | undefined {
  const id = arn?.slice(arn.lastIndexOf('/') + 1);
  return id !== undefined && KEY_ID.test(id) && arn === keyArn(home, id) ? id : undefined;
}
