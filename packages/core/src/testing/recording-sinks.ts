import type { AuditEvent, AuditSink } from '../ports/audit-sink.ts';
import type { MetricLabels, MetricsSink } from '../ports/metrics-sink.ts';

/** Keeps audit events for a test to look at. */
export class RecordingAuditSink implements AuditSink {
  readonly events: AuditEvent[] = [];

  /** Keeps the event. */
  record(event: AuditEvent): void {
    this.events.push(event);
  }
}

/** Keeps measurements for a test to look at. */
export class RecordingMetricsSink implements MetricsSink {
  readonly measurements: { readonly name: string; readonly value: number; readonly labels: MetricLabels }[] = [];

  increment(name: string, labels: MetricLabels, by = 1): void {
    this.measurements.push({ name, value: by, labels });
  }

  observe(name: string, value: number, labels: MetricLabels): void {
    this.measurements.push({ name, value, labels });
  }
}
