import { ByteQueue } from '../byte-queue.ts';
import type { BufferFreer } from '../crypto/buffer-freer.ts';
import { FrameOpener } from '../crypto/frame-opener.ts';
import { integrityFailure } from '../errors.ts';
import { LEAD_BYTES, openLead } from './data-lead.ts';
import type { CheckpointIdentity, OpenedKeyRecord } from './open-key-record.ts';
import { ALL_SUITES, acceptedSuite } from './suites.ts';

/** Plaintext of a data object of `size` bytes, where the record's suite lets its size alone tell. */
export function checkpointLength({ parsed }: OpenedKeyRecord, size: number): number | undefined {
  return acceptedSuite(parsed.record.suite, ALL_SUITES)?.plaintextLength(size - LEAD_BYTES);
}

/**
 * Opens a checkpoint's data object as it comes. Suite, object id, DEK id and
 * commitment must be the record's, and the commitment must be the key's, before
 * any frame is opened; every chunk that is given out is authenticated.
 * The consumer must not trust the end of the data before the iteration ends.
 * @param freer given where the chunks of `data` may be freed as soon as they are opened
 * @throws KeyfoldError INTEGRITY_FAILURE, as a rejection of the iteration, and what `data` throws
 */
export async function* openCheckpointData(
  opened: OpenedKeyRecord,
  identity: CheckpointIdentity,
  data: AsyncIterable<Uint8Array>,
  freer?: Pick<BufferFreer, 'free'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const failure = (): Error => integrityFailure(`The checkpoint ${JSON.stringify(identity.checkpoint)}`);
  const lead = new ByteQueue();
  let frames: FrameOpener | undefined;
  for await (const chunk of data) {
    opened.lease.addBytes(chunk.byteLength);
    let ciphertext = chunk;
    if (frames === undefined) {
      lead.push(chunk);
      if (lead.byteLength < LEAD_BYTES) continue;
      const cipher = openLead(opened, identity, lead.take(LEAD_BYTES));
      if (cipher === undefined) throw failure();
      frames = new FrameOpener(cipher);
      ciphertext = lead.take(lead.byteLength);
    }
    const plaintexts = frames.push(ciphertext);
    if (plaintexts === undefined) throw failure();
    if (frames.isDrained) freer?.free(chunk);
    yield* plaintexts;
  }
  const last = frames?.end();
  if (last === undefined) throw failure();
  yield last;
}
