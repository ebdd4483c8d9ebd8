import { HiddenNames, KeyfoldError, NAME_KEY_CHECKPOINT, hiddenTenantName, keyPolicy, KeyCache, openCheckpointRecord } from '@keyfold/core';
import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../../src/encrypted/encrypted-checkpoint-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { BACKENDS } from '../support/backends.ts';
import { digest, flipBit, gathered, patterned } from '../support/bytes.ts';
import { expectCode, rejection } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { allNamesIn, bytesOf, onlyName, plant, restore, snapshot } from '../support/objects.ts';
import { type Opened, type Overrides, TENANT, kmsCalls, openStore } from '../support/open-store.ts';

const BIG = 300_000;
const ROOT = `${hiddenTenantName(TENANT)}/`;
const NAME_KEY = `${ROOT}names.kfn`;

function openHidden(overrides: Overrides = {}): Promise<Opened> {
  return openStore({ ...overrides, hideNames: true });
}

async function ids(opened: Pick<Opened, 'store'>, prefix = ''): Promise<string[]> {
  return (await gathered(opened.store.list({ prefix }))).sort();
}

async function records(opened: Opened): Promise<string[]> {
  return (await allNamesIn(opened.objects)).filter((name) => name.endsWith('.kfh'));
}

describe.each(BACKENDS)('hidden names, over $backend', ({ make }) => {
  test('show no id to the storage, in no name and no byte', async () => {
    const opened = await openHidden({ objects: make() });
    const secrets = ['Customer-4711/chk-1', 'Customer-4711/chk-2', 'plain', 'ä\u{1f600}'];
    for (const id of secrets) await opened.store.save(id, patterned(10), { metadata: { id } });
    await opened.store.save('large-one', patterned(BIG));
    for (const [name, bytes] of await snapshot(opened.objects)) {
      expect(name).toMatch(/^[0-9a-f]{32}\/(names\.kfn|[0-9a-f]{64}(\.kfh|\.[0-9a-f]{32}\.kfd))$/);
      expect(name.startsWith(ROOT)).toBe(true);
      const text = Buffer.from(bytes).toString('latin1');
      for (const secret of ['ustomer', '4711', 'large-one', 'acme']) expect(text.toLowerCase()).not.toContain(secret);
    }
  });

  test('are the same after opening again, and in another process: everything is found', async () => {
    const objects = make();
    const first = await openHidden({ objects });
    await first.store.save('job/1', patterned(10), { metadata: { n: 1 } });
    await first.store.save('job/2', patterned(BIG));
    const before = await allNamesIn(objects);
    const again = await openHidden({ objects, kms: first.kms });
    expect(await ids(again)).toEqual(['job/1', 'job/2']);
    expect(await ids(again, 'job/2')).toEqual(['job/2']);
    expect(await ids(again, 'other')).toEqual([]);
    expect(await again.store.readMetadata('job/1')).toEqual({ n: 1 });
    expect(digest(await again.store.load('job/2'))).toBe(digest(patterned(BIG)));
    await again.store.save('job/2', patterned(20), { overwrite: true });
    await first.kms.rotateKey();
    expect(await again.store.rewrap('job/2')).toMatchObject({ outcome: 'rewrapped' });
    expect(await first.store.load('job/2')).toEqual(patterned(20));
    expect(await again.store.delete('job/1')).toBe(true);
    expect(await ids(again)).toEqual(['job/2']);
    expect(before).toHaveLength(4);
    expect(await allNamesIn(objects)).toHaveLength(2);
  });

  test('are other ones for every tenant, who see nothing of each other in one root', async () => {
    const objects = make();
    const acme = await openHidden({ objects });
    await acme.store.save('a', patterned(10));
    const other = await openHidden({ objects, kms: acme.kms, tenant: 'other' });
    expect(await ids(other)).toEqual([]);
    await expectCode(other.store.load('a'), 'NOT_FOUND');
    await other.store.save('a', patterned(20));
    expect(await ids(other)).toEqual(['a']);
    expect(await acme.store.load('a')).toEqual(patterned(10));
    const stems = (await allNamesIn(objects)).filter((name) => name.endsWith('.kfh')).map((name) => name.split('/')[1]);
    expect(new Set(stems).size).toBe(2);
    expect(await gathered(acme.store.verify())).toMatchObject([{ status: 'ok', id: 'a' }]);
    for (const each of [acme, other]) await each.store.delete('a');
  });
});

