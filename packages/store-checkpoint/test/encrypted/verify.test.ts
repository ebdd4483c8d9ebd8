import { KeyfoldError } from '@keyfold/core';
import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test, vi } from 'vitest';
import type { VerifyFinding, VerifyOptions, VerifyProgress } from '../../src/encrypted/verify-options.ts';
import { PlainCheckpointStore } from '../../src/plain/plain-checkpoint-store.ts';
import { BACKENDS } from '../support/backends.ts';
import { flipBit, gathered, patterned } from '../support/bytes.ts';
import { expectCode, rejection } from '../support/expect-code.ts';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { bytesOf, digests, namesIn, plant } from '../support/objects.ts';
import { openFiles } from '../support/open-files.ts';
import { type Opened, kmsCalls, openStore } from '../support/open-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';

const BIG = 300_000;

async function findings(opened: Pick<Opened, 'store'>, options: VerifyOptions = {}): Promise<VerifyFinding[]> {
  const all = await gathered(opened.store.verify(options));
  return all.sort((a, b) => ((a.id ?? a.object ?? '') < (b.id ?? b.object ?? '') ? -1 : 1));
}

/** What was found, one line each. */
async function outline(opened: Pick<Opened, 'store'>, options: VerifyOptions = {}): Promise<string[]> {
  return (await findings(opened, options)).map(({ status, id, object, code }) => [status, id ?? object, code].filter((part) => part !== undefined).join(' '));
}

async function damage(opened: Opened, name: string, bit: number): Promise<void> {
  await plant(opened.objects, name, flipBit(await bytesOf(opened.objects, name), bit));
}

async function* slowly(body: AsyncIterable<Uint8Array>, told: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) {
    await new Promise(setImmediate);
    told();
    yield chunk;
  }
}

describe.each(BACKENDS)('verify, over $backend', ({ make }) => {
  test('finds sound checkpoints sound, with their receipts and sizes, and changes nothing', async () => {
    const opened = await openStore({ objects: make() });
    const receipts = { 'job/1': await opened.store.save('job/1', patterned(10)), 'job/2': await opened.store.save('job/2', patterned(2_500_000)) };
    await opened.store.save('empty', patterned(0));
    const before = await digests(opened.objects);
    const found = await findings(opened);
    expect(found).toMatchObject([
      { status: 'ok', id: 'empty', bytes: 0 },
      { status: 'ok', id: 'job/1', bytes: 10, receipt: receipts['job/1'] },
      { status: 'ok', id: 'job/2', bytes: 2_500_000, receipt: receipts['job/2'] },
    ]);
    expect(await digests(opened.objects)).toEqual(before);
    expect(openFiles()).toEqual([]);
  });

  test('tells damage, missing data, orphans and foreign objects apart', async () => {
    const opened = await openStore({ objects: make() });
    const { store, objects } = opened;
    const receipts = new Map<string, string>();
    for (const id of ['sound', 'lost', 'bad-data', 'orphan', 'bad-record']) receipts.set(id, (await store.save(id, patterned(BIG, id))).objectId);
    await store.save('bad-inline', patterned(10));
    const data = (id: string): string => `${id}.${receipts.get(id) ?? ''}.kfc`;
    await objects.delete(data('lost'));
    await damage(opened, data('bad-data'), 8 * 299_999);
    await damage(opened, 'bad-inline.kfk', 8 * ((await bytesOf(objects, 'bad-inline.kfk')).byteLength - 1));
    await damage(opened, 'bad-record.kfk', 8 * 45);
    await objects.delete('orphan.kfk');
    await objects.put('huge.kfk', new Uint8Array(600_000));
    await objects.put('notes.txt', patterned(3));
    await new PlainCheckpointStore({ objects }).save('plain', patterned(3));
    expect(await outline(opened)).toEqual([
      'damaged bad-data INTEGRITY_FAILURE',
      'damaged bad-inline INTEGRITY_FAILURE',
      'damaged bad-record INTEGRITY_FAILURE',
      'damaged huge LIMIT_EXCEEDED',
      'missing-data lost',
      'foreign notes.txt',
      'orphan orphan',
      'foreign plain.kfp',
      'ok sound',
    ]);
  });

  test('looks only at ids with the prefix, and at what belongs to them', async () => {
    const opened = await openStore({ objects: make() });
    for (const id of ['job/1', 'job/2', 'job', 'other']) await opened.store.save(id, patterned(BIG, id));
    for (const name of await namesIn(opened.objects)) if (name.endsWith('.kfk') && name !== 'job/1.kfk') await opened.objects.delete(name);
    expect(await outline(opened, { prefix: 'job/' })).toEqual(['ok job/1', 'orphan job/2']);
    expect(await outline(opened, { prefix: 'jo' })).toEqual(['orphan job', 'ok job/1', 'orphan job/2']);
  });
});

