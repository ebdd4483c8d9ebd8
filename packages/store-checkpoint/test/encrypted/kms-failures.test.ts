import { KeyfoldError, type KmsClient } from '@keyfold/core';
import { MemoryKms } from '@keyfold/core/testing';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { namesIn, snapshot } from '../support/objects.ts';
import { openStore } from '../support/open-store.ts';
import { EndlessSource } from '../support/sources.ts';

const KMS_CODES = ['KEY_NOT_FOUND', 'KEY_DISABLED', 'ACCESS_DENIED', 'AUTHENTICATION_FAILED', 'KMS_THROTTLED', 'KMS_UNAVAILABLE', 'KMS_PROTOCOL_ERROR', 'INVALID_KEY_USAGE'] as const;

function failWith(kms: MemoryKms, error: () => unknown): void {
  kms.fault = () => {
    throw error();
  };
}

describe('a KMS that fails', () => {
  test.each(KMS_CODES)('with %s: save and load give that code, and nothing is written', async (code) => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, kms } = await openStore({ objects, keyCache: { maxEntries: 0 } });
    await store.save('a', patterned(10));
    const before = await snapshot(objects);
    objects.log.length = 0;
    failWith(kms, () => new KeyfoldError(code, 'The KMS says no, and this is its reason.'));
    const source = new EndlessSource();
    await expectCode(store.save('b', source), code, /its reason/);
    await expectCode(store.save('a', patterned(300_000), { overwrite: true }), code);
    await expectCode(store.load('a'), code);
    await expectCode(store.readMetadata('a'), code);
    await expectCode(store.rewrap('a'), code);
    expect(source.given).toBe(0);
    expect(objects.log.filter((entry) => !entry.startsWith('read'))).toEqual([]);
    expect(await snapshot(objects)).toEqual(before);
    kms.fault = undefined;
    expect(await store.load('a')).toEqual(patterned(10));
  });

  test('for a moment is asked again, as often as kmsRetry says', async () => {
    const { store, kms, metrics } = await openStore({ kmsRetry: { throttledDelayMs: 0 } });
    let left = 2;
    kms.fault = () => {
      if (left-- > 0) throw new KeyfoldError('KMS_THROTTLED', 'The KMS has too much to do just now.');
    };
    await store.save('a', patterned(10));
    expect(metrics.measurements.filter(({ name }) => name === 'heliosdb_kms_retry_total').map(({ labels }) => labels)).toEqual([
      { provider: 'memory', operation: 'generateDataKey', code: 'KMS_THROTTLED' },
      { provider: 'memory', operation: 'generateDataKey', code: 'KMS_THROTTLED' },
    ]);
    left = 3;
    await expectCode(store.save('b', patterned(10)), 'KMS_THROTTLED');
    expect(left).toBe(0);
  });

  test('for a moment does not keep open() from opening', async () => {
    const kms = new MemoryKms();
    let left = 1;
    kms.fault = () => {
      if (left-- > 0) throw new KeyfoldError('KMS_UNAVAILABLE', 'The KMS is not there at this moment.');
    };
    const { store } = await openStore({ kms, testKms: true, kmsRetry: { baseDelayMs: 0 } });
    await store.save('a', patterned(10));
  });

  test('with INVALID_CIPHERTEXT on a load gives the one answer to everything that does not open', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(10));
    failWith(kms, () => new KeyfoldError('INVALID_CIPHERTEXT', 'The KMS refuses the wrap.'));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
  });

  test('with something that is no Keyfold error gives KMS_UNAVAILABLE, and nothing that it carried', async () => {
    const { store, kms } = await openStore();
    failWith(kms, () => Object.assign(new Error('Bearer 1234'), { code: 'ECONNRESET', config: { headers: 'Bearer 1234' } }));
    const error = await expectCode(store.save('a', patterned(10)), 'KMS_UNAVAILABLE');
    expect(error.cause).toEqual({ name: 'Error', code: 'ECONNRESET' });
  });

  test('does not keep loads from the keys that are cached', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(10));
    await store.load('a');
    failWith(kms, () => new KeyfoldError('KMS_UNAVAILABLE', 'The KMS cannot be reached at all.'));
    expect(await store.load('a')).toEqual(patterned(10));
    await store.delete('a');
  });
});

