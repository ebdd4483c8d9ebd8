import { KeyfoldError, type KmsClient } from '@keyfold/core/provider';
import { GcpKms } from './gcp-kms.ts';
import { OPTION_NAMES, type GcpKmsOptions } from './options.ts';

const SCHEME = 'gcp-kms:';
const PREFIX = 'gcp-kms://projects/';

/** What the query may say, and as which option. */
const QUERY: Readonly<Record<string, (value: string) => Partial<GcpKmsOptions>>> = {
  endpoint: (endpoint) => ({ endpoint }),
  transport: (transport) => ({ transport: oneOf('transport', transport, ['grpc', 'rest'] as const) }),
  rotation: (strategy) => ({ rotation: { strategy: oneOf('rotation', strategy, ['new-version', 'none'] as const) } }),
};

/**
 * Opens a key by URL: `gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K`.
 * The query may have `endpoint`, `transport` (`grpc` or `rest`) and `rotation`
 * (`new-version` or `none`); secrets have no place in a URL.
 * @param options what a URL cannot say, such as `client` or `clientOptions`: options of GcpKms.open(), other than the URL's
 * @throws KeyfoldError CONFIG_INVALID
 */
export async function openKmsUrl(url: string, options: Readonly<Record<string, unknown>> = {}): Promise<KmsClient> {
  const named = parseKmsUrl(url);
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) throw invalid(`there is no option ${JSON.stringify(name)}`);
    if (name in named) throw invalid(`${name} is said twice, by the URL and by the options`);
  }
  return GcpKms.open({ ...options, ...named });
}

/** @throws KeyfoldError CONFIG_INVALID */
export function parseKmsUrl(url: string): GcpKmsOptions {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // The URL itself is not shown: it is no place for secrets, but somebody may have put one there.
  if (parsed?.protocol !== SCHEME || parsed.host !== 'projects' || parsed.username !== '' || parsed.password !== '' || parsed.hash !== '' || !url.startsWith(PREFIX)) {
    throw invalid('it must have the form gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K, without user, password or fragment');
  }
  const read = new Set<string>();
  let options: GcpKmsOptions = { keyId: `projects${decode(parsed.pathname)}` };
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

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw invalid(`its ${name} must be ${allowed.join(' or ')}`);
  return found;
}

function invalid(what: string, cause?: unknown): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This URL of a key of Google Cloud KMS is not usable: ${what}.`, { cause });
}
