import type { AuditEvent, AuditSink } from '@keyfold/core';
import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { flipBit, gathered, joined, patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { bytesOf, onlyName, plant } from '../support/objects.ts';
import { openFiles } from '../support/open-files.ts';
import { kmsCalls, openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BIG = 2_500_000;
const DEK = expect.stringMatching(/^[0-9a-f]{32}$/) as string;
const KEK = { provider: 'memory', keyId: 'test-key', keyVersion: '1' };

/** Refuses events of one action, or all. */
function refusing(action?: string): AuditSink {
  return {
    record: (event) => {
      if (action === undefined || event.action === action) throw new Error('no room on the audit disk');
    },
  };
}

function outline({ action, outcome, code }: AuditEvent): string {
  return [action, outcome, ...(code === undefined ? [] : [code])].join(' ');
}

describe('the audit', () => {
  test('has an event for every act, with tenant, id and keys', async () => {
    const { store, audit, clock } = await openStore();
    await store.save('job/1', patterned(10));
    await store.load('job/1');
    await joined(store.loadStream('job/1'));
    await store.readMetadata('job/1');
    await store.rewrap('job/1');
    await store.delete('job/1');
    await store.delete('job/1');
    await gathered(store.list());
    const common = { tenant: 'acme', scope: 'job/1', outcome: 'success', time: clock.now() };
    const [{ dek } = { dek: '' }] = audit.events;
    expect(audit.events).toEqual([
      { ...common, action: 'checkpoint.encrypt', dek: DEK, kek: KEK },
      { ...common, action: 'checkpoint.decrypt', dek, kek: KEK },
      { ...common, action: 'checkpoint.decrypt', dek, kek: KEK },
      { ...common, action: 'checkpoint.read-metadata', dek, kek: KEK },
      { ...common, action: 'key.rewrap', dek, kek: KEK },
      { ...common, action: 'checkpoint.delete', dek },
      { ...common, action: 'checkpoint.delete' },
    ]);
  });

  test('has the decryption on record before the first byte is out', async () => {
    const { store, audit } = await openStore();
    await store.save('a', patterned(BIG));
    audit.events.length = 0;
    for await (const chunk of store.loadStream('a')) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      expect(audit.events.map(outline)).toEqual(['checkpoint.decrypt success']);
    }
  });

  test('has a failure with its code, for every act', async () => {
    const { store, objects, audit } = await openStore();
    await store.save('a', patterned(10));
    audit.events.length = 0;
    await expectCode(store.save('a', patterned(1)), 'ALREADY_EXISTS');
    await expectCode(store.load('none'), 'NOT_FOUND');
    await expectCode(store.load('../a'), 'INVALID_ARGUMENT');
    await expectCode(store.rewrap('none'), 'NOT_FOUND');
    await plant(objects, 'a.kfk', patterned(100));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await expectCode(store.readMetadata('a'), 'INTEGRITY_FAILURE');
    await store.close();
    await expectCode(store.delete('a'), 'CLOSED');
    expect(audit.events.map(outline)).toEqual([
      'checkpoint.encrypt failure ALREADY_EXISTS',
      'checkpoint.decrypt failure NOT_FOUND',
      'checkpoint.decrypt failure INVALID_ARGUMENT',
      'key.rewrap failure NOT_FOUND',
      'checkpoint.decrypt failure INTEGRITY_FAILURE',
      'checkpoint.read-metadata failure INTEGRITY_FAILURE',
      'checkpoint.delete failure CLOSED',
    ]);
  });

  test('has both the beginning and the failure of a load that breaks in the middle', async () => {
    const { store, objects, audit } = await openStore();
    await store.save('a', patterned(BIG));
    const name = await onlyName(objects, '.kfc');
    await plant(objects, name, flipBit(await bytesOf(objects, name), 8 * 2_000_000));
    audit.events.length = 0;
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    expect(audit.events.map(outline)).toEqual(['checkpoint.decrypt success', 'checkpoint.decrypt failure INTEGRITY_FAILURE']);
    expect(audit.events[1]).toMatchObject({ dek: DEK, kek: KEK });
  });

  test('of an error that is not ours says UNKNOWN, and nothing of the error', async () => {
    const { store, audit } = await openStore();
    const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield await Promise.resolve(new Uint8Array(1));
      throw new Error('password=hunter2');
    };
    await expect(store.save('a', source())).rejects.toThrow('hunter2');
    expect(audit.events.map(outline)).toEqual(['checkpoint.encrypt failure UNKNOWN']);
    expect(JSON.stringify(audit.events)).not.toContain('hunter2');
  });

  test('takes no more of an id that is none than an id may have', async () => {
    const { store, audit } = await openStore();
    await expectCode(store.load('x'.repeat(100_000)), 'INVALID_ARGUMENT');
    await expectCode(store.load({ secret: 'in an object' } as never), 'INVALID_ARGUMENT');
    expect(audit.events.map(({ scope }) => scope)).toEqual(['x'.repeat(1_024), '']);
  });

  test('that does not take the event of a load: no plaintext, AUDIT_FAILED, nothing held', async () => {
    const root = temporaryDirectory();
    const objects = new FileSystemObjectStore(root);
    const { store, kms } = await openStore({ objects });
    await store.save('a', patterned(BIG), { metadata: { n: 1 } });
    const blind = await openStore({ objects, kms, audit: refusing() });
    const released: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of blind.store.loadStream('a')) released.push(chunk);
    };
    const error = await expectCode(read, 'AUDIT_FAILED', /check the sink/);
    expect(error.cause).toEqual({ name: 'Error' });
    await expectCode(blind.store.load('a'), 'AUDIT_FAILED', /Nothing was given out/);
    await expectCode(blind.store.readMetadata('a'), 'AUDIT_FAILED');
    expect(released).toEqual([]);
    expect(openFiles()).toEqual([]);
  });

  test('that does not take the event of a save: AUDIT_FAILED, and the checkpoint is there', async () => {
    const { store, objects, kms } = await openStore({ audit: refusing('checkpoint.encrypt') });
    await expectCode(store.save('a', patterned(10)), 'AUDIT_FAILED', /checkpoint has been saved and stands/);
    await expectCode(store.save('a', patterned(10)), 'ALREADY_EXISTS');
    const other = await openStore({ objects, kms });
    expect(await other.store.load('a')).toEqual(patterned(10));
  });

  test('that does not take the event of a failure: the failure itself comes out', async () => {
    const { store } = await openStore({ audit: refusing() });
    await expectCode(store.load('none'), 'NOT_FOUND');
    await expectCode(store.save('', patterned(1)), 'INVALID_ARGUMENT');
  });

  test('may take its time: an asynchronous sink is waited for', async () => {
    const events: AuditEvent[] = [];
    const slow: AuditSink = {
      record: async (event) => {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(event);
      },
    };
    const { store } = await openStore({ audit: slow });
    await store.save('a', patterned(10));
    expect(events).toHaveLength(1);
    await expectCode(store.load('none'), 'NOT_FOUND');
    expect(events).toHaveLength(2);
  });
});

