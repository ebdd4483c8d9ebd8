import { KeyfoldError } from '@keyfold/core/provider';

/**
 * How `rotateKey()` makes a new version.
 *
 * - `alias`: a new key, and the alias moves to it. No limit, any interval. With an alias only.
 * - `on-demand`: new key material in the same key. AWS permits 25 in the life of a key.
 * - `automatic`: AWS itself, every 90 to 2,560 days; `rotateKey()` is refused.
 * - `none`: `rotateKey()` is refused.
 */
export type AwsRotation =
  | { readonly strategy: 'alias' }
  | { readonly strategy: 'on-demand'; /** How long to wait for AWS. Default: 600,000. */ readonly timeoutMs?: number | undefined; /** Between two looks. Default: 2,000. */ readonly pollMs?: number | undefined }
  | { readonly strategy: 'automatic'; /** 90..2,560. */ readonly periodDays: number }
  | { readonly strategy: 'none' };

/** The same with every default filled in. */
export type CheckedRotation =
  | { readonly strategy: 'alias' | 'none' }
  | { readonly strategy: 'on-demand'; readonly timeoutMs: number; readonly pollMs: number }
  | { readonly strategy: 'automatic'; readonly periodDays: number };

const PERIOD_DAYS = [90, 2_560] as const;
const MAX_WAIT_MS = 2 ** 31 - 1;
const DEFAULT_WAIT = { timeoutMs: 600_000, pollMs: 2_000 } as const;

/** @throws KeyfoldError CONFIG_INVALID */
export function checkRotation(rotation: AwsRotation | undefined, kind: 'key' | 'alias'): CheckedRotation {
  if (rotation !== undefined) refuseUnknown(rotation);
  const chosen: AwsRotation = rotation ?? { strategy: kind === 'alias' ? 'alias' : 'on-demand' };
  switch (chosen.strategy) {
    case 'alias':
      if (kind === 'alias') return { strategy: 'alias' };
      throw invalid('The rotation strategy "alias" moves an alias to a new key, so keyId must be an alias, not a key.');
    case 'on-demand': {
      const { timeoutMs = DEFAULT_WAIT.timeoutMs, pollMs = DEFAULT_WAIT.pollMs } = chosen;
      requireWait(timeoutMs, 'timeoutMs');
      requireWait(pollMs, 'pollMs');
      return { strategy: 'on-demand', timeoutMs, pollMs };
    }
    case 'automatic':
      requirePeriod(chosen.periodDays);
      return { strategy: 'automatic', periodDays: chosen.periodDays };
    case 'none':
      return { strategy: 'none' };
  }
}

/** What each strategy takes beside its name. */
const MEMBERS: Readonly<Record<AwsRotation['strategy'], readonly string[]>> = { alias: [], 'on-demand': ['timeoutMs', 'pollMs'], automatic: ['periodDays'], none: [] };

function refuseUnknown(rotation: AwsRotation): void {
  if (typeof rotation !== 'object' || (rotation as unknown) === null) throw invalid('rotation must be an object such as { strategy: "alias" }.');
  const { strategy } = rotation;
  if (!Object.hasOwn(MEMBERS, strategy)) throw invalid('rotation.strategy must be "alias", "on-demand", "automatic" or "none".');
  const unknown = Object.keys(rotation).find((name) => name !== 'strategy' && !MEMBERS[strategy].includes(name));
  if (unknown !== undefined) throw invalid(`There is no option rotation.${JSON.stringify(unknown)} with the strategy "${strategy}".`);
}

function requirePeriod(days: number): void {
  const [min, max] = PERIOD_DAYS;
  if (Number.isSafeInteger(days) && days >= min && days <= max) return;
  throw invalid(
    `AWS KMS rotates automatically every ${min} to ${max} days, in whole days. ` +
      'For anything shorter, such as every 30 days, use { strategy: "alias" } and call rotateKey(): it has no limit.',
  );
}

function requireWait(ms: number, name: string): void {
  if (typeof ms !== 'number' || !(ms >= 1 && ms <= MAX_WAIT_MS)) throw invalid(`rotation.${name} must be 1 to ${MAX_WAIT_MS} milliseconds.`);
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', message);
}
