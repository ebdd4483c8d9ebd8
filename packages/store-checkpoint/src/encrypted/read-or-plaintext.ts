import { type CheckpointMetadata, type OpenedKeyRecord, isKeyfoldError } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import { type OpenCheckpointOptions, type OpenRecordOptions, loadChunks, openRecord } from './load.ts';
import type { PlaintextWindow } from './plaintext-window.ts';
import type { StoreContext } from './store-context.ts';
import type { Trail } from './trail.ts';

/** A store, and what is still in plaintext beside it. */
export interface ReadableStore {
  readonly context: StoreContext;
  readonly window: PlaintextWindow | undefined;
}

/** A checkpoint's chunks; in plaintext where the window is open and there is no record. */
export async function* chunksOrPlaintext(
  { context, window }: ReadableStore,
  id: string,
  options: Omit<OpenCheckpointOptions, 'onOpened'> & { readonly onLength?: (length: number | undefined) => void },
  trail: Trail,
): AsyncGenerator<Uint8Array, void, undefined> {
  const seen = { record: false };
  // The event is on record before any plaintext is out.
  const onOpened = async (opened: OpenedKeyRecord, length: number | undefined): Promise<void> => {
    options.onLength?.(length);
    seen.record = true;
    trail.note(toHex(opened.parsed.record.dekId), opened.wrap);
    await trail.success();
  };
  const sealed = (): AsyncIterable<Uint8Array> => loadChunks(context, id, { ...options, onOpened });
  try {
    yield* sealed();
  } catch (error) {
    if (window === undefined || seen.record || !mayBePlain(error, options)) throw error;
    const { range, maxBytes, signal } = options;
    const asked = { signal, ...(range === undefined ? {} : { range }), ...(maxBytes === undefined ? {} : { maxBytes }) };
    // Where there is nothing in plaintext either it may have been moved meanwhile.
    yield* (await window.chunks(id, asked)) ?? sealed();
  }
  if (seen.record) trail.measure();
}

/** A checkpoint's metadata; in plaintext where the window is open and there is no record. */
export async function metadataOrPlaintext(
  { context, window }: ReadableStore,
  id: string,
  options: OpenRecordOptions,
  note: Trail['note'],
): Promise<CheckpointMetadata> {
  const read = async (): Promise<CheckpointMetadata> => {
    const { opened } = await openRecord(context, id, options);
    opened.lease.release();
    note(toHex(opened.parsed.record.dekId), opened.wrap);
    return opened.metadata;
  };
  try {
    return await read();
  } catch (error) {
    if (window === undefined || !mayBePlain(error, options)) throw error;
    const plain = await window.metadata(id, { signal: options.signal });
    return plain === undefined ? await read() : plain.value;
  }
}

/** Only where there is no record at all, never where one does not open; and nothing in plaintext is what a receipt is of. */
function mayBePlain(error: unknown, options: OpenRecordOptions): boolean {
  return options.expect === undefined && options.minimumGeneration === undefined && isKeyfoldError(error, 'NOT_FOUND');
}
