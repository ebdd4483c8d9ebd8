import { MemoryKms, RecordingAuditSink, RecordingMetricsSink } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { EncryptedCheckpointStore } from '../src/encrypted/encrypted-checkpoint-store.ts';
import { MemoryObjectStore } from '../src/object-stores/memory-object-store.ts';
import { type OpenCheckpointStoreOptions, PLAINTEXT_ACKNOWLEDGEMENT, openCheckpointStore } from '../src/plain/open-checkpoint-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { gathered, patterned } from './support/bytes.ts';
import { expectCode } from './support/expect-code.ts';
import { namesIn } from './support/objects.ts';

function base(): OpenCheckpointStoreOptions & { readonly objects: MemoryObjectStore; readonly kms: MemoryKms } {
  return { objects: new MemoryObjectStore(), kms: new MemoryKms(), tenant: 'acme' };
}

const OFF = { encryption: { enabled: false } } as const;

describe('a store from a configuration', () => {
  test('encrypts unless it says otherwise', async () => {
    for (const encryption of [undefined, {}, { enabled: true }]) {
      const options = base();
      const store = await openCheckpointStore({ ...options, ...(encryption === undefined ? {} : { encryption }) });
      expect(store).toBeInstanceOf(EncryptedCheckpointStore);
      await store.save('a', patterned(10));
      expect(await namesIn(options.objects)).toEqual(['a.kfk']);
    }
  });

  test('does not open in plaintext without the acknowledgement, word for word, and touches nothing', async () => {
    for (const allowPlaintext of [undefined, true, 'yes', PLAINTEXT_ACKNOWLEDGEMENT.toLowerCase(), `${PLAINTEXT_ACKNOWLEDGEMENT}.`]) {
      const audit = new RecordingAuditSink();
      const options = { ...base(), ...OFF, audit, ...(allowPlaintext === undefined ? {} : { allowPlaintext: allowPlaintext as never }) };
      await expectCode(openCheckpointStore(options), 'CONFIG_INVALID', /I accept that checkpoints are not encrypted/);
      expect(audit.events).toEqual([]);
    }
    await expectCode(EncryptedCheckpointStore.open({ ...base(), ...OFF }), 'CONFIG_INVALID', /always encrypts/);
  });

  test('opens in plaintext loudly: an event, a count and a warning', async () => {
    const [audit, metrics] = [new RecordingAuditSink(), new RecordingMetricsSink()];
    const warnings: string[] = [];
    const options = base();
    const store = await openCheckpointStore({
      ...options,
      ...OFF,
      audit,
      metrics,
      allowPlaintext: PLAINTEXT_ACKNOWLEDGEMENT,
      onWarning: (warning) => warnings.push(warning),
    });
    expect(store).toBeInstanceOf(PlainCheckpointStore);
    expect(audit.events).toMatchObject([{ action: 'checkpoint.open-plaintext', outcome: 'success', tenant: 'acme', scope: '*' }]);
    expect(metrics.measurements).toEqual([{ name: 'heliosdb_checkpoint_plaintext_total', value: 1, labels: { use: 'open' } }]);
    expect(warnings).toEqual([expect.stringMatching(/plaintext.*can read them\.$/)]);
    await store.save('a', patterned(10));
    expect(await namesIn(options.objects)).toEqual(['a.kfp']);
    expect(options.kms.calls.size).toBe(0);
  });

  test('in plaintext neither lists nor touches what is encrypted', async () => {
    const options = base();
    const sealed = await openCheckpointStore(options);
    await sealed.save('sealed', patterned(10));
    const plain = await openCheckpointStore({ ...options, ...OFF, allowPlaintext: PLAINTEXT_ACKNOWLEDGEMENT });
    expect(await gathered(plain.list())).toEqual([]);
    await expectCode(plain.load('sealed'), 'NOT_FOUND');
    expect(await plain.delete('sealed')).toBe(false);
    expect(await sealed.load('sealed')).toEqual(patterned(10));
  });

  test('does not open in plaintext when the event is not taken', async () => {
    const options = { ...base(), ...OFF, allowPlaintext: PLAINTEXT_ACKNOWLEDGEMENT } as const;
    await expectCode(openCheckpointStore({ ...options, audit: { record: () => Promise.reject(new Error('full')) } }), 'AUDIT_FAILED');
  });

  test('refuses what contradicts itself', async () => {
    const allowed = { ...base(), ...OFF, allowPlaintext: PLAINTEXT_ACKNOWLEDGEMENT } as const;
    await expectCode(openCheckpointStore({ ...base(), allowPlaintext: PLAINTEXT_ACKNOWLEDGEMENT }), 'CONFIG_INVALID', /not false/);
    await expectCode(openCheckpointStore({ ...allowed, hideNames: true }), 'CONFIG_INVALID', /hideNames/);
    await expectCode(openCheckpointStore({ ...allowed, migration: { plaintext: new PlainCheckpointStore(base()) } }), 'CONFIG_INVALID', /migration/);
    await expectCode(openCheckpointStore({ ...allowed, encryption: { enabled: false, auditLogging: true } }), 'CONFIG_INVALID', /auditLogging/);
    await expectCode(openCheckpointStore({ ...allowed, encryption: { enabled: false, algoritm: 'x' } as never }), 'CONFIG_INVALID', /algoritm/);
    await expectCode(openCheckpointStore({ ...allowed, tenant: '' }), 'CONFIG_INVALID', /tenant/);
    await expectCode(openCheckpointStore({ ...allowed, colour: 'red' } as never), 'CONFIG_INVALID', /colour/);
    await expectCode(openCheckpointStore({ ...allowed, onWarning: 'log' as never }), 'CONFIG_INVALID', /onWarning/);
    for (const nothing of [undefined, null]) await expectCode(openCheckpointStore(nothing as never), 'CONFIG_INVALID', /takes an object/);
  });
});
