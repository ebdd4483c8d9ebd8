import { KeyfoldError, type KmsClient } from '@keyfold/core/provider';
import { AwsKms } from './aws-kms.ts';
import { OPTION_NAMES, type AwsKmsOptions } from './options.ts';
import type { AwsRotation } from './rotation/strategy.ts';

const SCHEME = 'aws-kms:';

/** What the query may say, and as which option. */
const QUERY: Readonly<Record<string, (value: string) => Partial<AwsKmsOptions>>> = {
  region: (region) => ({ region }),
  endpoint: (endpoint) => ({ endpoint }),
  profile: (profile) => ({ clientOptions: { profile } }),
  fips: (value) => ({ fips: flag('fips', value) }),
  multiRegion: (value) => ({ multiRegion: flag('multiRegion', value) }),
  rotation: (strategy) => ({ rotation: rotationNamed(strategy) }),
};

/**
 * Opens a key by URL: `aws-kms:///alias/app?region=eu-west-1`,
 * `aws-kms:///arn:aws:kms:eu-west-1:111122223333:key/...`. The query may have
 * `region`, `endpoint`, `profile`, `fips`, `multiRegion` (`true` or `false`) and
 * `rotation` (`alias`, `on-demand` or `none`); secrets have no place in a URL.
 * @param options what a URL cannot say, such as `client` or `clientOptions`: options of AwsKms.open(), other than the URL's
 * @throws KeyfoldError CONFIG_INVALID, and as AwsKms.open()
 */
export async function openKmsUrl(url: string, options: Readonly<Record<string, unknown>> = {}): Promise<KmsClient> {
  const named = parseKmsUrl(url);
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) throw invalid(`there is no option ${JSON.stringify(name)}`);
    if (name in named) throw invalid(`${name} is said twice, by the URL and by the options`);
  }
  return AwsKms.open({ ...options, ...named });
}

/** @throws KeyfoldError CONFIG_INVALID */
export function parseKmsUrl(url: string): AwsKmsOptions {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // The URL itself is not shown: it is no place for secrets, but somebody may have put one there.
  if (parsed?.protocol !== SCHEME || parsed.host !== '' || parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
    throw invalid('it must have the form aws-kms:///alias/name?region=... or aws-kms:///arn:aws:kms:..., without host, user, password or fragment');
  }
  const read = new Set<string>();
  let options: AwsKmsOptions = { keyId: decode(parsed.pathname.slice(1)) };
  for (const [name, value] of parsed.searchParams) {
    const reader = Object.hasOwn(QUERY, name) ? QUERY[name] : undefined;
    if (reader === undefined) throw invalid(`its query has something else than ${Object.keys(QUERY).join(', ')}`);
    if (read.has(name)) throw invalid(`its query says ${name} twice`);
    read.add(name);
    options = { ...options, ...reader(value) };
  }
  return options;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw invalid('its path is not percent-encoded UTF-8', error);
  }
}

function flag(name: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw invalid(`its ${name} must be true or false`);
  return value === 'true';
}

function rotationNamed(strategy: string): AwsRotation {
  if (strategy === 'alias' || strategy === 'on-demand' || strategy === 'none') return { strategy };
  throw invalid('its rotation must be alias, on-demand or none');
}

function invalid(what: string, cause?: unknown): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This URL of an AWS KMS key is not usable: ${what}.`, { cause });
}