describe('verify', () => {
  test('without data opens records, and still sees that data are missing', async () => {
    const opened = await openStore({ keyCache: { maxEntries: 0 } });
    const lost = await opened.store.save('lost', patterned(BIG));
    const bad = await opened.store.save('bad', patterned(BIG));
    await opened.store.save('inline', patterned(10));
    await damage(opened, `bad.${bad.objectId}.kfc`, 8 * 1_000);
    await opened.objects.delete(`lost.${lost.objectId}.kfc`);
    expect(await outline(opened, { data: false })).toEqual(['ok bad', 'ok inline', 'missing-data lost']);
    expect(await outline(opened)).toEqual(['damaged bad INTEGRITY_FAILURE', 'ok inline', 'missing-data lost']);
  });

  test('holds what is there against receipts: another save and an older generation are a mismatch, a later one is not', async () => {
    const opened = await openStore();
    const { store, objects } = opened;
    const first = await store.save('replaced', patterned(10));
    await store.save('replaced', patterned(11), { overwrite: true });
    const kept = await store.save('rewrapped', patterned(10));
    await opened.kms.rotateKey();
    const old = await bytesOf(objects, 'rewrapped.kfk');
    const { generation } = await store.rewrap('rewrapped');
    await store.save('unknown', patterned(10));
    const expected = new Map([['replaced', first], ['rewrapped', kept]]);
    const expect_ = (id: string): Promise<typeof first | undefined> => Promise.resolve(expected.get(id));
    expect(await outline(opened, { expect: expect_ })).toEqual(['receipt-mismatch replaced', 'ok rewrapped', 'ok unknown']);
    expected.set('rewrapped', { ...kept, generation });
    await plant(objects, 'rewrapped.kfk', old);
    expect(await outline(opened, { expect: expect_ })).toEqual(['receipt-mismatch replaced', 'receipt-mismatch rewrapped', 'ok unknown']);
  });

  test('says of what it may not or cannot open that it is unchecked, never that it is damaged', async () => {
    const opened = await openStore();
    await opened.store.save('mine', patterned(10));
    const other = await openStore({ objects: opened.objects, kms: new MemoryKms('other-key') });
    await other.store.save('theirs', patterned(10));
    expect(await outline(opened)).toEqual(['ok mine', 'key-not-allowed theirs KEY_NOT_ALLOWED']);
    const fresh = await openStore({ objects: opened.objects, kms: opened.kms });
    for (const code of ['KMS_UNAVAILABLE', 'KMS_THROTTLED', 'ACCESS_DENIED', 'KEY_DISABLED', 'KEY_NOT_FOUND', 'AUTHENTICATION_FAILED'] as const) {
      opened.kms.fault = () => {
        throw new KeyfoldError(code, 'The key service of a test refuses.');
      };
      expect(await outline(fresh)).toEqual([`unchecked mine ${code}`, 'key-not-allowed theirs KEY_NOT_ALLOWED']);
    }
    opened.kms.fault = undefined;
    expect(await outline(fresh)).toEqual(['ok mine', 'key-not-allowed theirs KEY_NOT_ALLOWED']);
  });

  test('says of what the storage does not give that it is unchecked', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openStore({ objects });
    const { objectId } = await opened.store.save('a', patterned(BIG));
    await opened.store.save('b', patterned(BIG));
    await objects.delete('b.kfk');
    const failing = (operation: string, suffix: string): void => {
      objects.before = (done, name) => {
        if (done === operation && name.endsWith(suffix)) throw new KeyfoldError('STORAGE_FAILURE', 'The disk of a test does not answer.');
      };
    };
    failing('open', `${objectId}.kfc`);
    expect((await outline(opened))[0]).toBe('unchecked a STORAGE_FAILURE');
    failing('read', '.kfk');
    expect(await outline(opened)).toEqual(['unchecked a STORAGE_FAILURE', 'unchecked a STORAGE_FAILURE', 'unchecked b STORAGE_FAILURE']);
  });

  test('says nothing of what is deleted meanwhile, and reads what is replaced meanwhile', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openStore({ objects, keyCache: { maxEntries: 0 } });
    for (const id of ['deleted', 'gone', 'replaced']) await opened.store.save(id, patterned(BIG, id));
    const act = async (operation: string, name: string): Promise<void> => {
      objects.before = undefined;
      if (operation === 'read' && name === 'gone.kfk') await opened.store.delete('gone');
      if (operation === 'open' && name.startsWith('deleted.')) await opened.store.delete('deleted');
      if (operation === 'open' && name.startsWith('replaced.')) await opened.store.save('replaced', patterned(BIG, 'new'), { overwrite: true });
      else objects.before = act;
    };
    objects.before = act;
    expect(await findings(opened, { concurrency: 1 })).toMatchObject([{ status: 'ok', id: 'replaced', bytes: BIG, receipt: { generation: 2 } }]);
  });

  test('audits every checkpoint, and counts damage as what it is', async () => {
    const opened = await openStore();
    const { audit, metrics } = opened;
    const bad = await opened.store.save('bad', patterned(10));
    await opened.store.save('good', patterned(10));
    const lost = await opened.store.save('lost', patterned(BIG));
    await opened.objects.delete(`lost.${lost.objectId}.kfc`);
    audit.events.length = 0;
    metrics.measurements.length = 0;
    await findings(opened, { concurrency: 1, expect: (id) => (id === 'bad' ? { ...bad, commitment: '0'.repeat(64) } : undefined) });
    const dek = expect.stringMatching(/^[0-9a-f]{32}$/) as string;
    expect(audit.events).toMatchObject([
      { action: 'checkpoint.verify', scope: 'bad', outcome: 'failure', code: 'INTEGRITY_FAILURE', dek },
      { action: 'checkpoint.verify', scope: 'good', outcome: 'success', dek, kek: { keyId: 'test-key' } },
      { action: 'checkpoint.verify', scope: 'lost', outcome: 'failure', code: 'INTEGRITY_FAILURE', dek },
    ]);
    expect(metrics.measurements.filter(({ name }) => name === 'heliosdb_auth_failures_total')).toHaveLength(2);
  });

  test('ends when the audit sink takes no events', async () => {
    const { store, objects, kms } = await openStore();
    await store.save('a', patterned(10));
    const deaf = await openStore({ objects, kms, audit: { record: () => Promise.reject(new Error('full')) } });
    await expectCode(findings(deaf), 'AUDIT_FAILED');
  });

  test('counts as it goes', async () => {
    const opened = await openStore();
    await opened.store.save('a', patterned(10));
    await opened.store.save('b', patterned(20));
    await opened.objects.put('notes.txt', patterned(3));
    const seen: VerifyProgress[] = [];
    await findings(opened, { onProgress: (progress) => seen.push(progress) });
    expect(seen).toHaveLength(3);
    expect(seen.at(-1)).toMatchObject({ bytes: 30, counts: { ok: 2, foreign: 1, damaged: 0, unchecked: 0 } });
  });

  test('has as many at a time as it may, and no more', async () => {
    for (const concurrency of [1, 3]) {
      const objects = new HookedObjectStore(new MemoryObjectStore());
      const opened = await openStore({ objects });
      for (let n = 0; n < 10; n++) await opened.store.save(`c/${n}`, patterned(10));
      let now = 0;
      let most = 0;
      objects.before = async (operation) => {
        if (operation !== 'read') return;
        most = Math.max(most, ++now);
        await new Promise(setImmediate);
      };
      objects.after = (operation) => {
        if (operation === 'read') now--;
      };
      expect(await findings(opened, { concurrency })).toHaveLength(10);
      expect(most).toBe(concurrency);
    }
  });

  test('gives no plaintext out and leaves none in what it was handed', async () => {
    const opened = await openStore({ objects: new MemoryObjectStore() });
    await opened.store.save('a', patterned(2_500_000));
    const filled: Uint8Array[] = [];
    const fill = vi.spyOn(Uint8Array.prototype, 'fill').mockImplementation(function (this: Uint8Array, value) {
      this.set(new Uint8Array(this.byteLength));
      if (value === 0 && this.byteLength > 400_000) filled.push(this);
      return this;
    });
    await findings(opened).finally(() => {
      fill.mockRestore();
    });
    expect(filled.map(({ byteLength }) => byteLength)).toEqual([1_048_464, 1_048_560, 402_976]);
    expect(filled.every((chunk) => chunk.every((byte) => byte === 0))).toBe(true);
  });

  test('that is left early reads no further', async () => {
    const objects = new HookedObjectStore(new MemoryObjectStore());
    const opened = await openStore({ objects });
    for (let n = 0; n < 20; n++) await opened.store.save(`c/${n}`, patterned(BIG));
    objects.log.length = 0;
    for await (const finding of opened.store.verify({ concurrency: 2 })) {
      expect(finding.status).toBe('ok');
      break;
    }
    const soon = objects.log.length;
    await new Promise(setImmediate);
    expect(objects.log.length).toBe(soon);
    expect(objects.log.filter((entry) => entry.startsWith('open')).length).toBeLessThan(6);
  });

  test('that is left early does not read what it has begun to its end', async () => {
    let given = 0;
    const objects = new (class extends HookedObjectStore {
      override async open(...args: Parameters<HookedObjectStore['open']>): ReturnType<HookedObjectStore['open']> {
        const object = await super.open(...args);
        return object && { ...object, body: slowly(object.body, () => given++) };
      }
    })(new MemoryObjectStore());
    const opened = await openStore({ objects });
    await opened.store.save('large', patterned(20_000_000));
    await opened.store.save('small', patterned(10));
    for await (const finding of opened.store.verify({ concurrency: 2 })) {
      expect(finding.id).toBe('small');
      break;
    }
    expect(given).toBeLessThan(10);
  });

  test('ends with ABORTED when the signal fires, and with CLOSED on a closed store', async () => {
    const opened = await openStore();
    for (let n = 0; n < 5; n++) await opened.store.save(`c/${n}`, patterned(BIG));
    const abort = new AbortController();
    await expectCode(
      findings(opened, {
        signal: abort.signal,
        onProgress: () => {
          abort.abort();
        },
      }),
      'ABORTED',
    );
    await opened.store.close();
    await expectCode(findings(opened), 'CLOSED');
  });

  test('passes on what the source of receipts throws, and refuses what is none', async () => {
    const opened = await openStore();
    await opened.store.save('a', patterned(10));
    const error = new Error('no receipts today');
    expect(await rejection(findings(opened, { expect: () => Promise.reject(error) }))).toBe(error);
    await expectCode(findings(opened, { expect: () => ({ objectId: 'x' }) as never }), 'INVALID_ARGUMENT', /receipt/);
  });

  test('says of everything that is not sound what to do', async () => {
    const opened = await openStore();
    const { store, objects } = opened;
    const lost = await store.save('lost', patterned(BIG));
    await objects.delete(`lost.${lost.objectId}.kfc`);
    await store.save('orphan', patterned(BIG));
    await objects.delete('orphan.kfk');
    const other = await store.save('other', patterned(10));
    await store.save('sound', patterned(10));
    await objects.put('notes.txt', patterned(3));
    const all = await findings(opened, { expect: (id) => (id === 'other' ? { ...other, generation: 2 } : undefined) });
    expect(new Map(all.map(({ status, message }) => [status, message]))).toEqual(
      new Map<string, unknown>([
        ['missing-data', expect.stringMatching(/data are gone\. Restore/)],
        ['foreign', expect.stringMatching(/Find out who wrote it/)],
        ['orphan', expect.stringMatching(/gc\(\) removes/)],
        ['receipt-mismatch', expect.stringMatching(/Find out who writes/)],
        ['ok', undefined],
      ]),
    );
  });

  test.each([{ receipts: new Map() }, { Expect: () => undefined }, null])('refuses %o rather than look less closely', async (options) => {
    await expectCode(findings(await openStore(), options as never), 'INVALID_ARGUMENT', /verify\(\)/);
  });

  test.each([{ concurrency: 0 }, { concurrency: 65 }, { concurrency: 1.5 }, { data: 'no' }, { expect: {} }])('refuses %o', async (options) => {
    await expectCode(findings(await openStore(), options as never), 'INVALID_ARGUMENT', /must be/);
  });

  test('asks the KMS once for each record', async () => {
    const opened = await openStore();
    for (let n = 0; n < 5; n++) await opened.store.save(`c/${n}`, patterned(10));
    expect(await kmsCalls(opened.kms, () => findings(opened))).toEqual({ decrypt: 5 });
  });
});
