import { KeyfoldError } from '../errors.ts';
import type { KmsClient, OpenKmsUrl } from '../ports/kms-client.ts';

/** A kind of key service that a URL can name. */
interface KmsScheme {
  readonly package: string;
  /** The package's entry that opens its URLs, where that is not its main one. */
  readonly entry?: string;
  /** What its URLs look like, for the person who mistyped one. */
  readonly form: string;
}

/** Every scheme, and the package that knows the rest of its URLs. Names only: nothing here loads any of them. */
const SCHEMES: ReadonlyMap<string, KmsScheme> = new Map([
  ['local:', { package: '@keyfold/kms-local', form: 'local:///path/keyring.kf?keyFile=/path/key' }],
  ['aws-kms:', { package: '@keyfold/kms-aws', form: 'aws-kms:///alias/name?region=eu-west-1' }],
  ['azure-keyvault:', { package: '@keyfold/kms-azure', form: 'azure-keyvault://vault-host/keys/name' }],
  ['gcp-kms:', { package: '@keyfold/kms-gcp', form: 'gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K' }],
  ['pkcs11:', { package: '@keyfold/kms-local', entry: '@keyfold/kms-local/pkcs11', form: 'pkcs11:token=name;object=key?module-path=/path/module.so' }],
]);

/** Members of a query that hold a secret, in lowercase letters and digits. */
const SECRET_MEMBERS = new Set([
  'password', 'passwd', 'pwd', 'pass', 'passphrase', 'secret', 'clientsecret', 'secretkey', 'secretaccesskey', 'accesskey', 'accesskeyid',
  'sharedkey', 'privatekey', 'key', 'apikey', 'token', 'sessiontoken', 'securitytoken', 'accesstoken', 'bearer', 'authorization',
  'credential', 'credentials', 'pin', 'pinvalue', 'signature', 'sig', 'sas',
]);

const MAX_URL_CHARACTERS = 8_192;

/** What openKms() takes beside the URL. */
export interface OpenKmsOptions {
  /**
   * Loads a provider's package, or one of its entries, by name: `(name) => import(name)`. It is the
   * caller's, so that core imports no provider and a bundler can be told which to include.
   */
  readonly load: (name: string) => Promise<unknown>;
  /** What has no place in a URL, such as passwords and clients: passed on to the provider, which refuses what it does not know. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * Opens a key by URL: the scheme names the provider, and its package reads the
 * rest. Secrets are refused in URLs, as these end up in logs; no error shows one.
 * What a package that is there throws while it is loaded comes out as it is.
 * @throws KeyfoldError CONFIG_INVALID for a URL that is none, has credentials or an unknown scheme, and for a
 * package that is not installed or too old; and what the provider gives
 */
export async function openKms(url: string, { load, options = {} }: OpenKmsOptions): Promise<KmsClient> {
  if (typeof load !== 'function') throw invalid('openKms() needs "load": pass load: (name) => import(name).');
  const scheme = schemeOf(url);
  const open = openerOf(await loaded(scheme, load), scheme);
  return open(url, options);
}

function schemeOf(url: unknown): KmsScheme {
  // Characters that URL would drop unseen, so that what is checked is what the provider reads.
  const parsed = typeof url === 'string' && url.length <= MAX_URL_CHARACTERS && /^[\x21-\x7e]+$/.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) throw invalid(`This is no URL of a key: it must be ASCII without spaces, such as ${forms()}.`);
  const scheme = SCHEMES.get(parsed.protocol);
  if (scheme === undefined) throw invalid(`There is no key service for the scheme of this URL. Known are: ${forms()}.`);
  refuseSecrets(parsed, scheme);
  return scheme;
}

function refuseSecrets({ username, password, searchParams }: URL, { form }: KmsScheme): void {
  const advice = `Pass secrets in "options", where no log sees them; the URL itself looks like ${form}.`;
  if (username !== '' || password !== '') throw invalid(`This URL of a key has a user or password in it. ${advice}`);
  const secret = [...searchParams.keys()].find((name) => SECRET_MEMBERS.has(name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')));
  if (secret !== undefined) throw invalid(`This URL of a key has a secret in its query ("${secret}"). ${advice}`);
}

async function loaded({ package: name, entry = name }: KmsScheme, load: OpenKmsOptions['load']): Promise<unknown> {
  try {
    return await load(entry);
  } catch (error) {
    if (!isMissing(error, name, entry)) throw error;
    throw invalid(`This URL needs the package ${name}, which is not installed: npm install ${name}`, error);
  }
}

/** Exactly this package is not there, as Node says it of import() and of require(); not one of its files, nor what it imports. */
function isMissing(error: unknown, name: string, entry: string): boolean {
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
  if (typeof message !== 'string') return false;
  return (
    (code === 'ERR_MODULE_NOT_FOUND' && message.startsWith(`Cannot find package '${name}'`)) ||
    (code === 'MODULE_NOT_FOUND' && message.startsWith(`Cannot find module '${entry}'`))
  );
}

function openerOf(module: unknown, { package: name }: KmsScheme): OpenKmsUrl {
  const { openKmsUrl } = (typeof module === 'object' && module !== null ? module : {}) as { readonly openKmsUrl?: OpenKmsUrl };
  if (typeof openKmsUrl === 'function') return openKmsUrl;
  throw invalid(`What "load" gave for ${name} opens no URLs: it has no openKmsUrl(). Give the module itself, in a version that has it.`);
}

function forms(): string {
  return [...SCHEMES.values()].map(({ form }) => form).join(', ');
}

function invalid(message: string, cause?: unknown): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', message, { cause });
}
