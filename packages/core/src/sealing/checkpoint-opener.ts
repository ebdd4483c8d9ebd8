import { ByteQueue } from '../byte-queue.ts';
import { constantTimeEqual } from '../bytes.ts';
import { FrameOpener } from '../crypto/frame-opener.ts';
import { COMMITMENT_BYTES, type FrameKey, SALT_BYTES, commitmentMatches, deriveFrameKey } from '../crypto/framed-aead.ts';
import { integrityFailure } from '../errors.ts';
import { DATA_HEADER_BYTES, dataBinding, parseDataHeader } from '../format/checkpoint.ts';
import { checkpointContext } from '../format/context.ts';
import { MalformedError } from '../format/reader.ts';
import type { CheckpointIdentity, OpenedKeyRecord } from './open-key-record.ts';
import { ALL_SUITES, acceptedSuite } from './suites.ts';

const LEAD_BYTES = DATA_HEADER_BYTES + SALT_BYTES + COMMITMENT_BYTES;

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
      const frameKey = dataKey(opened, identity, lead.take(LEAD_BYTES));
      if (frameKey === undefined) throw failure();
      frames = new FrameOpener(frameKey);
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

/** The data's frame key, if its lead belongs to this record, key and identity. */
function dataKey(opened: OpenedKeyRecord, identity: CheckpointIdentity, lead: Uint8Array): FrameKey | undefined {
  const { record } = opened.parsed;
  const header = headerOf(lead);
  const suite = acceptedSuite(record.suite, ALL_SUITES);
  const salt = lead.subarray(DATA_HEADER_BYTES, DATA_HEADER_BYTES + SALT_BYTES);
  const commitment = lead.subarray(DATA_HEADER_BYTES + SALT_BYTES);
  if (
    header === undefined ||
    suite === undefined ||
    header.suite !== record.suite ||
    !constantTimeEqual(header.objectId, record.objectId) ||
    !constantTimeEqual(header.dekId, record.dekId) ||
    !constantTimeEqual(commitment, record.binding)
  ) {
    return undefined;
  }
  const context = checkpointContext(identity.tenant, identity.checkpoint);
  const frameKey = deriveFrameKey(suite, opened.dek, salt, dataBinding(header, context));
  return commitmentMatches(frameKey, commitment) ? frameKey : undefined;
}

function headerOf(lead: Uint8Array): ReturnType<typeof parseDataHeader> | undefined {
  try {
    return parseDataHeader(lead.subarray(0, DATA_HEADER_BYTES));
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
