import { KMS } from '@aws-sdk/client-kms';
import { kmsClientConformance, type KmsConformanceOptions } from '@keyfold/testkit';
import { AwsKmsServer, type Fault } from '@keyfold/testkit/aws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsKms, type AwsKmsOptions } from '../src/index.ts';
import type { AwsKmsClient } from '../src/aws-kms-client.ts';
import { REGION } from './support/constants.ts';
import { Proxy } from './support/proxy.ts';

interface Subject {
  readonly client: AwsKmsClient;
  readonly other: AwsKmsClient;
  readonly name: string;
  readonly keyId: string;
}

let server: AwsKmsServer;
let proxy: Proxy;
let admin: KMS;
let made = 0;

beforeAll(async () => {
  server = await AwsKmsServer.start({ region: REGION, backgroundMs: 1 });
  proxy = new Proxy(server.endpoint);
  await proxy.open();
  admin = new KMS({ region: REGION, endpoint: server.endpoint, credentials: { ...server.credentials } });
});

afterAll(async () => {
  admin.destroy();
  await proxy.close();
  await server.close();
});

function open(keyId: string, options: Partial<AwsKmsOptions> = {}): Promise<AwsKmsClient> {
  const credentials = { ...server.credentials };
  return AwsKms.open({ keyId, region: REGION, endpoint: proxy.endpoint, clientOptions: { credentials }, ...options });
}

/** For every operation, or those named, until it is undone. */
function fault(effect: Fault, operations: readonly (string | undefined)[] = [undefined]): () => () => void {
  return () => {
    const injected = operations.map((operation) => server.faults.inject({ ...effect, operation, count: 'always' }));
    return () => {
      for (const each of injected) each.remove();
    };
  };
}

const COMMON: Omit<KmsConformanceOptions<Subject>, 'setUp'> = {
  capabilities: { authenticatedWraps: true, contextBinding: 'native', rotation: true, versions: true },
  calls: () => server.requests.count(),
  credentials: () => [server.credentials.secretAccessKey],
  additionalCodes: ['KEY_NOT_ALLOWED'],
  faults: {
    denied: fault({ kind: 'error', status: 400, code: 'AccessDeniedException' }),
    unauthenticated: fault({ kind: 'expired-credentials' }),
    throttled: fault({ kind: 'throttle' }),
    disabled: async ({ keyId }) => {
      await admin.disableKey({ KeyId: keyId });
      return () => admin.enableKey({ KeyId: keyId });
    },
    notFound: fault({ kind: 'error', status: 400, code: 'NotFoundException' }),
    wrongUsage: fault({ kind: 'error', status: 400, code: 'InvalidKeyUsageException' }, ['Encrypt', 'Decrypt', 'GenerateDataKey']),
    serverError: fault({ kind: 'html-503' }),
    refused: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    reset: fault({ kind: 'reset' }),
    garbage: fault({ kind: 'truncate', bytes: 7 }),
    wrongKey: fault({ kind: 'wrong-key-id' }),
    shortKey: fault({ kind: 'short-key' }),
    hanging: fault({ kind: 'hang' }),
  },
};

describe('a key keeps the promises of a KmsClient', () => {
  const onDemand = { strategy: 'on-demand', pollMs: 5 } as const;
  const suite = kmsClientConformance<Subject>({
    ...COMMON,
    setUp: async () => {
      const { arn, keyId } = server.createKey();
      return { client: await open(arn, { rotation: onDemand }), other: await open(server.createKey().keyId, { rotation: onDemand }), name: arn, keyId };
    },
    reopen: ({ name }) => open(name),
    faults: { ...COMMON.faults, rotationLimit: fault({ kind: 'error', status: 400, code: 'LimitExceededException' }, ['RotateKeyOnDemand']) },
  });

  it.each(suite.cases)('$title', async ({ run }) => run());

  it('nothing is left unproven that a test could prove', () => {
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual(['capabilities.authenticatedWraps']);
  });
});

describe('an alias keeps the promises of a KmsClient', () => {
  const suite = kmsClientConformance<Subject>({
    ...COMMON,
    setUp: async () => {
      made++;
      const name = `alias/app-${made}`;
      const { keyId } = server.createKey({ alias: name });
      server.createKey({ alias: `${name}/other` });
      return { client: await open(name), other: await open(`${name}/other`), name, keyId };
    },
    reopen: ({ name }) => open(name),
    faults: { ...COMMON.faults, rotationLimit: fault({ kind: 'error', status: 400, code: 'LimitExceededException' }, ['CreateKey']) },
  });

  it.each(suite.cases)('$title', async ({ run }) => run());

  it('nothing is left unproven that a test could prove', () => {
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual(['capabilities.authenticatedWraps']);
  });
});

describe('a client that does not rotate keeps the promises of a KmsClient', () => {
  const suite = kmsClientConformance<Subject>({
    capabilities: { ...COMMON.capabilities, rotation: false },
    setUp: async () => {
      const { arn, keyId } = server.createKey();
      return { client: await open(arn, { rotation: { strategy: 'none' } }), other: await open(server.createKey().arn), name: arn, keyId };
    },
  });

  it.each(suite.cases.filter(({ id }) => id.startsWith('rotate.') || id === 'name.declared'))('$title', async ({ run }) => run());
});