describe('hidden names', () => {
  test('cost one KMS call at open, two where the key is made, and none at a listing', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const kms = new MemoryKms();
    expect(await kmsCalls(kms, () => openHidden({ objects, kms }))).toEqual({ generateDataKey: 1, decrypt: 1 });
    const opened = await openHidden({ objects, kms });
    for (let n = 0; n < 3; n++) await opened.store.save(`c/${n}`, patterned(BIG));
    expect(await kmsCalls(kms, () => openHidden({ objects, kms }))).toEqual({ decrypt: 1 });
    objects.log.length = 0;
    expect(await kmsCalls(kms, () => ids(opened))).toEqual({});
    expect(objects.log.every((entry) => entry.startsWith('open ') && entry.endsWith('.kfh'))).toBe(true);
    expect(objects.log).toHaveLength(3);
  });

  test('follow from a key that is kept as the specification says', async () => {
    const { store, objects, kms } = await openHidden();
    await store.save('a', patterned(10));
    const identity = { tenant: TENANT, checkpoint: NAME_KEY_CHECKPOINT };
    const opened = await openCheckpointRecord(await bytesOf(objects, NAME_KEY), identity, { policy: keyPolicy([kms]), cache: new KeyCache() });
    expect(opened.parsed.record).toMatchObject({ suite: 1, use: 'checkpoint', generation: 1 });
    expect(opened.parsed.rest.byteLength).toBe(112);
    expect(opened.metadata).toEqual({});
    const names = new HiddenNames(opened.dek, TENANT);
    opened.lease.release();
    const record = `${ROOT}${names.nameOf('a')}.kfh`;
    expect(await allNamesIn(objects)).toEqual([record, NAME_KEY].sort());
    expect(names.idOf(names.nameOf('a'), await bytesOf(objects, record))).toBe('a');
  });

  test('made by two at once follow from one key', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const kms = new MemoryKms();
    let rival: Opened | undefined;
    objects.before = async (operation, name) => {
      if (operation !== 'put' || name !== NAME_KEY) return;
      objects.before = undefined;
      rival = await openHidden({ objects, kms });
      await rival.store.save('a', patterned(10));
    };
    const opened = await openHidden({ objects, kms });
    expect(await opened.store.load('a')).toEqual(patterned(10));
    expect(await ids(opened)).toEqual(['a']);
  });

  test('made by another between two looks follow from that key too', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const kms = new MemoryKms();
    objects.after = async (operation, name) => {
      if (operation !== 'read' || name !== NAME_KEY) return;
      objects.after = undefined;
      await (await openHidden({ objects, kms })).store.save('a', patterned(10));
    };
    expect(await ids(await openHidden({ objects, kms }))).toEqual(['a']);
  });

  test('give up with CONFLICT when the key is made and removed again and again', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    objects.after = async (operation, name) => {
      if (operation === 'put' && name === NAME_KEY) await objects.delete(name);
    };
    await expectCode(openHidden({ objects }), 'CONFLICT');
  });

  test('go on after the name key was rewrapped and its former KEK is no longer accepted', async () => {
    const former = new MemoryKms('former');
    const { objects, store } = await openHidden({ kms: former });
    await store.save('a', patterned(10));
    const next = await openHidden({ objects, kms: new MemoryKms('next'), acceptedKms: [former] });
    await next.store.rewrap('a');
    expect(await next.store.rewrapNameKey()).toMatchObject({ outcome: 'rewrapped', wrap: { keyId: 'next' } });
    expect(await next.store.rewrapNameKey()).toMatchObject({ outcome: 'unchanged' });
    expect(next.audit.events.at(-1)).toMatchObject({ action: 'key.rewrap', scope: '*', outcome: 'success' });
    const alone = await openHidden({ objects, kms: next.kms });
    expect(await ids(alone)).toEqual(['a']);
    expect(await alone.store.load('a')).toEqual(patterned(10));
    await expectCode((await openStore()).store.rewrapNameKey(), 'CONFIG_INVALID', /hideNames/);
  });

  test('are read whatever algorithms are accepted, since their key has its own', async () => {
    const kms = new MemoryKms();
    const objects = new MemoryObjectStore();
    const cbc = { algorithm: 'aes-256-cbc-hmac-sha256', acceptedAlgorithms: ['aes-256-cbc-hmac-sha256'] } as const;
    const opened = await openHidden({ objects, kms, encryption: cbc });
    await opened.store.save('a', patterned(10));
    expect(await ids(await openHidden({ objects, kms }))).toEqual(['a']);
  });

  test('leave a deletion of what is damaged possible', async () => {
    const opened = await openHidden();
    await opened.store.save('a', patterned(10));
    const [name = ''] = await records(opened);
    await plant(opened.objects, name, Uint8Array.of(1, 2, 3));
    await expectCode(opened.store.load('a'), 'INTEGRITY_FAILURE');
    expect(await opened.store.delete('a')).toBe(true);
    expect(await records(opened)).toEqual([]);
  });

  test('let gc work without ids', async () => {
    const opened = await openHidden();
    const clockNow = Date.now() - opened.clock.now();
    await opened.store.save('lost', patterned(BIG));
    await opened.objects.delete(await onlyName(opened.objects, '.kfh'));
    await opened.store.save('sound', patterned(BIG));
    opened.clock.advance(clockNow + 2 * 86_400_000);
    expect(await opened.store.gc()).toMatchObject({ examined: 2, referenced: 1, marked: 1 });
    opened.clock.advance(86_400_000);
    expect(await opened.store.gc()).toMatchObject({ examined: 2, referenced: 1, removed: 1 });
    expect(digest(await opened.store.load('sound'))).toBe(digest(patterned(BIG)));
    expect(opened.audit.events.find(({ action, scope }) => action === 'checkpoint.gc' && scope !== '*')?.scope).toMatch(/\.kfd$/);
  });
});

