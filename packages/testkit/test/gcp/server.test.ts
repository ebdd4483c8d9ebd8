import { ManualClock } from '@keyfold/core/testing';
import { isKeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { GcpKmsServer, type Fault, type GcpKmsServerOptions } from '../../src/gcp.ts';
import { loadService } from '../../src/gcp/wire/protos.ts';
import { as, checksum, clientOf, ONCE, refused, startServer, type Kms } from '../support/gcp.ts';

async function scene(options: GcpKmsServerOptions = {}): Promise<{ server: GcpKmsServer; kms: Kms; name: string }> {
  const server = await startServer(options);
  return { server, kms: await clientOf(server), name: server.createCryptoKey().name };
}

async function codeOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
  } catch (error) {
    if (isKeyfoldError(error)) return error.code;
    throw error;
  }
  return undefined;
}

const WRONG_OPTIONS: readonly GcpKmsServerOptions[] = [
  { project: 'P' }, { location: 'Europe' }, { generationMs: -1 }, { generationMs: 0.5 }, { port: -1 }, { port: 65_536 }, { token: 'a b' },
  { principals: [{ token: 'x' }, { token: 'x' }] }, { principals: [{ roles: ['roles/owner' as 'roles/cloudkms.admin'] }] }, { principals: [{ permissions: ['cloudkms.everything'] }] },
];

describe('a server', () => {
  it.each(WRONG_OPTIONS)('refuses the options %j', async (options) => {
    expect(await codeOf(() => GcpKmsServer.start(options))).toBe('CONFIG_INVALID');
  });

  it('refuses a port that is taken, and names that are none or taken', async () => {
    const { server } = await scene();
    expect(await codeOf(() => GcpKmsServer.start({ port: server.port }))).toBe('CONFIG_INVALID');
    expect(await codeOf(() => server.createCryptoKey({ id: 'a b' }))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => server.createCryptoKey({ id: 'key-1' }))).toBe('INVALID_ARGUMENT');
  });

  it('says what to install where the SDK with its protos is not', () => {
    expect(() => loadService([import.meta.url], '@google-cloud/none/protos.json')).toThrow(/npm install --save-dev @google-cloud\/kms/);
  });

  it('ends hanging calls when it is closed, and can be closed again', async () => {
    const { server, kms, name } = await scene();
    const hang = server.faults.inject({ kind: 'hang' });
    const waiting = refused(kms.getCryptoKey({ name }, ONCE), 14);
    await expect.poll(() => hang.hits).toBe(1);
    await server.close();
    await waiting;
    await server.close();
  });
});

describe('a principal', () => {
  const get = (kms: Kms, name: string, token?: string): Promise<unknown> => kms.getCryptoKey({ name }, token === undefined ? ONCE : as(token));

  it('is known by its token; without one everything is permitted unless a token is required', async () => {
    const open = await scene();
    await get(open.kms, open.name);
    await get(open.kms, open.name, open.server.token);
    await refused(get(open.kms, open.name, 'unknown'), 16, /authentication credentials/);
    expect(open.server.requests.list().map(({ principal, outcome, status }) => [principal, outcome, status])).toEqual([['anonymous', 'ok', 0], ['admin', 'ok', 0], [undefined, 'UNAUTHENTICATED', 16]]);
    const strict = await scene({ requireToken: true, token: 'secret' });
    await refused(get(strict.kms, strict.name), 16);
    await get(strict.kms, strict.name, 'secret');
  });

  it('is refused from the moment at which its token expires', async () => {
    const tokenClock = new ManualClock(1_000_000);
    const { server, kms, name } = await scene({ tokenClock });
    const token = server.addPrincipal({ expiration: new Date(2_000_000) });
    await get(kms, name, token);
    tokenClock.advance(1_000_000);
    await refused(get(kms, name, token), 16);
  });

  it('may do what its roles and permissions say, on what they are granted on', async () => {
    const { server, kms, name } = await scene();
    const other = server.createCryptoKey({ keyRing: 'other' }).name;
    const plaintext = Buffer.from('x');
    const encrypter = server.addPrincipal({ roles: ['roles/cloudkms.cryptoKeyEncrypter'], resources: [name] });
    const [{ ciphertext = null }] = await kms.encrypt({ name, plaintext }, as(encrypter));
    await refused(kms.decrypt({ name, ciphertext }, as(encrypter)), 7, /cloudkms\.cryptoKeyVersions\.useToDecrypt/);
    await refused(kms.encrypt({ name: other, plaintext }, as(encrypter)), 7);
    await refused(kms.encrypt({ name: `${name}2`, plaintext }, as(encrypter)), 7);
    const ring = server.addPrincipal({ permissions: ['cloudkms.cryptoKeys.get'], resources: [name.replace(/\/cryptoKeys.*/, '')] });
    await get(kms, name, ring);
    await refused(get(kms, other, ring), 7);
    const admin = server.addPrincipal({ name: 'ops', roles: ['roles/cloudkms.admin'] });
    await kms.createCryptoKeyVersion({ parent: name }, as(admin));
    await refused(kms.encrypt({ name, plaintext }, as(admin)), 7);
    expect(server.requests.list().at(-1)).toMatchObject({ principal: 'ops', operation: 'Encrypt', keys: [name], outcome: 'PERMISSION_DENIED', status: 7 });
  });
});

