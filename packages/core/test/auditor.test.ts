import { describe, expect, test } from 'vitest';
import { KeyfoldError, isKeyfoldError } from '../src/errors.ts';
import type { AuditSink } from '../src/ports/audit-sink.ts';
import { Auditor } from '../src/ports/auditor.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { RecordingAuditSink } from '../src/testing/recording-sinks.ts';
import { rejection } from './support/checkpoints.ts';

const EVENT = { action: 'checkpoint.encrypt', tenant: 'acme', scope: 'chk-1', dek: '00'.repeat(16) } as const;

describe('Auditor', () => {
  test('adds time and outcome to what happened', async () => {
    const [sink, clock] = [new RecordingAuditSink(), new ManualClock(1_000)];
    const auditor = new Auditor(sink, clock);
    await auditor.success(EVENT);
    clock.advance(5);
    await auditor.failure(EVENT, new KeyfoldError('INTEGRITY_FAILURE', 'No.'));
    expect(sink.events).toEqual([
      { ...EVENT, time: 1_000, outcome: 'success' },
      { ...EVENT, time: 1_005, outcome: 'failure', code: 'INTEGRITY_FAILURE' },
    ]);
  });

  test('names a foreign failure by no more than UNKNOWN', async () => {
    const sink = new RecordingAuditSink();
    await new Auditor(sink, new ManualClock()).failure(EVENT, Object.assign(new Error('hunter2'), { code: 'hunter2' }));
    expect(sink.events[0]?.code).toBe('UNKNOWN');
    expect(JSON.stringify(sink.events)).not.toContain('hunter2');
  });

  const failing: readonly (readonly [string, AuditSink])[] = [
    ['throws', { record: () => { throw new Error('hunter2'); } }],
    ['rejects', { record: () => Promise.reject(new Error('hunter2')) }],
  ];

  test.each(failing)('a sink that %s makes a success fail with AUDIT_FAILED', async (_, sink) => {
    const error = await rejection(new Auditor(sink, new ManualClock()).success(EVENT));
    expect(isKeyfoldError(error, 'AUDIT_FAILED')).toBe(true);
    expect((error as Error).message).toContain('checkpoint.encrypt');
    expect((error as Error).message).not.toContain('hunter2');
    expect((error as Error).cause).toEqual({ name: 'Error' });
  });

  test.each(failing)('a sink that %s does not hide the failure that it should record', async (_, sink) => {
    await expect(new Auditor(sink, new ManualClock()).failure(EVENT, new Error('x'))).resolves.toBeUndefined();
  });

  test('waits for the sink', async () => {
    let taken = false;
    const sink: AuditSink = {
      record: async () => {
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        taken = true;
      },
    };
    await new Auditor(sink, new ManualClock()).success(EVENT);
    expect(taken).toBe(true);
  });

  test('does nothing without a sink', async () => {
    const auditor = new Auditor(undefined, new ManualClock());
    await expect(auditor.success(EVENT)).resolves.toBeUndefined();
    await expect(auditor.failure(EVENT, new Error('x'))).resolves.toBeUndefined();
  });
});