describe('metrics', () => {
  const everything = async (overrides: Parameters<typeof openStore>[0]): Promise<ReturnType<typeof openStore>> => {
    const opened = await openStore(overrides);
    const { store, objects } = opened;
    await store.save('a', patterned(10));
    opened.clock.advance(250);
    await store.load('a');
    await store.readMetadata('a');
    await store.rewrap('a');
    await expectCode(store.save('a', patterned(10)), 'ALREADY_EXISTS');
    await expectCode(store.load('none'), 'NOT_FOUND');
    await plant(objects, 'a.kfk', patterned(90));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
    await store.delete('a');
    return opened;
  };

  test.each([[undefined, 'heliosdb'], ['keyfold', 'keyfold']])('with the prefix %s are named %s_*', async (metricsPrefix, prefix) => {
    const { metrics } = await everything({ ...(metricsPrefix === undefined ? {} : { metricsPrefix }), testKms: true });
    const seen = metrics.measurements.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    const kms = (operation: string): string => `${prefix}_kms_call_duration_seconds {"provider":"memory","operation":"${operation}","outcome":"success"}`;
    expect(seen).toEqual([
      kms('testConnection'),
      kms('generateDataKey'),
      `${prefix}_checkpoint_encryption_total {}`,
      `${prefix}_checkpoint_encryption_duration_seconds {}`,
      kms('decrypt'),
      `${prefix}_checkpoint_decryption_total {}`,
      `${prefix}_checkpoint_decryption_duration_seconds {}`,
      kms('currentKeyVersion'),
      kms('decrypt'),
      `${prefix}_key_rewrap_total {}`,
      `${prefix}_encryption_errors_total {"code":"ALREADY_EXISTS"}`,
      `${prefix}_decryption_errors_total {"code":"NOT_FOUND"}`,
      `${prefix}_decryption_errors_total {"code":"INTEGRITY_FAILURE"}`,
      `${prefix}_auth_failures_total {}`,
    ]);
  });

  test('are in seconds, and never below zero when the clock is set back', async () => {
    const { store, kms, clock, metrics } = await openStore();
    kms.fault = (operation) => {
      clock.advance(operation === 'generateDataKey' ? 1_500 : -9_000);
    };
    await store.save('a', patterned(10));
    await store.load('a');
    const durations = metrics.measurements.filter(({ name }) => name.endsWith('_seconds')).map(({ value }) => value);
    expect(durations).toEqual([1.5, 1.5, 0, 0]);
  });

  test('that throw harm nothing', async () => {
    const fail = (): never => {
      throw new Error('no metrics today');
    };
    const { store } = await openStore({ metrics: { increment: fail, observe: fail } });
    await store.save('a', patterned(10));
    expect(await store.load('a')).toEqual(patterned(10));
    await expectCode(store.load('none'), 'NOT_FOUND');
  });

  test('carry no id, tenant or key in their labels', async () => {
    const { metrics } = await everything({ kms: new MemoryKms('kek-name') });
    const all = JSON.stringify(metrics.measurements.map(({ labels }) => labels));
    expect(all).not.toMatch(/acme|kek-name|none|"a"/);
  });

  test('of a stream that is left early count no decryption', async () => {
    const { store, kms, metrics } = await openStore();
    await store.save('a', patterned(BIG));
    metrics.measurements.length = 0;
    await kmsCalls(kms, async () => {
      for await (const chunk of store.loadStream('a')) if (chunk.byteLength > 0) break;
    });
    expect(metrics.measurements.filter(({ name }) => name.includes('decryption'))).toEqual([]);
  });
});