describe('a fault', () => {
  const plaintext = Buffer.alloc(32, 7);
  const encrypt = async ({ kms, name }: { kms: Kms; name: string }) => (await kms.encrypt({ name, plaintext, plaintextCrc32c: checksum(plaintext) }, ONCE))[0];

  it.each([
    [{ kind: 'error', status: 409, code: 'ABORTED', message: 'somebody else' }, 10, /^somebody else$/],
    [{ kind: 'error', status: 500, code: 'INTERNAL' }, 13, /./],
    [{ kind: 'error', status: 500, code: 'NO_SUCH_STATUS' }, 2, /./],
    [{ kind: 'error', status: 500, code: 'OK' }, 2, /./],
    [{ kind: 'throttle' }, 8, /Quota/],
    [{ kind: 'html-503' }, 14, /503/],
    [{ kind: 'expired-credentials' }, 16, /./],
    [{ kind: 'reset' }, 14, /./],
  ] as const)('%j answers with its status, once', async (fault, code, words) => {
    const all = await scene();
    const injected = all.server.faults.inject(fault);
    await refused(encrypt(all), code, words);
    expect(injected).toMatchObject({ hits: 1, active: false });
    await expect.poll(() => encrypt(all).then(() => true, () => false), { timeout: 20_000 }).toBe(true);
    expect(all.server.requests.list()[0]?.fault).toBe(fault.kind);
  });

  it('loses the request, or only its answer', async () => {
    const { server, kms, name } = await scene();
    const lost: Promise<void>[] = [];
    for (const when of ['before', 'after'] as const) {
      const hang = server.faults.inject({ kind: 'hang', when, operation: 'CreateCryptoKeyVersion' });
      lost.push(refused(kms.createCryptoKeyVersion({ parent: name }, { ...ONCE, timeout: 600_000 }), 14));
      await expect.poll(() => hang.hits).toBe(1);
    }
    expect((await kms.listCryptoKeyVersions({ parent: name }, ONCE))[0]).toHaveLength(2);
    expect(server.requests.list('CreateCryptoKeyVersion').map(({ outcome, status }) => [outcome, status])).toEqual([['not carried out', undefined], ['ok', undefined]]);
    expect(server.cancelled).toBe(0);
    await server.close();
    await Promise.all(lost);
  });

  it('makes a request wait, and is then out of the way', async () => {
    const all = await scene();
    const latency = all.server.faults.inject({ kind: 'latency', ms: 1 });
    await encrypt(all);
    expect(latency.hits).toBe(1);
  });

  it('changes keys, names and checksums in answers', async () => {
    const all = await scene();
    const { server, kms, name } = all;
    const { ciphertext = null } = await encrypt(all);
    const decrypt = async (fault: Fault): Promise<{ bytes: Buffer; right: boolean }> => {
      server.faults.inject(fault);
      const [opened] = await kms.decrypt({ name, ciphertext }, ONCE);
      return { bytes: Buffer.from(opened.plaintext ?? ''), right: Number(opened.plaintextCrc32c?.value) === checksum(plaintext).value };
    };
    const other = await decrypt({ kind: 'wrong-key' });
    expect(other).toMatchObject({ right: true });
    expect(other.bytes).toHaveLength(32);
    expect(other.bytes).not.toEqual(plaintext);
    expect(await decrypt({ kind: 'short-key' })).toEqual({ bytes: plaintext.subarray(0, 16), right: true });
    expect(await decrypt({ kind: 'wrong-crc' })).toEqual({ bytes: plaintext, right: false });
    expect(await decrypt({ kind: 'wrong-key-id' })).toEqual({ bytes: plaintext, right: true });
    expect(await decrypt({ kind: 'omit', members: ['plaintextCrc32c'] })).toEqual({ bytes: plaintext, right: false });
    for (const kind of ['wrong-key', 'short-key'] as const) {
      server.faults.inject({ kind });
      expect((await encrypt(all)).verifiedPlaintextCrc32c).toBe(false);
    }
    server.faults.inject({ kind: 'wrong-key-id' });
    expect((await encrypt(all)).name).toBe(name.replace('key-1', 'another/cryptoKeyVersions/1'));
    server.faults.inject({ kind: 'wrong-key-id' });
    expect((await kms.getCryptoKey({ name }, ONCE))[0].name).toBe(name.replace('key-1', 'another'));
    server.faults.inject({ kind: 'omit', members: ['state'] });
    expect((await kms.getCryptoKey({ name }, ONCE))[0].primary?.state).toBe('CRYPTO_KEY_VERSION_STATE_UNSPECIFIED');
    server.faults.inject({ kind: 'wrong-key' });
    expect((await kms.getCryptoKey({ name }, ONCE))[0].name).toBe(name);
  });

  it('cuts an answer short, which the SDK takes for whole', async () => {
    const all = await scene();
    all.server.faults.inject({ kind: 'truncate', bytes: 7 });
    expect(await encrypt(all)).toMatchObject({ name: 'proje', verifiedPlaintextCrc32c: false, ciphertextCrc32c: null });
    all.server.faults.inject({ kind: 'truncate' });
    const { name } = await encrypt(all);
    expect(name).not.toBe(`${all.name}/cryptoKeyVersions/1`);
    expect(`${all.name}/cryptoKeyVersions/1`.startsWith(String(name))).toBe(true);
  });

  it('shows no key in the request log', async () => {
    const all = await scene();
    await encrypt(all);
    expect(JSON.stringify(all.server.requests.list())).not.toContain(plaintext.toString('base64'));
  });
});
