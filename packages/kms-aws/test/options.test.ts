import { describe, expect, test } from 'vitest';
import { KMS, KMSClient } from '@aws-sdk/client-kms';
import { AwsKms, type AwsKmsOptions } from '../src/index.ts';
import { checkOptions } from '../src/options.ts';
import { clientConfig } from '../src/make-client.ts';
import { CREDENTIALS, KEY_ARN, REGION } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

const key = { keyId: KEY_ARN, clientOptions: { credentials: CREDENTIALS } };
const sdkClient = new KMS({ region: REGION, credentials: CREDENTIALS });

function settings(options: AwsKmsOptions): Parameters<typeof clientConfig>[0] {
  const { client } = checkOptions(options);
  if ('generateDataKey' in client) expect.fail('a client was given');
  return client;
}

describe('options that cannot be meant are refused before anything is asked', () => {
  test.each<[string, object | undefined, RegExp]>([
    ['an unknown option', { ...key, regoin: 'x' }, /no option "regoin"/],
    ['no key', {}, /keyId must be a string/],
    ['a key that is none', { keyId: 'no such thing' }, /key ARN/],
    ['a region that is none', { ...key, region: 'eu west' }, /region/],
    ['the region of another key', { ...key, region: 'us-east-1' }, /of the region eu-west-1, but the client is of us-east-1/],
    ['an endpoint that is no URL', { ...key, endpoint: 'kms' }, /https URL/],
    ['an endpoint with a password', { ...key, endpoint: 'https://a:b@kms.example' }, /password/],
    ['http to another machine', { ...key, endpoint: 'http://kms.example:4566' }, /in clear/],
    ['http to a name that only begins like this machine', { ...key, endpoint: 'http://localhost.example' }, /in clear/],
    ['FIPS and an endpoint', { ...key, endpoint: 'https://kms.example', fips: true }, /FIPS/],
    ['fips that is no boolean', { ...key, fips: 'yes' }, /fips must be a boolean/],
    ['a time limit of nothing', { ...key, requestTimeoutMs: 0 }, /requestTimeoutMs/],
    ['a time limit beyond what a timer takes', { ...key, connectTimeoutMs: 2 ** 31 }, /connectTimeoutMs/],
    ['retries of its own', { ...key, clientOptions: { maxAttempts: 5 } }, /retries are made in one place/],
    ['a retry mode of its own', { ...key, clientOptions: { retryMode: 'adaptive' } }, /retries are made in one place/],
    ['a misspelt client option, which would leave its default', { ...key, clientOptions: { credential: CREDENTIALS } }, /no option clientOptions\."credential".*pass client/],
    ['an endpoint past the check of its protocol', { ...key, clientOptions: { endpoint: 'http://kms.example' } }, /clientOptions\."endpoint"/],
    ['a logger, which would see requests', { ...key, clientOptions: { logger: console } }, /clientOptions\."logger"/],
    ['client options that are none', { ...key, clientOptions: 'x' }, /clientOptions must be an object/],
    ['credentials that are none', { ...key, clientOptions: { credentials: 'AKIA' } }, /clientOptions\.credentials/],
    ['no credentials, written down', { ...key, clientOptions: { credentials: null } }, /clientOptions\.credentials/],
    ['a request handler that is none', { ...key, clientOptions: { requestHandler: null } }, /clientOptions\.requestHandler/],
    ['times for a request handler that has its own', { ...key, requestTimeoutMs: 1, clientOptions: { requestHandler: { handle: () => undefined } } }, /requestTimeoutMs.*requestHandler/],
    ['a profile that is none', { ...key, clientOptions: { profile: 1 } }, /clientOptions\.profile/],
    ['dual stack that is no boolean', { ...key, clientOptions: { useDualstackEndpoint: 'no' } }, /clientOptions\.useDualstackEndpoint/],
    ['an endpoint that is no text', { ...key, endpoint: new URL('https://kms.example') }, /https URL/],
    ['a time limit as text', { ...key, requestTimeoutMs: '1000' }, /requestTimeoutMs/],
    ['a client of nothing', { keyId: KEY_ARN, client: null }, /client must be/],
    ['a clock that is none', { ...key, clock: {} }, /clock/],
    ['a wait as text', { ...key, rotation: { strategy: 'on-demand', pollMs: '5' } }, /pollMs/],
    ['a misspelt member of the rotation', { ...key, rotation: { strategy: 'on-demand', pollMS: 5 } }, /rotation\."pollMS"/],
    ['a member of another strategy', { ...key, rotation: { strategy: 'none', periodDays: 90 } }, /rotation\."periodDays"/],
    ['a rotation of nothing', { ...key, rotation: null }, /rotation/],
    ['a rotation as text', { ...key, rotation: 'none' }, /rotation/],
    ['no options', undefined, /object/],
    ['settings for a client that is given', { keyId: KEY_ARN, client: sdkClient, region: REGION }, /region is a setting of the client/],
    ['a KMSClient, whose commands are of one SDK version', { keyId: KEY_ARN, client: new KMSClient({ region: REGION }) }, /KMS of @aws-sdk\/client-kms \(not KMSClient\)/],
    ['an empty test tenant', { ...key, testTenant: '' }, /testTenant/],
    ['the alias strategy for a key', { ...key, rotation: { strategy: 'alias' } }, /must be an alias/],
    ['an unknown strategy', { ...key, rotation: { strategy: 'yearly' } }, /rotation.strategy/],
    ['a wait that never looks', { ...key, rotation: { strategy: 'on-demand', pollMs: 0 } }, /pollMs/],
    ['a wait of no time', { ...key, rotation: { strategy: 'on-demand', timeoutMs: Number.NaN } }, /timeoutMs/],
    ['a multi-Region identity for a key of one region', { ...key, multiRegion: true }, /no multi-Region key/],
    ['a name of every region that is to be of one', { keyId: 'arn:aws:kms:*:111122223333:key/mrk-1', region: REGION, multiRegion: false }, /contradicts/],
    ['a name of every region that no multi-Region key has', { keyId: 'arn:aws:kms:*:111122223333:key/1', region: REGION }, /no multi-Region key/],
  ])('%s', async (_, options, message) => {
    const error = await failure('CONFIG_INVALID', () => AwsKms.open(options as AwsKmsOptions));
    expect(error.message).toMatch(message);
  });

  test.each([0, 30, 89, 2_561, 90.5, Number.NaN])('automatic rotation every %d days, with the way to shorter ones', async (periodDays) => {
    const error = await failure('CONFIG_INVALID', () => AwsKms.open({ ...key, rotation: { strategy: 'automatic', periodDays } }));
    expect(error.message).toMatch(/90 to 2560 days.*every 30 days.*strategy: "alias"/);
  });

  test.each([90, 365, 2_560])('automatic rotation every %d days is taken', (periodDays) => {
    expect(checkOptions({ ...key, rotation: { strategy: 'automatic', periodDays } }).rotation).toEqual({ strategy: 'automatic', periodDays });
  });
});