describe('a KMS that does not answer', () => {
  const hang = (kms: MemoryKms): void => {
    kms.fault = () => new Promise(() => undefined);
  };

  test('ends in KMS_UNAVAILABLE after kmsTimeoutMs, and nothing is written', async () => {
    const { store, kms, objects } = await openStore({ kmsTimeoutMs: 20, keyCache: { maxEntries: 0 } });
    await store.save('a', patterned(10));
    hang(kms);
    await expectCode(store.save('b', patterned(10)), 'KMS_UNAVAILABLE', /within 20 ms/);
    await expectCode(store.load('a'), 'KMS_UNAVAILABLE', /within 20 ms/);
    await expectCode(store.readMetadata('a'), 'KMS_UNAVAILABLE');
    await expectCode(store.rewrap('a'), 'KMS_UNAVAILABLE');
    expect(await namesIn(objects)).toEqual(['a.kfk']);
  });

  test('ends at once when the caller aborts', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(10));
    for (const call of [
      (signal: AbortSignal) => store.save('b', patterned(10), { signal }),
      (signal: AbortSignal) => store.load('a', { signal }),
      (signal: AbortSignal) => store.readMetadata('a', { signal }),
      (signal: AbortSignal) => store.rewrap('a', { signal }),
    ]) {
      hang(kms);
      const abort = new AbortController();
      const over = expectCode(call(abort.signal), 'ABORTED');
      await setImmediate();
      abort.abort();
      await over;
    }
  });

  test('keeps open() from opening', async () => {
    const kms = new MemoryKms();
    hang(kms);
    await expectCode(openStore({ kms, kmsTimeoutMs: 20, testKms: true }), 'KMS_UNAVAILABLE', /within 20 ms/);
  });
});

describe('a KMS that answers what no KMS may', () => {
  type DataKey = Awaited<ReturnType<KmsClient['generateDataKey']>>;

  class OddKms extends MemoryKms {
    alter: (answer: DataKey) => DataKey = (answer) => answer;
    unwrapped: ((key: Uint8Array) => Uint8Array) | undefined;

    override async generateDataKey(options: Parameters<KmsClient['generateDataKey']>[0]): Promise<DataKey> {
      return this.alter(await super.generateDataKey(options));
    }

    override async decrypt(...args: Parameters<KmsClient['decrypt']>): Promise<Uint8Array> {
      const key = await super.decrypt(...args);
      return this.unwrapped === undefined ? key : this.unwrapped(key);
    }
  }

  test.each<[string, (answer: DataKey) => unknown]>([
    ['a short key', (answer) => ({ ...answer, plaintext: new Uint8Array(31) })],
    ['a long key', (answer) => ({ ...answer, plaintext: new Uint8Array(33) })],
    ['a key that is text', (answer) => ({ ...answer, plaintext: 'k'.repeat(32) })],
    ['a wrap by another key', (answer) => ({ ...answer, wrapped: { ...answer.wrapped, keyId: 'other' } })],
    ['a wrap by another provider', (answer) => ({ ...answer, wrapped: { ...answer.wrapped, provider: 'other' } })],
    ['nothing', () => undefined],
  ])('%s: KMS_PROTOCOL_ERROR, and nothing is written', async (_, alter) => {
    const kms = new OddKms();
    kms.alter = alter as OddKms['alter'];
    const { store, objects } = await openStore({ kms });
    await expectCode(store.save('a', patterned(10)), 'KMS_PROTOCOL_ERROR');
    expect(await namesIn(objects)).toEqual([]);
  });

  test('another key on unwrapping: INTEGRITY_FAILURE, and it is not cached', async () => {
    const kms = new OddKms();
    const { store } = await openStore({ kms });
    await store.save('a', patterned(10));
    kms.unwrapped = () => new Uint8Array(32);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    kms.unwrapped = () => new Uint8Array(16);
    await expectCode(store.load('a'), 'KMS_PROTOCOL_ERROR');
    kms.unwrapped = undefined;
    expect(await store.load('a')).toEqual(patterned(10));
  });
});

test('an outage of the first accepted key leads to the next wrap, a refusal does not', async () => {
  const [first, second] = [new MemoryKms('first'), new MemoryKms('second')];
  const { store, objects } = await openStore({ kms: second });
  await store.save('a', patterned(10));
  const both = await openStore({ objects, kms: first, acceptedKms: [second], keyCache: { maxEntries: 0 } });
  failWith(first, () => new KeyfoldError('KMS_UNAVAILABLE', 'The first KMS cannot be reached.'));
  expect(await both.store.load('a')).toEqual(patterned(10));
  await expectCode(both.store.save('b', patterned(10)), 'KMS_UNAVAILABLE');
});
