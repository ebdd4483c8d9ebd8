import type { KmsHealth } from '@keyfold/core';
import { MemoryKms, RecordingAuditSink } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../../src/encrypted/encrypted-checkpoint-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { patterned } from '../support/bytes.ts';
import { expectCode, rejection } from '../support/expect-code.ts';

/** Opens with `changes`, which may be what no type permits. */
async function open(changes: Readonly<Record<string, unknown>> = {}): Promise<EncryptedCheckpointStore> {
  const options = { objects: new MemoryObjectStore(), kms: new MemoryKms(), tenant: 'acme', kmsRetry: { attempts: 1 }, ...changes };
  return EncryptedCheckpointStore.open(options);
}

const SINK = new RecordingAuditSink();

describe('open() refuses', () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown option', { encription: {} }, /no option "encription".*Known are: objects, kms/],
    ['no object store', { objects: undefined }, /needs "objects", "kms" and "tenant"/],
    ['no key', { kms: undefined }, /needs "objects", "kms" and "tenant"/],
    ['a key that is a URL', { kms: 'local:keys' }, /needs "objects", "kms"/],
    ['an object that is no key', { kms: {} }, /"kms" did not give a KmsClient/],
    ['a function that gives no key', { kms: () => undefined }, /"kms" did not give a KmsClient/],
    ['a further key that is none', { acceptedKms: [new MemoryKms('b'), null] }, /"acceptedKms" did not give a KmsClient/],
    ['one key twice', { acceptedKms: [new MemoryKms()] }, /name each key once/],
    ['a store of objects without conditional writes', { objects: { capabilities: { conditionalWrites: false } } }, /no conditional writes.*Use another/],
    ['something that is no store of objects', { objects: {} }, /no conditional writes/],
    ['no tenant', { tenant: undefined }, /"tenant" of 1 to 256/],
    ['an empty tenant', { tenant: '' }, /"tenant" of 1 to 256/],
    ['a tenant that is too long', { tenant: 'é'.repeat(129) }, /"tenant" of 1 to 256/],
    ['a tenant that is no text', { tenant: 7 }, /"tenant" of 1 to 256/],
    ['an unknown option of encryption', { encryption: { algoritm: 'aes-256-gcm' } }, /encryption has no option "algoritm"/],
    ['encryption that is a text', { encryption: 'aes-256-gcm' }, /encryption takes an object/],
    ['an unknown algorithm', { encryption: { algorithm: 'aes-128-gcm' } }, /must be one of aes-256-gcm, cobblestone-256, aes-256-cbc-hmac-sha256/],
    ['no accepted algorithm', { encryption: { acceptedAlgorithms: [] } }, /leaves out aes-256-gcm.*Add it/],
    ['accepted algorithms without the one that saves', { encryption: { algorithm: 'aes-256-cbc-hmac-sha256', acceptedAlgorithms: ['aes-256-gcm'] } }, /leaves out aes-256-cbc/],
    ['an unknown accepted algorithm', { encryption: { acceptedAlgorithms: ['aes-256-gcm', 'rot13'] } }, /acceptedAlgorithms must be a list of aes-256-gcm, /],
    ['accepted algorithms that are a text', { encryption: { acceptedAlgorithms: 'aes-256-gcm' } }, /acceptedAlgorithms must be a list/],
    ['a switch that is a text', { encryption: { fipsMode: 'true' } }, /encryption\.fipsMode must be true or false/],
    ['an audit switch that is a text', { encryption: { auditLogging: 'true' } }, /encryption\.auditLogging must be true or false/],
    ['an encryption switch that is a number', { encryption: { enabled: 0 } }, /encryption\.enabled must be true or false/],
    ['an audit without a sink', { encryption: { auditLogging: true } }, /no audit sink\. Pass one/],
    ['a sink without an audit', { encryption: { auditLogging: false }, audit: SINK }, /Leave one of them out/],
    ['an unknown option of keyRotation', { encryption: { keyRotation: { days: 3 } } }, /encryption\.keyRotation has no option "days"/],
    ['keyRotation that is none', { encryption: { keyRotation: null } }, /encryption\.keyRotation takes an object/],
    ['an interval of no days', { encryption: { keyRotation: { intervalDays: 0, autoRotate: false } } }, /days above 0/],
    ['an interval that is a text', { encryption: { keyRotation: { intervalDays: '30', autoRotate: false } } }, /days above 0/],
    ['an interval without end', { encryption: { keyRotation: { maxAgeDays: Infinity, autoRotate: false } } }, /days above 0/],
    ['a greatest age below the interval', { encryption: { keyRotation: { intervalDays: 30, maxAgeDays: 29, autoRotate: false } } }, /not below intervalDays/],
    ['an autoRotate that is a text', { encryption: { keyRotation: { autoRotate: 'false' } } }, /autoRotate must be true or false/],
    ['a negative timeout', { kmsTimeoutMs: -1 }, /kmsTimeoutMs must be a number/],
    ['no timeout at all', { kmsTimeoutMs: Infinity }, /kmsTimeoutMs must be a number/],
    ['retries without an attempt', { kmsRetry: { attempts: 0 } }, /attempts must be a whole number from 1 to 10/],
    ['an unknown option of retries', { kmsRetry: { count: 3 } }, /no retry option "count"/],
    ['a timeout that is a text', { kmsTimeoutMs: '100' }, /kmsTimeoutMs must be a number/],
    ['a negative inline limit', { inlineLimitBytes: -1 }, /whole number from 0 to 262144/],
    ['a huge inline limit', { inlineLimitBytes: 262_145 }, /whole number from 0 to 262144/],
    ['half a byte inline', { inlineLimitBytes: 0.5 }, /whole number from 0 to 262144/],
    ['requireAuthenticatedWraps that is nothing, which is no "false"', { requireAuthenticatedWraps: null }, /requireAuthenticatedWraps must be true or false/],
    ['requireAuthenticatedWraps that is a number', { requireAuthenticatedWraps: 0 }, /requireAuthenticatedWraps must be true or false/],
    ['testKms that is a text', { testKms: 'false' }, /testKms must be true or false/],
    ['an audit sink that takes no events', { audit: {} }, /"audit" has to have record\(\)/],
    ['an audit sink that is nothing', { audit: null }, /"audit" has to have record\(\)/],
    ['a metrics sink that takes no figures', { metrics: { increment: 1 } }, /"metrics" has to have/],
    ['a clock that does not tell the time', { clock: {} }, /"clock" has to have now\(\)/],
    ['further keys that are no list', { acceptedKms: new MemoryKms('b') }, /"acceptedKms" must be a list/],
    ['encryption that is nothing', { encryption: null }, /encryption takes an object/],
    ['an unknown option of keyCache', { keyCache: { maxAge: 5 } }, /keyCache has no option "maxAge"/],
    ['a negative cache', { keyCache: { maxEntries: -1 } }, /maxEntries/],
    ['a metrics prefix that no metric may have', { metricsPrefix: 'a b' }, /metricsPrefix must be/],
    ['an empty metrics prefix', { metricsPrefix: '' }, /metricsPrefix must be/],
  ])('%s: CONFIG_INVALID', async (_, changes, message) => {
    await expectCode(open(changes), 'CONFIG_INVALID', message);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['automatic rotation, the default of keyRotation', { keyRotation: {} }, /autoRotate: false.*rotateKey\(\)/],
    ['automatic rotation', { keyRotation: { autoRotate: true } }, /autoRotate: false/],
    ['FIPS mode', { fipsMode: true }, /fipsMode/],
  ])('%s: NOT_SUPPORTED', async (_, encryption, message) => {
    const error = await expectCode(open({ encryption }), 'NOT_SUPPORTED', message);
    expect(error.message).toMatch(/refuses to open rather than ignore it/);
  });

  test('encryption that is switched off: CONFIG_INVALID, for this store always encrypts', async () => {
    await expectCode(open({ encryption: { enabled: false } }), 'CONFIG_INVALID', /openCheckpointStore\(\)/);
  });

  test('a tenant with a lone surrogate, nothing at all, and null', async () => {
    await expectCode(open({ tenant: 'a\ud800' }), 'INVALID_ARGUMENT', /tenant.*well-formed/);
    await expectCode(EncryptedCheckpointStore.open(undefined as never), 'CONFIG_INVALID', /takes an object/);
    await expectCode(EncryptedCheckpointStore.open(null as never), 'CONFIG_INVALID', /takes an object/);
  });

  test('a key for which anybody could make a wrap, unless that is accepted', async () => {
    class RsaKms extends MemoryKms {
      override readonly capabilities = { authenticatedWraps: false, contextBinding: 'seed', rotation: true, versions: true } as const;
    }
    await expectCode(open({ kms: new RsaKms() }), 'CONFIG_INVALID', /requireAuthenticatedWraps: false/);
    await expectCode(open({ acceptedKms: [new RsaKms('b')] }), 'CONFIG_INVALID', /requireAuthenticatedWraps: false/);
    const store = await open({ kms: new RsaKms(), requireAuthenticatedWraps: false });
    await store.save('a', patterned(10));
    expect(await store.load('a')).toEqual(patterned(10));
  });

  test('with the error of the function that was to give the key, as it is', async () => {
    const error = new Error('no such tenant');
    expect(await rejection(open({ kms: () => Promise.reject(error) }))).toBe(error);
  });
});

