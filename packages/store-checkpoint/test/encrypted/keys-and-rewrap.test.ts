import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { digest, gathered, patterned } from '../support/bytes.ts';
import { BACKENDS } from '../support/backends.ts';
import { checkCode, expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn, onlyName } from '../support/objects.ts';
import { kmsCalls, openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BIG = 300_000;
const DATA_MAGIC = Buffer.from([0x8f, 0x4b, 0x46, 0x43, 1]);

describe('a checkpoint under another key', () => {
  test('is KEY_NOT_ALLOWED, and no KMS is contacted', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(10));
    const other = await openStore({ objects, kms: new MemoryKms('other-key') });
    const calls = await kmsCalls(other.kms, async () => {
      await expectCode(other.store.load('a'), 'KEY_NOT_ALLOWED', /no key was contacted/);
      await expectCode(other.store.readMetadata('a'), 'KEY_NOT_ALLOWED');
      await expectCode(other.store.rewrap('a'), 'KEY_NOT_ALLOWED');
    });
    expect(calls).toEqual({});
  });

  test('of the same name is not opened either', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(10));
    const other = await openStore({ objects, kms: new MemoryKms() });
    await expectCode(other.store.load('a'), 'INTEGRITY_FAILURE');
  });

  test('opens when that key is accepted, and is wrapped by the new one after a rewrap', async () => {
    const former = new MemoryKms('former');
    const { store, objects } = await openStore({ kms: former });
    await store.save('a', patterned(BIG));
    const next = await openStore({ objects, kms: new MemoryKms('next'), acceptedKms: [former], keyCache: { maxEntries: 0 } });
    expect(digest(await next.store.load('a'))).toBe(digest(patterned(BIG)));
    const result = await next.store.rewrap('a');
    expect(result).toMatchObject({ outcome: 'rewrapped', generation: 3, wrap: { keyId: 'next' }, removed: [{ keyId: 'former' }] });
    expect(await kmsCalls(former, () => next.store.load('a'))).toEqual({});
    await expectCode(store.load('a'), 'KEY_NOT_ALLOWED');
    const alone = await openStore({ objects, kms: next.kms });
    expect(digest(await alone.store.load('a'))).toBe(digest(patterned(BIG)));
  });

  test('can be replaced and deleted: neither opens it', async () => {
    const { store, objects } = await openStore();
    await store.save('a', patterned(10));
    await store.save('b', patterned(BIG));
    const other = await openStore({ objects, kms: new MemoryKms('other-key') });
    await other.store.save('a', patterned(11), { overwrite: true });
    expect(await other.store.load('a')).toEqual(patterned(11));
    expect(await other.store.delete('b')).toBe(true);
    expect(await namesIn(objects)).toEqual(['a.kfk']);
  });
});

describe.each(BACKENDS)('a rewrap, over $backend', ({ make }) => {
  test.each([['inline', 1_000], ['in two objects', BIG]])('changes the record and not one byte of the data, %s', async (_, size) => {
    const objects = make();
    const { store, kms } = await openStore({ objects });
    const { objectId } = await store.save('a', patterned(size), { metadata: { n: 1 } });
    const names = await namesIn(objects);
    const dataOf = async (): Promise<string> => {
      const bytes = Buffer.from(await bytesOf(objects, names.find((name) => name.endsWith('.kfc')) ?? 'a.kfk'));
      return digest(bytes.subarray(bytes.indexOf(DATA_MAGIC)));
    };
    const before = await dataOf();
    await kms.rotateKey();
    const result = await store.rewrap('a');
    expect(result).toMatchObject({ outcome: 'rewrapped', generation: 3, wrap: { keyVersion: '2' }, removed: [{ keyVersion: '1' }] });
    expect(await namesIn(objects)).toEqual(names);
    expect(await dataOf()).toBe(before);
    expect(digest(await store.load('a'))).toBe(digest(patterned(size)));
    expect(await store.readMetadata('a')).toEqual({ n: 1 });
    expect(await store.load('a', { expect: { ...(await pinned()), generation: 3 } })).toHaveLength(size);
    expect(await store.rewrap('a')).toMatchObject({ outcome: 'unchanged', generation: 3, removed: [] });

    async function pinned(): Promise<{ objectId: string; commitment: string }> {
      const whole = Buffer.from(await bytesOf(objects, names.find((name) => name.endsWith('.kfc')) ?? 'a.kfk'));
      const data = whole.subarray(whole.indexOf(DATA_MAGIC));
      return { objectId, commitment: data.subarray(64, 96).toString('hex') };
    }
  });

  test('does not bring back what was deleted meanwhile', async () => {
    for (const nth of [1, 2]) {
      const objects = new HookedObjectStore(make());
      const { store, kms } = await openStore({ objects });
      await store.save('a', patterned(BIG));
      await kms.rotateKey();
      let writes = 0;
      objects.before = async (operation, name) => {
        if (operation === 'put' && name === 'a.kfk' && ++writes === nth) await store.delete('a');
      };
      await expectCode(store.rewrap('a'), 'CONFLICT');
      objects.before = undefined;
      expect(await gathered(store.list())).toEqual([]);
      expect(await namesIn(objects)).toEqual([]);
      await expectCode(store.load('a'), 'NOT_FOUND');
    }
  });

  test('does not undo a replacement that came meanwhile', async () => {
    const objects = new HookedObjectStore(make());
    const { store, kms } = await openStore({ objects });
    await store.save('a', patterned(BIG));
    await kms.rotateKey();
    objects.before = async (operation, name) => {
      if (operation !== 'put' || name !== 'a.kfk') return;
      objects.before = undefined;
      await store.save('a', patterned(20), { overwrite: true });
    };
    await expectCode(store.rewrap('a'), 'CONFLICT');
    expect(await store.load('a')).toEqual(patterned(20));
  });

  test('at once with 8 others leaves a record that opens', async () => {
    const { store, kms } = await openStore({ objects: make() });
    await store.save('a', patterned(BIG));
    await kms.rotateKey();
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => store.rewrap('a')));
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const outcome of outcomes) if (outcome.status === 'rejected') checkCode(outcome.reason, 'CONFLICT');
    expect(digest(await store.load('a'))).toBe(digest(patterned(BIG)));
  });
});

