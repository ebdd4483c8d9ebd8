import { describe, expect, test } from 'vitest';
import { isKeyfoldError } from '../src/errors.ts';
import { acceptedWraps, clientFor, keyPolicy, policyIdentity } from '../src/sealing/key-policy.ts';
import type { SuiteName } from '../src/sealing/suites.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { thrownBy } from './support/bytes.ts';
import { wrapOf } from './support/records.ts';

class PublicKeyKms extends MemoryKms {
  override readonly capabilities = { authenticatedWraps: false, contextBinding: 'seed', rotation: true, versions: true } as const;
}

function refused(run: () => unknown): boolean {
  return isKeyfoldError(thrownBy(run), 'CONFIG_INVALID');
}

describe('a key policy', () => {
  test('needs a key', () => {
    expect(refused(() => keyPolicy([]))).toBe(true);
  });

  test('names each key once', () => {
    expect(refused(() => keyPolicy([new MemoryKms('a'), new MemoryKms('b'), new MemoryKms('a')]))).toBe(true);
  });

  test('refuses keys for which anybody can mint a wrap, unless told otherwise', () => {
    const kms = [new MemoryKms('a'), new PublicKeyKms('b')];
    expect(refused(() => keyPolicy(kms))).toBe(true);
    expect(refused(() => keyPolicy(kms, { requireAuthenticatedWraps: true }))).toBe(true);
    expect(keyPolicy(kms, { requireAuthenticatedWraps: false }).kms).toEqual(kms);
  });

  test('accepts every suite unless told otherwise, and at least one that exists', () => {
    const kms = [new MemoryKms()];
    expect(keyPolicy(kms).suites).toEqual(['aes-256-gcm', 'cobblestone-256']);
    expect(keyPolicy(kms, { suites: ['aes-256-gcm'] }).suites).toEqual(['aes-256-gcm']);
    for (const suites of [[], ['rot13'], ['toString'], ['aes-256-gcm', '__proto__']]) {
      expect(refused(() => keyPolicy(kms, { suites: suites as SuiteName[] }))).toBe(true);
    }
  });

  test('does not change with the lists that it was made of', () => {
    const kms = [new MemoryKms('a')];
    const suites: SuiteName[] = ['aes-256-gcm'];
    const policy = keyPolicy(kms, { suites });
    kms.push(new MemoryKms('b'));
    suites.push('cobblestone-256');
    expect(policy.kms).toHaveLength(1);
    expect(policy.suites).toEqual(['aes-256-gcm']);
    expect(Object.isFrozen(policy) && Object.isFrozen(policy.kms) && Object.isFrozen(policy.suites)).toBe(true);
  });

  test('finds the client by exact provider and key', () => {
    const [a, b] = [new MemoryKms('a'), new MemoryKms('b')];
    const policy = keyPolicy([a, b]);
    expect(clientFor(policy, wrapOf({ provider: 'memory', keyId: 'b' }))).toBe(b);
    for (const name of [{ keyId: 'A' }, { keyId: 'a ' }, { keyId: '' }, { provider: 'local', keyId: 'a' }]) {
      expect(clientFor(policy, wrapOf({ provider: 'memory', ...name }))).toBeUndefined();
    }
  });

  test('orders accepted wraps by its keys, versions of one key as in the record', () => {
    const [a, b] = [new MemoryKms('a'), new MemoryKms('b')];
    const wraps = [['b', '1'], ['x', '1'], ['a', '2'], ['a', '1']].map(([keyId = '', keyVersion = '']) => wrapOf({ provider: 'memory', keyId, keyVersion }));
    const order = acceptedWraps(keyPolicy([a, b]), wraps).map(({ client, wrap }) => [client.keyId, wrap.keyId, wrap.keyVersion]);
    expect(order).toEqual([['a', 'a', '2'], ['a', 'a', '1'], ['b', 'b', '1']]);
  });

  test('has an identity that differs with keys, their order and suites', () => {
    const [a, b] = [new MemoryKms('a'), new MemoryKms('b')];
    const identities = [keyPolicy([a]), keyPolicy([b]), keyPolicy([a, b]), keyPolicy([b, a]), keyPolicy([a], { suites: ['aes-256-gcm'] })].map(policyIdentity);
    expect(new Set(identities).size).toBe(5);
    expect(policyIdentity(keyPolicy([new MemoryKms('a')]))).toBe(identities[0]);
  });
});