test('open() accepts what it carries out', async () => {
  const store = await open({
    acceptedKms: [new MemoryKms('b')],
    encryption: { enabled: true, algorithm: 'cobblestone-256', auditLogging: true, fipsMode: false, keyRotation: { intervalDays: 1, maxAgeDays: 1, autoRotate: false } },
    audit: SINK,
    keyCache: { maxEntries: 1, maxAgeMs: 1, maxUses: 1, maxBytes: 1 },
    kmsTimeoutMs: 2_147_483_647,
    kmsRetry: { attempts: 10, attemptTimeoutMs: 1_000, baseDelayMs: 0, throttledDelayMs: 60_000, maxDelayMs: 0 },
    inlineLimitBytes: 262_144,
    tenant: 't'.repeat(256),
    metricsPrefix: 'my_app2',
  });
  await store.save('a', patterned(10));
  expect(await store.load('a')).toEqual(patterned(10));
});

describe('the test of the KMS by open()', () => {
  const HEALTHY: KmsHealth = { reachable: true, permitted: true, keyEnabled: true, roundTrip: true };
  class ReportingKms extends MemoryKms {
    readonly #health: KmsHealth;

    constructor(health: KmsHealth) {
      super();
      this.#health = health;
    }

    override testConnection(): Promise<KmsHealth> {
      return Promise.resolve(this.#health);
    }
  }

  test.each([
    ['reachable', 'KMS_UNAVAILABLE'],
    ['permitted', 'ACCESS_DENIED'],
    ['keyEnabled', 'KEY_DISABLED'],
    ['roundTrip', 'KMS_PROTOCOL_ERROR'],
  ] as const)('refuses when not %s, with %s and the reason', async (flag, code) => {
    const health = { ...HEALTHY, [flag]: false, problem: { code, message: `The reason is ${flag}.` } };
    await expectCode(open({ kms: new ReportingKms(health) }), code, new RegExp(`did not pass its test.*The reason is ${flag}`));
    const store = await open({ kms: new ReportingKms(health), testKms: false });
    await store.save('a', patterned(10));
  });

  test('refuses with KMS_UNAVAILABLE when the reason is missing or unknown', async () => {
    await expectCode(open({ kms: new ReportingKms({ ...HEALTHY, roundTrip: false }) }), 'KMS_UNAVAILABLE', /gave no reason/);
    const problem = { code: 'EWHATEVER', message: 'Something odd was in the way.' };
    await expectCode(open({ kms: new ReportingKms({ ...HEALTHY, permitted: false, problem }) }), 'KMS_UNAVAILABLE', /Something odd/);
  });

  test('refuses when the KMS throws, and makes no call when told not to', async () => {
    const kms = new MemoryKms();
    kms.fault = () => {
      throw new TypeError('token=secret');
    };
    const error = await expectCode(open({ kms }), 'KMS_UNAVAILABLE');
    expect(error.message).not.toContain('secret');
    kms.calls.clear();
    await open({ kms, testKms: false });
    expect(kms.calls.size).toBe(0);
  });
});