describe('a rewrap', () => {
  test('of nothing is NOT_FOUND; of a closed store CLOSED; of no id INVALID_ARGUMENT', async () => {
    const { store } = await openStore();
    await expectCode(store.rewrap('a'), 'NOT_FOUND');
    await expectCode(store.rewrap('../a'), 'INVALID_ARGUMENT');
    await expectCode(store.rewrap('a', { signal: AbortSignal.abort() }), 'ABORTED');
    await store.close();
    await expectCode(store.rewrap('a'), 'CLOSED');
  });

  test('takes nothing from its options but the signal', async () => {
    const { store, kms } = await openStore();
    await store.save('a', patterned(10));
    await kms.rotateKey();
    const foreign = new MemoryKms('foreign');
    await store.rewrap('a', { target: foreign, key: 'b', identity: { tenant: 'x', checkpoint: 'y' } } as object);
    expect(foreign.calls.size).toBe(0);
    expect(await store.load('a')).toEqual(patterned(10));
  });

  test('of every checkpoint lets the old version go', async () => {
    const objects = new FileSystemObjectStore(temporaryDirectory());
    const { store, kms } = await openStore({ objects });
    const ids = ['a', 'Job/b', 'c/d/e'];
    for (const id of ids) await store.save(id, patterned(id.length * 100_000, id));
    await kms.rotateKey();
    for await (const id of store.list()) await store.rewrap(id);
    for (const id of ids) {
      expect(await store.rewrap(id)).toMatchObject({ outcome: 'unchanged', wrap: { keyVersion: '2' } });
      expect(digest(await store.load(id))).toBe(digest(patterned(id.length * 100_000, id)));
    }
  });
});

test('a function gives each tenant a key of its own', async () => {
  const { EncryptedCheckpointStore } = await import('../../src/encrypted/encrypted-checkpoint-store.ts');
  const objects = new MemoryObjectStore();
  const keys = new Map(['acme', 'globex'].map((tenant) => [tenant, new MemoryKms(`key-of-${tenant}`)]));
  const asked: string[] = [];
  const kms = (tenant: string): Promise<MemoryKms> => {
    asked.push(tenant);
    return Promise.resolve(keys.get(tenant) ?? new MemoryKms());
  };
  const acme = await EncryptedCheckpointStore.open({ objects, kms, tenant: 'acme' });
  await acme.save('a', patterned(BIG));
  expect(await onlyName(objects, '.kfk')).toBe('a.kfk');
  const globex = await EncryptedCheckpointStore.open({ objects, kms, tenant: 'globex' });
  await expectCode(globex.load('a'), 'KEY_NOT_ALLOWED');
  expect(asked).toEqual(['acme', 'globex']);
  expect(keys.get('acme')?.calls.get('testConnection')).toBe(1);
});
