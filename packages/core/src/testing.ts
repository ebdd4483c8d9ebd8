/** For tests: fakes of the ports that really do what the ports promise, and a clock moved by hand. */
export { ManualClock } from './testing/manual-clock.ts';
export { MemoryKeyRecordStore } from './testing/memory-key-record-store.ts';
export { MemoryKms, type MemoryKmsFault } from './testing/memory-kms.ts';
export { RecordingAuditSink, RecordingMetricsSink } from './testing/recording-sinks.ts';
