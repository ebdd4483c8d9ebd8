import type { KeyManagementServiceClient } from '@google-cloud/kms';
import { kmsClientConformance, type KmsConformanceOptions } from '@keyfold/testkit';
import { GcpKmsServer, type Fault } from '@keyfold/testkit/gcp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GcpKms, type GcpKmsOptions } from '../src/index.ts';
import type { GcpKmsClient } from '../src/gcp-kms-client.ts';
import { Proxy } from './support/proxy.ts';
import { administrator, bearer } from './support/server.ts';

interface Subject {
  readonly client: GcpKmsClient;
  readonly other: GcpKmsClient;
  readonly name: string;
}

let server: GcpKmsServer;
let proxy: Proxy;
let admin: KeyManagementServiceClient;

beforeAll(async () => {
  server = await GcpKmsServer.start({ generationMs: 1 });
  proxy = new Proxy(`http://${server.address}`);
  await proxy.open();
  admin = administrator(server);
  await admin.initialize();
});

afterAll(async () => {
  await admin.close();
  await proxy.close();
  await server.close();
});

function open(keyId: string, options: Partial<GcpKmsOptions> = {}): Promise<GcpKmsClient> {
  return GcpKms.open({ keyId, endpoint: proxy.endpoint, clientOptions: { authClient: AUTH }, ...options });
}

/** One object for all: then the keys of a subject share a client, as those of an application do. */
const AUTH = { getRequestHeaders: (): Promise<Headers> => bearer(server.token).getRequestHeaders() };

/** For every operation, or those named, until it is undone. */
function fault(...effects: readonly (readonly [Fault, ...string[]])[]): () => () => void {
  return () => {
    const injected = effects.flatMap(([effect, ...operations]) =>
      (operations.length === 0 ? [undefined] : operations).map((operation) => server.faults.inject({ ...effect, operation, count: 'always' })),
    );
    return () => {
      for (const each of injected) each.remove();
    };
  };
}

async function setStates(name: string, state: 'ENABLED' | 'DISABLED'): Promise<void> {
  const [versions] = await admin.listCryptoKeyVersions({ parent: name });
  for (const version of versions) {
    await admin.updateCryptoKeyVersion({ cryptoKeyVersion: { name: version.name ?? '', state }, updateMask: { paths: ['state'] } });
  }
}

/** gRPC connects again after a pause; until then calls fail at once. */
async function connected({ client }: Subject): Promise<void> {
  await expect.poll(() => client.currentKeyVersion().then(() => true, () => false), { timeout: 20_000 }).toBe(true);
}

const COMMON: Omit<KmsConformanceOptions<Subject>, 'setUp'> = {
  capabilities: { authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true },
  calls: () => server.requests.count(),
  reopen: ({ name }) => open(name),
  credentials: () => [server.token],
  faults: {
    denied: fault([{ kind: 'error', status: 403, code: 'PERMISSION_DENIED' }]),
    unauthenticated: fault([{ kind: 'expired-credentials' }]),
    throttled: fault([{ kind: 'throttle' }]),
    disabled: async ({ name }) => {
      await setStates(name, 'DISABLED');
      return () => setStates(name, 'ENABLED');
    },
    notFound: fault([{ kind: 'error', status: 404, code: 'NOT_FOUND' }]),
    wrongUsage: fault([{ kind: 'error', status: 400, code: 'INVALID_ARGUMENT', message: 'The key has the purpose ASYMMETRIC_SIGN.' }, 'Encrypt', 'Decrypt']),
    serverError: fault([{ kind: 'html-503' }]),
    refused: async (subject) => {
      await proxy.close();
      return async () => {
        await proxy.open();
        await connected(subject);
      };
    },
    reset: (subject) => {
      const undo = fault([{ kind: 'reset' }])();
      return async () => {
        undo();
        await connected(subject);
      };
    },
    garbage: fault([{ kind: 'truncate', bytes: 7 }]),
    // Decrypt names no key in its answers: there another key shows by its bytes.
    wrongKey: fault([{ kind: 'wrong-key-id' }, 'Encrypt', 'GetCryptoKey', 'ListCryptoKeyVersions'], [{ kind: 'wrong-key' }, 'Decrypt']),
    shortKey: fault([{ kind: 'short-key' }]),
    hanging: fault([{ kind: 'hang' }]),
  },
};

describe.each(['SOFTWARE', 'HSM'] as const)('a key of %s keeps the promises of a KmsClient', (protectionLevel) => {
  const rotation = { strategy: 'new-version', pollMs: 2 } as const;
  const suite = kmsClientConformance<Subject>({
    ...COMMON,
    setUp: async () => {
      const [{ name }, other] = [server.createCryptoKey({ protectionLevel }), server.createCryptoKey({ protectionLevel })];
      const subject = { client: await open(name, { rotation }), other: await open(other.name, { rotation }), name };
      await expect.poll(() => subject.client.currentKeyVersion()).toMatchObject({ state: 'enabled' });
      return subject;
    },
  });

  it.each(suite.cases)('$title', async ({ run }) => run());

  it('nothing is left unproven that a test could prove', () => {
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual(['capabilities.authenticatedWraps', 'faults.rotationLimit']);
  });
});

describe('a client that does not rotate keeps the promises of a KmsClient', () => {
  const none = { rotation: { strategy: 'none' } } as const;
  const suite = kmsClientConformance<Subject>({
    capabilities: { ...COMMON.capabilities, rotation: false },
    setUp: async () => {
      const { name } = server.createCryptoKey();
      return { client: await open(name, none), other: await open(server.createCryptoKey().name, none), name };
    },
  });

  it.each(suite.cases.filter(({ id }) => id.startsWith('rotate.') || id === 'name.declared'))('$title', async ({ run }) => run());
});
