import { describe, expect, test } from 'vitest';
import { METRICS } from '../src/ports/metric-names.ts';
import { Meter, type MetricsSink } from '../src/ports/metrics-sink.ts';
import { RecordingMetricsSink } from '../src/testing/recording-sinks.ts';

describe('Meter', () => {
  test('reports under the names of the specification', () => {
    const sink = new RecordingMetricsSink();
    const meter = new Meter(sink);
    meter.increment('encryptions', { outcome: 'success' });
    meter.observe('kmsCallSeconds', 0.25, { provider: 'local' });
    expect(sink.measurements).toEqual([
      { name: 'heliosdb_checkpoint_encryption_total', value: 1, labels: { outcome: 'success' } },
      { name: 'heliosdb_kms_call_duration_seconds', value: 0.25, labels: { provider: 'local' } },
    ]);
  });

  test('takes another prefix', () => {
    const sink = new RecordingMetricsSink();
    new Meter(sink, 'acme').increment('keyRewraps', {});
    expect(sink.measurements[0]?.name).toBe('acme_key_rewrap_total');
  });

  test('drops what a sink throws', () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    const sink: MetricsSink = { increment: broken, observe: broken };
    const meter = new Meter(sink);
    meter.increment('encryptions', {});
    meter.observe('encryptionSeconds', 1, {});
    expect(() => {
      sink.increment('', {});
    }).toThrow('broken');
  });

  test('does nothing without a sink', () => {
    const meter = new Meter(undefined);
    meter.increment('encryptions', {});
    expect(() => {
      meter.observe('encryptionSeconds', 1, {});
    }).not.toThrow();
  });

  test('has counters that end in _total, durations that end in _seconds, and no two metrics of one name', () => {
    const names = Object.entries(METRICS);
    for (const [meaning, name] of names) expect(name).toMatch(meaning.endsWith('Seconds') ? /_duration_seconds$/ : /_total$/);
    expect(new Set(names.map(([, name]) => name)).size).toBe(names.length);
    expect(Object.values(METRICS)).toEqual([
      'checkpoint_encryption_total',
      'checkpoint_decryption_total',
      'checkpoint_encryption_duration_seconds',
      'checkpoint_decryption_duration_seconds',
      'kms_call_duration_seconds',
      'key_rotation_total',
      'encryption_errors_total',
      'decryption_errors_total',
      'auth_failures_total',
      'key_rewrap_total',
      'data_key_total',
      'field_legacy_read_total',
      'checkpoint_plaintext_total',
      'kms_retry_total',
    ]);
  });
});
