import { ByteQueue } from '../byte-queue.ts';
import { FrameOpener } from '../crypto/frame-opener.ts';
import { integrityFailure } from '../errors.ts';
import { LEAD_BYTES, openLead } from './data-lead.ts';
import type { CheckpointIdentity, OpenedKeyRecord } from './open-key-record.ts';

/**
 * Opens a checkpoint's data object as it comes. Suite, object id, DEK id and
 * commitment must be the record's, and the commitment must be the key's, before
 * any frame is opened; every chunk that is given out is authenticated.
 * The consumer must not trust the end of the data before the iteration ends.
 * @throws KeyfoldError INTEGRITY_FAILURE, as a rejection of the iteration, and what `data` throws
 */
export async function* openCheckpointData(
  opened: OpenedKeyRecord,
  identity: CheckpointIdentity,
  data: AsyncIterable<Uint8Array>,
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
    yield* plaintexts;
  }
  const last = frames?.end();
  if (last === undefined) throw failure();
  yield last;
}
