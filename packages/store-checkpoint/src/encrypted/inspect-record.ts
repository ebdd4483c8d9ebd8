import { inspectCheckpointRecord, isKeyfoldError } from '@keyfold/core';

/** What a record says of itself, or undefined when it is damaged: that must not keep anybody from deleting or replacing it. */
export function tryInspect(record: Uint8Array, id: string): ReturnType<typeof inspectCheckpointRecord> | undefined {
  try {
    return inspectCheckpointRecord(record, id);
  } catch (error) {
    if (isKeyfoldError(error, 'INTEGRITY_FAILURE')) return undefined;
    throw error;
  }
}
