import { KeyfoldError } from '../errors.ts';
import type { KmsClient, WrappedKey } from '../ports/kms-client.ts';
import { ALL_SUITES, GCM_SUITES, type SuiteName, isSuiteName } from './suites.ts';

/** What a reader accepts. Nothing that a stored record names is contacted unless it is in here. */
export interface KeyPolicy {
  /** In the order in which a record's wraps are tried. */
  readonly kms: readonly KmsClient[];
  readonly suites: readonly SuiteName[];
}

/**
 * @param options.suites default the two of AES-256-GCM
 * @param options.requireAuthenticatedWraps default true: refuses keys for which anybody could mint a wrap
 * @throws KeyfoldError CONFIG_INVALID
 */
export function keyPolicy(
  kms: readonly KmsClient[],
  options: { readonly suites?: readonly SuiteName[]; readonly requireAuthenticatedWraps?: boolean } = {},
): KeyPolicy {
  if (kms.length === 0) throw new KeyfoldError('CONFIG_INVALID', 'At least one KmsClient is needed.');
  if (kms.some((client, index) => kms.findIndex((other) => sameKey(client, other)) !== index)) {
    // The second would never be asked, and its owner would count on it.
    throw new KeyfoldError('CONFIG_INVALID', 'Two KmsClients are for the same key; name each key once.');
  }
  const suites = options.suites ?? GCM_SUITES;
  if (suites.length === 0 || !suites.every(isSuiteName)) {
    throw new KeyfoldError('CONFIG_INVALID', `The accepted suites must be one or more of ${ALL_SUITES.join(', ')}.`);
  }
  const forgeable = kms.find((client) => !client.capabilities.authenticatedWraps);
  if (forgeable !== undefined && options.requireAuthenticatedWraps !== false) {
    throw new KeyfoldError(
      'CONFIG_INVALID',
      `Wraps by the ${forgeable.provider} key are not authenticated: whoever has its public key can make one. ` +
        'Use another kind of key, or accept that with requireAuthenticatedWraps: false.',
    );
  }
  return Object.freeze({ kms: Object.freeze([...kms]), suites: Object.freeze([...suites]) });
}

/** The client that may open a wrap, by exact comparison with what is configured. */
export function clientFor(policy: KeyPolicy, wrap: KeyName): KmsClient | undefined {
  return policy.kms.find((client) => sameKey(client, wrap));
}

type KeyName = Pick<WrappedKey, 'provider' | 'keyId'>;

/** Whether two names are of the same KEK, whichever version. */
export function sameKey(a: KeyName, b: KeyName): boolean {
  return a.provider === b.provider && a.keyId === b.keyId;
}

/** The record's wraps that the policy accepts, in the policy's order. */
export function acceptedWraps(policy: KeyPolicy, wraps: readonly WrappedKey[]): { client: KmsClient; wrap: WrappedKey }[] {
  return policy.kms.flatMap((client) =>
    wraps.filter((wrap) => clientFor(policy, wrap) === client).map((wrap) => ({ client, wrap })),
  );
}

/** The policy as part of a cached key's identity: a stricter reader never gets a laxer one's key. */
export function policyIdentity(policy: KeyPolicy): string {
  return JSON.stringify([policy.kms.map((client) => [client.provider, client.keyId]), policy.suites]);
}