describe('what the storage does to hidden names', () => {
  test('is refused: a sealed id that was altered, moved or cut is a finding, and ends a listing once the rest is given', async () => {
    const opened = await openHidden();
    await opened.store.save('good', patterned(10));
    await opened.store.save('bad', patterned(BIG));
    const saved = await snapshot(opened.objects);
    // The small one has its data inline, so its record object is the longer of the two.
    const size = (name: string): number => saved.get(name)?.byteLength ?? 0;
    const [good = '', bad = ''] = (await records(opened)).toSorted((a, b) => size(b) - size(a));
    const bytes = saved.get(bad) ?? new Uint8Array(0);
    const [, ...firstOfGood] = [0, ...(saved.get(good) ?? [])];
    const grafted = Uint8Array.from([...firstOfGood.slice(0, 210), ...bytes.subarray(210)]);
    for (const planted of [flipBit(bytes, 8 * 20), grafted, bytes.subarray(0, 100), new Uint8Array(0)]) {
      await restore(opened.objects, saved);
      await plant(opened.objects, bad, planted);
      const seen: string[] = [];
      const error = await rejection(async () => {
        for await (const id of opened.store.list()) seen.push(id);
      });
      expect(error).toMatchObject({ code: 'INTEGRITY_FAILURE' });
      expect(seen).toEqual(['good']);
      const found = await gathered(opened.store.verify());
      expect(found).toContainEqual({ status: 'damaged', object: bad, code: 'INTEGRITY_FAILURE', message: expect.stringMatching(/does not open\. Restore it/) as string });
      expect(opened.audit.events).toContainEqual(expect.objectContaining({ action: 'checkpoint.verify', scope: bad, outcome: 'failure', code: 'INTEGRITY_FAILURE' }));
      expect(found).toContainEqual(expect.objectContaining({ status: 'ok', id: 'good' }));
    }
  });

  test('is refused: a whole object under the name of another', async () => {
    const opened = await openHidden();
    await opened.store.save('a', patterned(10));
    const [a = ''] = await records(opened);
    await opened.store.save('b', patterned(20));
    const b = (await records(opened)).find((name) => name !== a) ?? '';
    await plant(opened.objects, b, await bytesOf(opened.objects, a));
    await expectCode(opened.store.load('b'), 'INTEGRITY_FAILURE');
    expect(await opened.store.load('a')).toEqual(patterned(10));
    await expectCode(ids(opened), 'INTEGRITY_FAILURE');
  });

  test('is refused: the name key altered, of another tenant, with data, or of another checkpoint', async () => {
    const { objects, kms, store } = await openHidden();
    await store.save('a', patterned(10));
    const other = await openHidden({ objects, kms, tenant: 'other' });
    await other.store.save('a', patterned(10));
    const key = await bytesOf(objects, NAME_KEY);
    const others = await bytesOf(objects, `${hiddenTenantName('other')}/names.kfn`);
    const visible = await openStore({ kms });
    await visible.store.save('a', patterned(10));
    const checkpoint = await bytesOf(visible.objects, 'a.kfk');
    for (const planted of [flipBit(key, 8 * 45), flipBit(key, 8 * (key.byteLength - 1)), key.subarray(0, key.byteLength - 112), others, checkpoint, new Uint8Array(0)]) {
      await plant(objects, NAME_KEY, planted);
      await expectCode(openHidden({ objects, kms }), 'INTEGRITY_FAILURE');
    }
    await plant(objects, NAME_KEY, key);
    expect(await ids(await openHidden({ objects, kms }))).toEqual(['a']);
    await expectCode(openHidden({ objects, kms: new MemoryKms('other-key') }), 'KEY_NOT_ALLOWED');
  });

  test('is refused: a name key that is gone is not made anew while its objects are there', async () => {
    const { objects, kms, store } = await openHidden();
    await store.save('a', patterned(10));
    await objects.delete(NAME_KEY);
    await expectCode(openHidden({ objects, kms }), 'INTEGRITY_FAILURE', /Restore it from a backup/);
    expect(await allNamesIn(objects)).not.toContain(NAME_KEY);
  });

  test('is found by verify: a name key that is gone, altered, another one, or cannot be looked at', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const { kms, store, audit } = await openHidden({ objects });
    await store.save('a', patterned(10));
    const key = await bytesOf(objects, NAME_KEY);
    const elsewhere = await openHidden({ kms });
    const findings = async (): Promise<unknown[]> => gathered(store.verify());
    const fine = { status: 'ok', id: 'a' };
    expect(await findings()).toMatchObject([fine]);
    for (const planted of [undefined, flipBit(key, 8 * 45), await bytesOf(elsewhere.objects, NAME_KEY), new Uint8Array(600_000)]) {
      await objects.delete(NAME_KEY);
      if (planted !== undefined) await plant(objects, NAME_KEY, planted);
      const code = planted?.byteLength === 600_000 ? 'LIMIT_EXCEEDED' : 'INTEGRITY_FAILURE';
      audit.events.length = 0;
      expect(await findings()).toMatchObject([{ status: 'damaged', object: NAME_KEY, code, message: expect.stringMatching(/backup/) as string }, fine]);
      expect(audit.events[0]).toMatchObject({ action: 'checkpoint.verify', scope: NAME_KEY, outcome: 'failure', code });
    }
    await plant(objects, NAME_KEY, key);
    objects.before = (operation, name) => {
      if (operation === 'read' && name === NAME_KEY) throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not answer.');
    };
    expect(await findings()).toMatchObject([{ status: 'unchecked', object: NAME_KEY, code: 'STORAGE_FAILURE' }, fine]);
  });

  test('does not stop a listing: objects that come and go, and shrink, while it is under way', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openHidden({ objects });
    await opened.store.save('shrinks', patterned(BIG));
    await opened.store.save('goes', patterned(10));
    const sizes = new Map((await gathered(objects.list())).map(({ name, size }) => [name, size]));
    const target = [...sizes.keys()].find((name) => name.endsWith('.kfh') && (sizes.get(name) ?? 0) < 1_000) ?? '';
    objects.before = async (operation, name) => {
      if (operation !== 'open' || name !== target) return;
      objects.before = undefined;
      await plant(objects, target, (await bytesOf(objects, target)).subarray(0, 215));
    };
    expect(await ids(opened)).toEqual(['goes', 'shrinks']);
    objects.before = async (operation, name) => {
      if (operation !== 'open' || name !== target) return;
      objects.before = undefined;
      await objects.delete(target);
    };
    expect(await ids(opened)).toHaveLength(1);
  });

  test('ends a listing with CONFLICT: a storage that never agrees with itself on a size', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openHidden({ objects });
    await opened.store.save('a', patterned(10));
    objects.log.length = 0;
    objects.before = (operation) => {
      if (operation === 'open') throw new KeyfoldError('RANGE_INVALID', 'The storage of a test has fewer bytes.');
    };
    await expectCode(ids(opened), 'CONFLICT', /Try again/);
    expect(objects.log.filter((entry) => entry.startsWith('head '))).toHaveLength(5);
  });

  test('is passed on: a storage that fails while ids are read', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openHidden({ objects });
    await opened.store.save('a', patterned(10));
    objects.before = (operation) => {
      if (operation === 'open') throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not answer.');
    };
    await expectCode(ids(opened), 'STORAGE_FAILURE');
  });
});

describe('visible and hidden names in one root', () => {
  test('are refused: hidden ones where visible ones are', async () => {
    const { objects, kms, store } = await openStore();
    await store.save('a', patterned(10));
    await expectCode(openHidden({ objects, kms }), 'CONFIG_INVALID', /visible names/);
    expect(await allNamesIn(objects)).toEqual(['a.kfk']);
    await store.delete('a');
    await openHidden({ objects, kms });
  });

  test('are refused: visible ones where hidden ones are', async () => {
    const { objects, kms } = await openHidden();
    await expectCode(openStore({ objects, kms }), 'CONFIG_INVALID', /hideNames: true/);
  });

  test.each(['yes', 1, null])('take no option but true and false: %o', async (hideNames) => {
    await expectCode(EncryptedCheckpointStore.open({ objects: new MemoryObjectStore(), kms: new MemoryKms(), tenant: 'a', hideNames: hideNames as never }), 'CONFIG_INVALID', /hideNames/);
  });
});
