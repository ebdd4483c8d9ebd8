import type { AuditEvent } from '@keyfold/core';
import { KeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { PlainCheckpointStore } from '../../src/plain/plain-checkpoint-store.ts';
import { flipBit, gathered, joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, namesIn, plant } from '../support/objects.ts';
import { openFiles } from '../support/open-files.ts';
import { type Opened, type Overrides, openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Window extends Opened {
  readonly plain: PlainCheckpointStore;
}

async function open(overrides: Overrides = {}): Promise<Window> {
  const objects = overrides.objects ?? new MemoryObjectStore();
  const plain = new PlainCheckpointStore({ objects });
  return { ...(await openStore({ ...overrides, objects, migration: { plaintext: plain } })), plain };
}

function outline({ action, outcome, scope, code }: AuditEvent): string {
  return [action, outcome, scope, ...(code === undefined ? [] : [code])].join(' ');
}

describe('a store with a window for plaintext', () => {
  test('reads, lists and deletes what is not encrypted yet', async () => {
    const { store, plain, objects } = await open();
    await plain.save('old', patterned(300_000), { metadata: { n: 1 } });
    await store.save('new', patterned(20));
    expect(await store.load('old')).toEqual(patterned(300_000));
    expect(await joined(store.loadStream('old'))).toEqual(patterned(300_000));
    expect(await store.load('old', { range: { start: 10, end: 20 } })).toEqual(patterned(300_000).subarray(10, 20));
    expect(await store.readMetadata('old')).toEqual({ n: 1 });
    expect((await gathered(store.list())).sort()).toEqual(['new', 'old']);
    expect(await gathered(store.list({ prefix: 'o' }))).toEqual(['old']);
    await expectCode(store.load('old', { maxBytes: 10 }), 'LIMIT_EXCEEDED');
    expect(await store.delete('old')).toBe(true);
    expect(await namesIn(objects)).toEqual(['new.kfk']);
    expect(await store.delete('old')).toBe(false);
    for (const call of [store.load('old'), store.readMetadata('old')]) await expectCode(call, 'NOT_FOUND');
  });

  test('counts and audits every read of plaintext, before any of it is out', async () => {
    const { store, plain, audit, metrics } = await open();
    await plain.save('old', patterned(3_000_000));
    for await (const chunk of store.loadStream('old')) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      expect(audit.events.map(outline)).toEqual(['checkpoint.read-plaintext success old']);
    }
    await store.readMetadata('old');
    expect(audit.events.map(outline)).toEqual([
      'checkpoint.read-plaintext success old',
      'checkpoint.read-plaintext success old',
      'checkpoint.read-metadata success old',
    ]);
    expect(metrics.measurements.filter(({ name }) => name === 'heliosdb_checkpoint_plaintext_total')).toMatchObject([
      { value: 1, labels: { use: 'read' } },
      { value: 1, labels: { use: 'read' } },
    ]);
    expect(metrics.measurements.some(({ name }) => name === 'heliosdb_checkpoint_decryption_total')).toBe(false);
  });

  test('gives no plaintext where the event is not taken, and leaves no file open', async () => {
    const objects = new FileSystemObjectStore(temporaryDirectory());
    const { store, plain } = await open({ objects, audit: { record: () => Promise.reject(new Error('full')) } });
    await plain.save('old', patterned(3_000_000));
    await expectCode(store.load('old'), 'AUDIT_FAILED');
    await expectCode(store.readMetadata('old'), 'AUDIT_FAILED');
    expect(openFiles()).toEqual([]);
  });

  test('never reads plaintext in place of a record that is there and does not open', async () => {
    const { store, plain, objects, kms } = await open({ keyCache: { maxEntries: 0 } });
    await plain.save('a', patterned(10, 'planted'));
    await store.save('b', patterned(10));
    await plant(objects, 'a.kfk', await bytesOf(objects, 'b.kfk'));
    for (const call of [store.load('a'), store.readMetadata('a')]) await expectCode(call, 'INTEGRITY_FAILURE');
    await plant(objects, 'a.kfk', flipBit(await bytesOf(objects, 'b.kfk'), 3));
    for (const call of [store.load('a'), store.readMetadata('a')]) await expectCode(call, 'INTEGRITY_FAILURE');
    await plain.save('b', patterned(10, 'planted'));
    kms.fault = () => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'The key service of a test is down.');
    };
    for (const call of [store.load('b'), store.readMetadata('b')]) await expectCode(call, 'KMS_UNAVAILABLE');
  });

  test('never reads plaintext in place of data that are missing, or of what a receipt is of', async () => {
    const { store, plain, objects } = await open();
    const receipt = await store.save('a', patterned(300_000));
    await plain.save('a', patterned(10, 'planted'));
    await objects.delete(`a.${receipt.objectId}.kfc`);
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await objects.delete('a.kfk');
    await expectCode(store.load('a', { expect: receipt }), 'NOT_FOUND');
    await expectCode(store.load('a', { minimumGeneration: 1 }), 'NOT_FOUND');
    await expectCode(store.readMetadata('a', { minimumGeneration: 1 }), 'NOT_FOUND');
    expect(await store.load('a')).toEqual(patterned(10, 'planted'));
  });

  test('finds what is encrypted, and its plaintext removed, while it looks', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, plain } = await open({ objects });
    for (const read of [() => store.load('a'), () => store.readMetadata('a').then(() => patterned(10))]) {
      await plain.save('a', patterned(10));
      objects.after = async (operation, name) => {
        if (operation !== 'read' || name !== 'a.kfk') return;
        objects.after = undefined;
        await plain.delete('a');
        await store.save('a', patterned(10));
      };
      expect(await read()).toEqual(patterned(10));
      await store.delete('a');
    }
  });

  test('takes what is in plaintext for an id that is taken, readable or not', async () => {
    const { store, plain, objects } = await open();
    await plain.save('a', patterned(10));
    await objects.put('damaged.kfp', new Uint8Array(100_000).fill(1));
    for (const id of ['a', 'damaged']) await expectCode(store.save(id, patterned(20)), 'ALREADY_EXISTS');
    await store.save('a', patterned(20), { overwrite: true });
    expect(await store.load('a')).toEqual(patterned(20));
    expect(await gathered(store.list({ prefix: 'a' }))).toEqual(['a']);
    await expectCode(store.load('damaged'), 'INTEGRITY_FAILURE');
  });

  test('deletes the plaintext before the record: a delete that ends between them brings nothing back', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, plain } = await open({ objects });
    await plain.save('a', patterned(10, 'stale'));
    await store.save('a', patterned(20), { overwrite: true });
    for (const last of ['a.kfp', 'a.kfk']) {
      objects.before = (operation, name) => {
        if (operation === 'delete' && name === last) throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not answer.');
      };
      await expectCode(store.delete('a'), 'STORAGE_FAILURE');
      expect(await store.load('a')).toEqual(patterned(20));
    }
    objects.before = undefined;
    await store.delete('a');
    await expectCode(store.load('a'), 'NOT_FOUND');
  });

  test('passes on what the plain store cannot do', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { store, audit } = await open({ objects });
    objects.before = (operation, name) => {
      if (operation === 'open' && name === 'a.kfp') throw new KeyfoldError('STORAGE_DENIED', 'The storage of a test refuses.');
    };
    await expectCode(store.save('a', patterned(1)), 'STORAGE_DENIED');
    await expectCode(store.load('a'), 'STORAGE_DENIED');
    expect(audit.events.map(outline)).toContain('checkpoint.read-plaintext failure a STORAGE_DENIED');
  });

  test.each([{ plaintext: {} }, {}, { plaintext: undefined }, { plain: 1 }, 'yes', null])('is opened with a PlainCheckpointStore, and not %o', async (migration) => {
    await expectCode(openStore({ migration: migration as never }), 'CONFIG_INVALID', /migration/);
  });
});

describe('a store without a window', () => {
  test('does not look at plaintext', async () => {
    const { store, objects } = await openStore();
    await new PlainCheckpointStore({ objects }).save('a', patterned(10));
    for (const call of [store.load('a'), store.readMetadata('a')]) await expectCode(call, 'NOT_FOUND');
    expect(await gathered(store.list())).toEqual([]);
    await store.save('a', patterned(20));
    expect(await store.load('a')).toEqual(patterned(20));
  });
});
