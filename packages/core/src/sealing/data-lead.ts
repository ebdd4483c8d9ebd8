import { constantTimeEqual } from '../bytes.ts';
import { commitmentMatches } from '../crypto/framed-aead.ts';
import { COMMITMENT_BYTES, SALT_BYTES } from '../crypto/message-keys.ts';
import type { MessageCipher } from '../crypto/suite.ts';
import { DATA_HEADER_BYTES, dataBinding, parseDataHeader } from '../format/checkpoint.ts';
import { checkpointContext } from '../format/context.ts';
import { MalformedError } from '../format/reader.ts';
import type { CheckpointIdentity, OpenedKeyRecord } from './open-key-record.ts';
import { ALL_SUITES, acceptedSuite } from './suites.ts';

/** What a data object begins with: header, salt and commitment. */
export const LEAD_BYTES = DATA_HEADER_BYTES + SALT_BYTES + COMMITMENT_BYTES;

/** The data's cipher, if its lead belongs to this record, key and identity. */
export function openLead(opened: OpenedKeyRecord, identity: CheckpointIdentity, lead: Uint8Array): MessageCipher | undefined {
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
  const cipher = suite.derive(opened.dek, salt, dataBinding(header, context));
  return commitmentMatches(cipher, commitment) ? cipher : undefined;
}

function headerOf(lead: Uint8Array): ReturnType<typeof parseDataHeader> | undefined {
  try {
    return parseDataHeader(lead.subarray(0, DATA_HEADER_BYTES));
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