describe('the SDK\'s client', () => {
  test('does not retry and ends requests that take too long', () => {
    expect(clientConfig(settings(key))).toMatchObject({
      region: REGION,
      maxAttempts: 1,
      retryMode: 'standard',
      requestHandler: { requestTimeout: 10_000, connectionTimeout: 3_000, throwOnRequestTimeout: true },
    });
  });

  test('keeps ending them when the user sets up agents and times of his own', () => {
    const requestHandler = { requestTimeout: 500, throwOnRequestTimeout: false, httpsAgent: { maxSockets: 3 } };
    expect(clientConfig(settings({ keyId: KEY_ARN, clientOptions: { requestHandler } })).requestHandler).toEqual({
      connectionTimeout: 3_000, requestTimeout: 500, httpsAgent: { maxSockets: 3 }, throwOnRequestTimeout: true,
    });
  });

  test('takes a request handler of the user\'s as it is', () => {
    const requestHandler = { handle: () => Promise.reject(new Error('unused')) };
    expect(clientConfig(settings({ keyId: KEY_ARN, clientOptions: { requestHandler } })).requestHandler).toBe(requestHandler);
  });

  test.each(['http://localhost:4566', 'http://127.0.0.1:1', 'http://[::1]:1', 'https://vpce-1.kms.eu-west-1.vpce.amazonaws.com'])('may have the endpoint %s', (endpoint) => {
    expect(clientConfig(settings({ ...key, endpoint }))).toMatchObject({ endpoint });
  });

  test('may be told that http on another machine is an emulator', () => {
    expect(clientConfig(settings({ ...key, endpoint: 'http://localstack:4566', allowPlaintextHttp: true }))).toMatchObject({ endpoint: 'http://localstack:4566' });
  });

  test('leaves the region to the SDK when neither it nor an ARN says one', () => {
    expect(clientConfig(settings({ keyId: 'alias/app' }))).not.toHaveProperty('region');
  });
});

describe('a key ARN', () => {
  test('opens without a call, so that a service that is down keeps nobody from starting', async () => {
    const kms = await AwsKms.open({ ...key, endpoint: 'http://127.0.0.1:1' });
    expect(kms.keyId).toBe(KEY_ARN);
    await kms.close();
  });

  test('of every region takes that of the client', async () => {
    const kms = await AwsKms.open({ keyId: 'arn:aws:kms:*:111122223333:key/mrk-1', region: 'us-east-1', clientOptions: key.clientOptions });
    expect(kms.keyId).toBe('arn:aws:kms:*:111122223333:key/mrk-1');
    await kms.close();
  });

  test('of a multi-Region key can be kept to its region', async () => {
    const arn = 'arn:aws:kms:eu-west-1:111122223333:key/mrk-1';
    const kms = await AwsKms.open({ keyId: arn, multiRegion: false, clientOptions: key.clientOptions });
    expect(kms.keyId).toBe(arn);
    await kms.close();
  });

  test.each([['alias' as const, true, 'alias/app'], ['on-demand' as const, true, KEY_ARN], ['none' as const, false, KEY_ARN]])('with the strategy %s says whether it rotates', async (strategy, rotation, name) => {
    const keyId = name.startsWith('alias/') ? `arn:aws:kms:eu-west-1:111122223333:${name}` : name;
    const kms = await AwsKms.open({ keyId, multiRegion: false, rotation: { strategy }, clientOptions: key.clientOptions });
    expect(kms.capabilities).toEqual({ authenticatedWraps: true, contextBinding: 'native', rotation, versions: true });
    await kms.close();
  });
});
