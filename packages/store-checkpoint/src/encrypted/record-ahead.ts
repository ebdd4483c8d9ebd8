import type { PreparedPut } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';
import type { CheckpointRecords } from './checkpoint-records.ts';

/**
 * The record of a save under way. Where its store can, it is written beside the
 * data's last sync, so that after it nothing is left to do but to make the
 * record visible. It is visible only after `publish`, which is the commit.
 */
export class RecordAhead {
  readonly #records: CheckpointRecords;
  readonly #id: string;
  /** Of what it replaces, or undefined where nothing may stand. */
  readonly #version: string | undefined;
  readonly #options: CallOptions;
  #prepared: Promise<PreparedPut> | undefined;

  constructor(records: CheckpointRecords, id: string, version: string | undefined, options: CallOptions) {
    this.#records = records;
    this.#id = id;
    this.#version = version;
    this.#options = { signal: options.signal };
  }

  /** To be called when the store has been given the last of the data, and not before: what was prepared does not keep. */
  begin(bytes: Uint8Array): void {
    this.#prepared ??= this.#records.prepare?.(this.#id, this.#version, bytes, this.#options);
    // Its error belongs to whoever publishes, if anyone does.
    this.#prepared?.catch(() => undefined);
  }

  /**
   * The commit: creates the record, or swaps it for that version.
   * @param bytes what was prepared, if anything was
   * @throws KeyfoldError as KeyRecordStore.create and compareAndSwap
   */
  async publish(bytes: Uint8Array): Promise<void> {
    const beginning = this.#prepared;
    this.#prepared = undefined;
    const prepared = await beginning;
    if (prepared !== undefined) await prepared.publish();
    else if (this.#version === undefined) await this.#records.create(this.#id, bytes, this.#options);
    else await this.#records.compareAndSwap(this.#id, this.#version, bytes, this.#options);
  }

  /** Leaves nothing of what was prepared and never published. Never rejects. */
  async discard(): Promise<void> {
    try {
      await (await this.#prepared)?.discard();
    } catch {
      // The save's own outcome is what counts.
    }
  }
}
