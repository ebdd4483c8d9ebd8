import { inspect } from 'node:util';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { SecretBytes, type KeyVersion, type WrappedKey } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { LocalKms, type LocalKmsClient } from '../src/index.ts';
import { MAX_VERSIONS, withNewPrimary } from '../src/kek-set.ts';
import { collect, context, place, refusal } from './support/keyring.ts';

async function newClient(): Promise<LocalKmsClient> {
  const { path, key } = place();
  return LocalKms.create(path, { key });
}

async function listed(client: LocalKmsClient): Promise<KeyVersion[]> {
  return collect(client.listKeyVersions());
}

describe('wrapping', () => {
  it('opens what it wrapped, for every key length and context', async () => {
    const client = await newClient();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.dictionary(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,9}$/), fc.string({ unit: 'grapheme' }), { minKeys: 1, maxKeys: 6 }),
        async (plaintext, bound) => {
          const wrapped = await client.encrypt(plaintext, { context: bound });
          expect(wrapped.ciphertext).toHaveLength(72 + plaintext.length);
          expect(await client.decrypt(wrapped, { context: bound })).toEqual(plaintext);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('wraps a 32-byte key in 104 bytes, under names that the port asks for', async () => {
    const client = await newClient();
    const { plaintext, wrapped } = await client.generateDataKey({ context });
    expect(plaintext).toHaveLength(32);
    expect(wrapped).toMatchObject({ provider: 'local', keyId: client.keyId, keyVersion: '1', algorithm: 'keyfold-wrap-v1' });
    expect(wrapped.ciphertext).toHaveLength(104);
    expect(client.keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(client.capabilities).toEqual({ authenticatedWraps: true, contextBinding: 'aad', rotation: true, versions: true });
  });

  it('never gives the same wrap or data key twice', async () => {
    const client = await newClient();
    const made = await Promise.all(Array.from({ length: 50 }, () => client.generateDataKey({ context })));
    expect(new Set(made.map(({ plaintext }) => Buffer.from(plaintext).toString('hex'))).size).toBe(50);
    expect(new Set(made.map(({ wrapped }) => Buffer.from(wrapped.ciphertext).toString('hex'))).size).toBe(50);
  });

  it('gives the caller a fresh copy of the plaintext each time', async () => {
    const client = await newClient();
    const { plaintext, wrapped } = await client.generateDataKey({ context });
    const first = await client.decrypt(wrapped, { context });
    first.fill(0);
    expect(await client.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it.each([0, 65])('refuses to wrap a key of %i bytes', async (length) => {
    const client = await newClient();
    await refusal('INVALID_ARGUMENT', client.encrypt(new Uint8Array(length), { context }));
  });

  it('refuses to wrap what is no Uint8Array', async () => {
    const client = await newClient();
    await refusal('INVALID_ARGUMENT', client.encrypt('a string of some length' as unknown as Uint8Array, { context }));
  });

  it('refuses an encryption context that is none, in both directions', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    await refusal('INVALID_ARGUMENT', client.encrypt(randomBytes(32), { context: {} }));
    await refusal('INVALID_ARGUMENT', client.generateDataKey({ context: { UPPER: 'x' } }));
    await refusal('INVALID_ARGUMENT', client.decrypt(wrapped, { context: { tenant: '\ud800' } }));
    await refusal('INVALID_ARGUMENT', client.encrypt(randomBytes(32), { context: { tenant: 'x'.repeat(5_000) } }));
  });
});

describe('unwrapping refuses', () => {
  it.each([
    ['another value', { tenant: 'b', scope: 'x' }],
    ['a missing member', { tenant: 'a' }],
    ['an additional member', { tenant: 'a', scope: 'x', use: 'audit' }],
    ['a shifted boundary', { tenant: 'ax', scope: '' }],
  ])('a wrap under a context with %s', async (_what, other) => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context: { tenant: 'a', scope: 'x' } });
    await refusal('INVALID_CIPHERTEXT', client.decrypt(wrapped, { context: other }));
  });

  it('a wrap with any bit changed', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    for (let bit = 0; bit < 104 * 8; bit++) {
      const ciphertext = Uint8Array.from(wrapped.ciphertext);
      ciphertext[bit >> 3] = (ciphertext[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await refusal('INVALID_CIPHERTEXT', client.decrypt({ ...wrapped, ciphertext }, { context }));
    }
  });

  it('a wrap cut at any length or extended', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    for (let length = 0; length < 104; length++) {
      const ciphertext = wrapped.ciphertext.subarray(0, length);
      await refusal('INVALID_CIPHERTEXT', client.decrypt({ ...wrapped, ciphertext }, { context }));
    }
    for (const more of [1, 16, 32, 33, 8_000]) {
      const ciphertext = Buffer.concat([wrapped.ciphertext, new Uint8Array(more)]);
      await refusal('INVALID_CIPHERTEXT', client.decrypt({ ...wrapped, ciphertext }, { context }));
    }
  });

  it('another algorithm name', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    await refusal('INVALID_CIPHERTEXT', client.decrypt({ ...wrapped, algorithm: 'keyfold-wrap-v2' }, { context }));
  });

  it("another provider's, another keyring's and an unknown version's wrap", async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    const foreign: Partial<WrappedKey>[] = [
      { provider: 'aws-kms' },
      { keyId: '0'.repeat(32) },
      { keyVersion: '2' },
      { keyVersion: '01' },
      { keyVersion: '' },
    ];
    for (const change of foreign) {
      await refusal('KEY_NOT_FOUND', client.decrypt({ ...wrapped, ...change }, { context }));
    }
  });

  it('a wrap that names another version than the one that made it', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    await client.rotateKey();
    await refusal('INVALID_CIPHERTEXT', client.decrypt({ ...wrapped, keyVersion: '2' }, { context }));
  });
});

