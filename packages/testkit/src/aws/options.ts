import { KeyfoldError, type Clock } from '@keyfold/core/provider';
import type { AwsCredentials, AwsPrincipalOptions } from './auth/principals.ts';

/** How a server is to be. Everything has a default. */
export interface AwsKmsServerOptions {
  /** The region that it plays, and the default of `createKey`; `us-east-1` when left out. */
  readonly region?: string | undefined;
  /** Further regions, told apart by the region for which a request is signed. */
  readonly otherRegions?: readonly string[] | undefined;
  /** A port of 127.0.0.1; 0, the default, takes any that is free. */
  readonly port?: number | undefined;
  /** Twelve digits; `111122223333` when left out. */
  readonly accountId?: string | undefined;
  /** Credentials of the first principal, which may do everything; drawn at random when left out. */
  readonly credentials?: AwsCredentials | undefined;
  /** Further principals; `addPrincipal` adds more of them later. */
  readonly principals?: readonly AwsPrincipalOptions[] | undefined;
  /** Dates keys and drives rotation and deletion; the machine's clock when left out. */
  readonly clock?: Clock | undefined;
  /** Judges the age of signatures and the expiry of credentials; the machine's clock when left out, so that moving `clock` by a year breaks no signature. */
  readonly signingClock?: Clock | undefined;
  /** How long rotation on demand and the making of a replica take, in milliseconds by `clock`; 100 when left out. */
  readonly backgroundMs?: number | undefined;
  /** How long it takes until a new or moved alias counts for `kms:ResourceAliases` in policies, in milliseconds by `clock`: up to five minutes with AWS; 0 when left out. */
  readonly aliasAuthorizationMs?: number | undefined;
}

/** Options with their defaults. */
export interface CheckedOptions {
  readonly region: string;
  readonly regions: readonly string[];
  readonly accountId: string;
  readonly backgroundMs: number;
  readonly aliasAuthorizationMs: number;
}

const REGION = /^(?:[a-z]+-){2,3}\d+$/;

/** @throws KeyfoldError CONFIG_INVALID */
export function checkOptions(options: AwsKmsServerOptions): CheckedOptions {
  const region = options.region ?? 'us-east-1';
  const regions = [...new Set([region, ...(options.otherRegions ?? [])])];
  const wrong = regions.find((name) => !REGION.test(name));
  if (wrong !== undefined) throw invalid(`${wrong} is no name of a region; write it like eu-central-1`);
  const accountId = options.accountId ?? '111122223333';
  if (!/^\d{12}$/.test(accountId)) throw invalid('accountId must have twelve digits');
  const { backgroundMs = 100, aliasAuthorizationMs = 0 } = options;
  for (const [name, ms] of Object.entries({ backgroundMs, aliasAuthorizationMs })) {
    if (!Number.isSafeInteger(ms) || ms < 0) throw invalid(`${name} must be a whole number of milliseconds, 0 or more`);
  }
  const port = options.port ?? 0;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid('port must be a whole number of 0 to 65535');
  return { region, regions, accountId, backgroundMs, aliasAuthorizationMs };
}

function invalid(what: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `AwsKmsServer: ${what}.`);
}
