import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';
import { checkClientOptions, type AwsKmsClientOptions } from './client-options.ts';
import { parseName, type ParsedName } from './key-name.ts';
import { checkRotation, type AwsRotation, type CheckedRotation } from './rotation/strategy.ts';
import type { AwsKmsApi } from './sdk.ts';

/** How to reach a key of AWS KMS. */
export interface AwsKmsOptions {
  /** A key ARN, key id, alias ARN or alias name (`alias/app`). */
  readonly keyId: string;
  /** Default: that of the ARN, else the SDK's own (AWS_REGION, profile). */
  readonly region?: string | undefined;
  /** An https URL instead of AWS's own, e.g. of a VPC endpoint; http to this machine only. */
  readonly endpoint?: string | undefined;
  /** Use AWS's FIPS 140 endpoints. Default: what the SDK's configuration says. */
  readonly fips?: boolean | undefined;
  /** Settings for the SDK's client that is made here. */
  readonly clientOptions?: AwsKmsClientOptions | undefined;
  /** An instance of the SDK's `KMS` class instead; it stays yours to close. */
  readonly client?: AwsKmsApi | undefined;
  /** Default: `alias` for an alias, `on-demand` for a key. */
  readonly rotation?: AwsRotation | undefined;
  /** Whether stored names are those of all regions. Default: as the key is. */
  readonly multiRegion?: boolean | undefined;
  /** Milliseconds until a request fails. Default: 10,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds until a connection must stand. Default: 3,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Permits an http endpoint on another machine. Data keys then cross the network in clear: for emulators. Default: false. */
  readonly allowPlaintextHttp?: boolean | undefined;
  /** The tenant in the encryption context of testConnection(). Default: `keyfold`. */
  readonly testTenant?: string | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

/** What a client is made of here, checked. */
export interface ClientSettings {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly fips: boolean | undefined;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly allowPlaintextHttp: boolean;
  readonly clientOptions: AwsKmsClientOptions;
}

/** The options, checked, with every default filled in. */
export interface CheckedOptions {
  readonly name: ParsedName;
  readonly rotation: CheckedRotation;
  readonly multiRegion: boolean | undefined;
  readonly testTenant: string;
  readonly clock: Clock;
  /** One of yours, or what to make. */
  readonly client: AwsKmsApi | ClientSettings;
  readonly owned: boolean;
}

const DEFAULTS = { requestTimeoutMs: 10_000, connectTimeoutMs: 3_000, testTenant: 'keyfold', clock: systemClock } as const;

/** Every option of AwsKms.open(). */
export const OPTION_NAMES: ReadonlySet<string> = new Set<keyof AwsKmsOptions>([
  'keyId', 'region', 'endpoint', 'fips', 'clientOptions', 'client', 'rotation', 'multiRegion',
  'requestTimeoutMs', 'connectTimeoutMs', 'allowPlaintextHttp', 'testTenant', 'clock',
]);
/** What only makes sense for a client that is made here. */
const CLIENT_SETTINGS = ['region', 'endpoint', 'fips', 'clientOptions', 'requestTimeoutMs', 'connectTimeoutMs', 'allowPlaintextHttp'] as const;
const REGION = /^[a-z0-9-]{1,64}$/;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws KeyfoldError CONFIG_INVALID */
export function checkOptions(options: AwsKmsOptions): CheckedOptions {
  if (typeof options !== 'object' || (options as unknown) === null) throw invalid('the options must be an object.');
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.has(name));
  if (unknown !== undefined) throw invalid(`There is no option ${JSON.stringify(unknown)}.`);
  if (typeof options.keyId !== 'string') throw invalid('keyId must be a string.');
  const name = parseName(options.keyId);
  const { multiRegion, testTenant = DEFAULTS.testTenant, clock = DEFAULTS.clock } = options;
  requireType(multiRegion, 'boolean', 'multiRegion');
  if (typeof testTenant !== 'string' || testTenant === '') throw invalid('testTenant must be a tenant.');
  if (typeof (clock as Partial<Clock> | null)?.now !== 'function') throw invalid('clock must be an object with now().');
  const checked = { name, rotation: checkRotation(options.rotation, name.kind), multiRegion, testTenant, clock };
  return options.client === undefined
    ? { ...checked, client: checkSettings(options, name), owned: true }
    : { ...checked, client: checkClient(options.client, options), owned: false };
}

function checkClient(client: AwsKmsApi, options: AwsKmsOptions): AwsKmsApi {
  const extra = CLIENT_SETTINGS.find((name) => options[name] !== undefined);
  if (extra !== undefined) throw invalid(`${extra} is a setting of the client: give it to the one that you pass, or pass no client.`);
  if (typeof (client as Partial<AwsKmsApi> | null)?.generateDataKey !== 'function') {
    throw invalid('client must be an instance of the class KMS of @aws-sdk/client-kms (not KMSClient).');
  }
  return client;
}

function checkSettings(options: AwsKmsOptions, name: ParsedName): ClientSettings {
  const { region, endpoint, fips, clientOptions = {}, requestTimeoutMs = DEFAULTS.requestTimeoutMs, connectTimeoutMs = DEFAULTS.connectTimeoutMs } = options;
  if (region !== undefined && !(typeof region === 'string' && REGION.test(region))) throw invalid('region must be the name of an AWS region, such as eu-west-1.');
  requireType(fips, 'boolean', 'fips');
  requireType(options.allowPlaintextHttp, 'boolean', 'allowPlaintextHttp');
  requireTimeout(requestTimeoutMs, 'requestTimeoutMs');
  requireTimeout(connectTimeoutMs, 'connectTimeoutMs');
  if (endpoint !== undefined) requireSafeEndpoint(endpoint, options.allowPlaintextHttp === true);
  if (endpoint !== undefined && fips === true) throw invalid('fips chooses among AWS\'s own endpoints: with an endpoint of your own, name one that is FIPS validated and leave fips out.');
  const named = name.home?.region === '*' ? undefined : name.home?.region;
  return { region: region ?? named, endpoint, fips, requestTimeoutMs, connectTimeoutMs, allowPlaintextHttp: options.allowPlaintextHttp === true, clientOptions: checkClientOptions(clientOptions, options) };
}

/** Data keys come back in clear: only TLS, or a way that never leaves this machine, may carry them. */
function requireSafeEndpoint(endpoint: string, allowPlaintext: boolean): void {
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw invalid('endpoint must be an https URL without a user name or password.');
  }
  if (!allowPlaintext && isPlaintext(url.protocol, url.hostname)) {
    throw invalid('endpoint is http: data keys would cross the network in clear. Use https, or allowPlaintextHttp: true for an emulator.');
  }
}

/** Whether a request would carry data keys in clear to another machine. */
export function isPlaintext(protocol: string, hostname: string): boolean {
  return protocol !== 'https:' && !/^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/.test(hostname);
}

function requireTimeout(ms: number, name: string): void {
  if (typeof ms !== 'number' || !(ms >= 1 && ms <= MAX_TIMEOUT_MS)) throw invalid(`${name} must be 1 to ${MAX_TIMEOUT_MS} milliseconds.`);
}

function requireType(value: unknown, type: 'boolean', name: string): void {
  if (value !== undefined && typeof value !== type) throw invalid(`${name} must be a ${type}.`);
}

function invalid(message: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `AWS KMS: ${message}`);
}