describe('versions', () => {
  it('rotation makes a new primary and old wraps still open', async () => {
    const { path, key } = place();
    const client = await LocalKms.create(path, { key, clock: { now: () => 1_000 } });
    const before = await client.generateDataKey({ context });
    expect(await client.rotateKey()).toEqual({ id: '2', createdAt: 1_000, state: 'enabled', primary: true });
    const after = await client.generateDataKey({ context });
    expect(after.wrapped.keyVersion).toBe('2');
    for (const { plaintext, wrapped } of [before, after]) expect(await client.decrypt(wrapped, { context })).toEqual(plaintext);
    expect(await client.currentKeyVersion()).toEqual({ id: '2', createdAt: 1_000, state: 'enabled', primary: true });
    expect(await listed(client)).toEqual([
      { id: '2', createdAt: 1_000, state: 'enabled', primary: true },
      { id: '1', createdAt: 1_000, state: 'enabled', primary: false },
    ]);
  });

  it('survive closing and opening', async () => {
    const { path, key } = place();
    const first = await LocalKms.create(path, { key });
    const { plaintext, wrapped } = await first.generateDataKey({ context });
    await first.rotateKey();
    await first.disableKeyVersion('1');
    await first.close();
    const second = await LocalKms.open(path, { key });
    await refusal('KEY_DISABLED', second.decrypt(wrapped, { context }));
    await second.enableKeyVersion('1');
    expect(await second.decrypt(wrapped, { context })).toEqual(plaintext);
    expect(second.generation).toBe(4);
  });

  it('a disabled version does not unwrap until it is enabled again', async () => {
    const client = await newClient();
    const { plaintext, wrapped } = await client.generateDataKey({ context });
    await client.rotateKey();
    expect(await client.disableKeyVersion('1')).toMatchObject({ id: '1', state: 'disabled', primary: false });
    await refusal('KEY_DISABLED', client.decrypt(wrapped, { context }));
    expect(await client.enableKeyVersion('1')).toMatchObject({ state: 'enabled' });
    expect(await client.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('a disabled primary does not wrap, and rotating helps', async () => {
    const client = await newClient();
    await client.disableKeyVersion('1');
    await refusal('KEY_DISABLED', client.encrypt(randomBytes(32), { context }));
    await refusal('KEY_DISABLED', client.generateDataKey({ context }));
    await client.rotateKey();
    expect((await client.encrypt(randomBytes(32), { context })).keyVersion).toBe('2');
  });

  it('a destroyed version is gone for good, and its id is never used again', async () => {
    const client = await newClient();
    const { wrapped } = await client.generateDataKey({ context });
    await client.rotateKey();
    expect(await client.destroyKeyVersion('1')).toMatchObject({ id: '1', state: 'destroyed', primary: false });
    await refusal('KEY_NOT_FOUND', client.decrypt(wrapped, { context }));
    await refusal('KEY_NOT_FOUND', client.enableKeyVersion('1'));
    await refusal('KEY_NOT_FOUND', client.disableKeyVersion('1'));
    expect(await client.destroyKeyVersion('1')).toMatchObject({ state: 'destroyed' });
    expect(await client.rotateKey()).toMatchObject({ id: '3' });
  });

  it('the primary cannot be destroyed', async () => {
    const client = await newClient();
    await refusal('INVALID_ARGUMENT', client.destroyKeyVersion('1'));
    expect(await client.currentKeyVersion()).toMatchObject({ state: 'enabled' });
  });

  it('an unknown version can be neither disabled, enabled nor destroyed', async () => {
    const client = await newClient();
    await refusal('KEY_NOT_FOUND', client.disableKeyVersion('7'));
    await refusal('KEY_NOT_FOUND', client.enableKeyVersion('7'));
    await refusal('KEY_NOT_FOUND', client.destroyKeyVersion('7'));
  });

  it('a change to the state that is there already writes nothing', async () => {
    const client = await newClient();
    await client.enableKeyVersion('1');
    expect(client.generation).toBe(1);
  });

  it(`a keyring is full at ${MAX_VERSIONS} versions`, async () => {
    const key = SecretBytes.adopt(new Uint8Array(32));
    const versions = Array.from({ length: MAX_VERSIONS - 1 }, (_, index) => ({ id: String(index + 1), state: 'enabled', createdAt: 0, key }) as const);
    const keks = withNewPrimary({ primary: '1', versions }, key, 0);
    expect(keks.primary).toBe(String(MAX_VERSIONS));
    await refusal('ROTATION_LIMIT', () => withNewPrimary(keks, key, 0));
  });

  it('no version follows one with the highest number that can be written', async () => {
    const key = SecretBytes.adopt(new Uint8Array(32));
    const last = { id: String(Number.MAX_SAFE_INTEGER), state: 'enabled', createdAt: 0, key } as const;
    await refusal('ROTATION_LIMIT', () => withNewPrimary({ primary: last.id, versions: [last] }, key, 0));
  });

  it('a clock that gives fractions does no harm', async () => {
    const { path, key } = place();
    const client = await LocalKms.create(path, { key, clock: { now: () => 1_000.75 } });
    expect(await client.rotateKey()).toMatchObject({ createdAt: 1_000 });
    await LocalKms.open(path, { key });
  });

  it.each([Number.NaN, -1, Infinity])('a clock that gives %d is refused before anything is written', async (time) => {
    const { path, key } = place();
    await refusal('INVALID_ARGUMENT', LocalKms.create(path, { key, clock: { now: () => time } }));
    await (await LocalKms.create(path, { key })).close();
    const client = await LocalKms.open(path, { key, clock: { now: () => time } });
    await refusal('INVALID_ARGUMENT', client.rotateKey());
    expect((await LocalKms.open(path, { key })).generation).toBe(1);
  });

  it('rotations of one client at once all happen', async () => {
    const client = await newClient();
    const made = await Promise.all(Array.from({ length: 5 }, () => client.rotateKey()));
    expect(made.map(({ id }) => id).sort()).toEqual(['2', '3', '4', '5', '6']);
  });
});

describe('abort signals', () => {
  it('stop every call before it does anything', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    const signal = AbortSignal.abort();
    await refusal('ABORTED', client.encrypt(randomBytes(32), { context, signal }));
    await refusal('ABORTED', client.generateDataKey({ context, signal }));
    await refusal('ABORTED', client.decrypt(wrapped, { context, signal }));
    await refusal('ABORTED', client.currentKeyVersion({ signal }));
    await refusal('ABORTED', collect(client.listKeyVersions({ signal })));
    await refusal('ABORTED', client.rotateKey({ signal }));
    await refusal('ABORTED', client.disableKeyVersion('1', { signal }));
    await refusal('ABORTED', client.enableKeyVersion('1', { signal }));
    await refusal('ABORTED', client.destroyKeyVersion('1', { signal }));
    expect(client.generation).toBe(1);
    expect(await client.testConnection({ signal })).toMatchObject({ roundTrip: false, problem: { code: 'ABORTED' } });
  });

  it('stop a list between two versions', async () => {
    const client = await newClient();
    await client.rotateKey();
    const controller = new AbortController();
    const list = client.listKeyVersions({ signal: controller.signal });
    expect(await list.next()).toMatchObject({ value: { id: '2' } });
    controller.abort();
    await refusal('ABORTED', list.next());
  });
});

describe('close()', () => {
  it('ends every later call with CLOSED, and may be called twice', async () => {
    const client = await newClient();
    const wrapped = await client.encrypt(randomBytes(32), { context });
    await client.close();
    await client.close();
    await refusal('CLOSED', client.encrypt(randomBytes(32), { context }));
    await refusal('CLOSED', client.generateDataKey({ context }));
    await refusal('CLOSED', client.decrypt(wrapped, { context }));
    await refusal('CLOSED', client.currentKeyVersion());
    await refusal('CLOSED', listed(client));
    await refusal('CLOSED', client.rotateKey());
    await refusal('CLOSED', client.destroyKeyVersion('1'));
    expect(await client.testConnection()).toMatchObject({ reachable: false, problem: { code: 'CLOSED' } });
  });

  it('waits for a rotation that is under way', async () => {
    const { path, key } = place();
    const client = await LocalKms.create(path, { key });
    const rotation = client.rotateKey();
    await client.close();
    expect(await rotation).toMatchObject({ id: '2' });
    expect(await (await LocalKms.open(path, { key })).currentKeyVersion()).toMatchObject({ id: '2' });
  });

  it('makes a call that was waiting for the file end with CLOSED', async () => {
    const client = await newClient();
    const call = refusal('CLOSED', client.encrypt(randomBytes(32), { context }));
    await client.close();
    await call;
  });
});

describe('testConnection()', () => {
  it('reports a round trip', async () => {
    const client = await newClient();
    expect(await client.testConnection()).toEqual({ reachable: true, permitted: true, keyEnabled: true, roundTrip: true });
  });

  it('reports a disabled primary', async () => {
    const client = await newClient();
    await client.disableKeyVersion('1');
    expect(await client.testConnection()).toMatchObject({
      reachable: true,
      permitted: true,
      keyEnabled: false,
      roundTrip: false,
      problem: { code: 'KEY_DISABLED' },
    });
  });

  it('reports a keyring that is gone', async () => {
    const { path, key } = place();
    const client = await LocalKms.create(path, { key });
    rmSync(path);
    expect(await client.testConnection()).toMatchObject({ reachable: false, permitted: false, problem: { code: 'KEY_NOT_FOUND' } });
  });

  it('reports an unforeseen failure without its text', async () => {
    const { path, key } = place();
    const client = await LocalKms.create(path, { key });
    const signal = { get aborted(): boolean { throw new Error('token=abc'); } } as unknown as AbortSignal;
    const health = await client.testConnection({ signal });
    expect(health.problem?.code).toBe('KMS_PROTOCOL_ERROR');
    expect(JSON.stringify(health)).not.toContain('abc');
  });
});

describe('secrets', () => {
  it('show in no inspection, JSON or error of a client', async () => {
    const { path, key } = place();
    const password = 'correct horse battery staple';
    const client = await LocalKms.create(path, { password });
    const shown = [inspect(client, { depth: null, showHidden: true }), JSON.stringify(client), `${client.keyId}${Object.values(client).join(' ')}`];
    shown.push(inspect(await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { password: `${password}!` })), { depth: null, showHidden: true }));
    shown.push(inspect(await refusal('CONFIG_INVALID', LocalKms.open(path, { key })), { depth: null, showHidden: true }));
    for (const text of shown) {
      expect(text).not.toContain('horse');
      expect(text).not.toContain(Buffer.from(key).toString('hex').slice(0, 16));
    }
  });
});
