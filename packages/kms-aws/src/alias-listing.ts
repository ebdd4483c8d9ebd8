import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import type { ResolvedKey } from './key-name.ts';
import type { AwsAlias } from './sdk.ts';

/** The largest page that AWS gives. */
const PAGE = 100;
const NUMBER = /^[1-9]\d{0,8}$/;

/** An alias of the configured name and a number, and the key behind it. */
export interface NumberedAlias {
  readonly number: number;
  readonly keyId: string;
}

/** What `alias/app` and `alias/app-v1`, `alias/app-v2`, ... point at. */
export interface AliasListing {
  /** Undefined where the alias does not exist, or is another account's. */
  readonly current: string | undefined;
  /** Highest number first. */
  readonly numbered: readonly NumberedAlias[];
}

/** The alias of a version, e.g. `alias/app-v3`. */
export function numberedName(alias: string, number: number): string {
  return `${alias}-v${number}`;
}

/** Reads the aliases of the configured name, past every cache. */
export async function listAliases(calls: KmsCalls, alias: ResolvedKey, signals: SignalOptions): Promise<AliasListing> {
  let current: string | undefined;
  const numbered: NumberedAlias[] = [];
  const pages = calls.pages('ListAliases', signals, (api, page, options) => api.listAliases({ Limit: PAGE, ...page }, options));
  for await (const { Aliases: entries = [] } of pages) {
    for (const { name, keyId } of entries.flatMap((entry) => ours(entry, alias))) {
      const number = versionNumber(name, alias.name);
      if (name === alias.name) current = keyId;
      else if (number !== undefined) numbered.push({ number, keyId });
    }
  }
  return { current, numbered: numbered.sort((a, b) => b.number - a.number) };
}

/** AWS lists the caller's own account, which may have an alias of the same name as the configured account. */
function ours({ AliasName: name, AliasArn: arn, TargetKeyId: keyId }: AwsAlias, alias: ResolvedKey): { name: string; keyId: string }[] {
  if (name === undefined || keyId === undefined) return [];
  const expected = `arn:${alias.partition}:kms:${alias.region}:${alias.account}:${name}`;
  return arn === undefined || arn === expected ? [{ name, keyId }] : [];
}

function versionNumber(name: string, alias: string): number | undefined {
  const digits = name.startsWith(`${alias}-v`) ? name.slice(alias.length + 2) : '';
  return NUMBER.test(digits) ? Number(digits) : undefined;
}
