import { type FrameLayout, type FramePlace, frameHolding, framePlace, lastFrame } from '../crypto/frame-layout.ts';
import { FrameOpener } from '../crypto/frame-opener.ts';
import type { MessageCipher } from '../crypto/suite.ts';
import { integrityFailure } from '../errors.ts';
import type { ByteRange } from '../ports/object-store.ts';
import { checkRange, rangeInvalid } from './byte-range.ts';
import { LEAD_BYTES, openLead } from './data-lead.ts';
import { ObjectParts, type OpenPart } from './object-parts.ts';
import type { CheckpointIdentity, OpenedKeyRecord } from './open-key-record.ts';

/** A range whose place in the data is authenticated. Iterate `plaintext` once, or call `cancel`. */
export interface OpenedRange {
  /** Rejects with INTEGRITY_FAILURE rather than give out what does not authenticate. */
  readonly plaintext: AsyncIterable<Uint8Array>;
  /** Lets go of the object without reading on. */
  readonly cancel: () => Promise<void>;
}

/**
 * Opens part of a checkpoint's data object: the lead, the last frame, which
 * authenticates the length, and the frames that hold the range. Nothing else is
 * read, and nothing is opened any more once this resolves.
 * @returns undefined when `openPart` found the object absent, the first time or later
 * @throws KeyfoldError RANGE_INVALID for a range outside of the data (only said once the length is authentic),
 *   INTEGRITY_FAILURE, and what `openPart` throws
 */
export async function openCheckpointRange(
  opened: OpenedKeyRecord,
  identity: CheckpointIdentity,
  openPart: OpenPart,
  range: ByteRange,
): Promise<OpenedRange | undefined> {
  checkRange(range);
  const what = `The checkpoint ${JSON.stringify(identity.checkpoint)}`;
  const failure = (): Error => integrityFailure(what);
  const parts = new ObjectParts(openPart, failure);
  const ends = await openEnds(opened, identity, parts, failure);
  if (ends === undefined) return undefined;
  const { cipher, last, end } = ends;
  const length = last.plaintextStart + end.byteLength;
  if (range.end > length) throw rangeInvalid(what, range, length);
  const before = framesBefore(cipher.layout, last, range);
  const rest = { range, last, end };
  if (before === undefined) return { plaintext: plaintextOf(rest, undefined), cancel: () => Promise.resolve() };
  const object = await parts.open({ start: LEAD_BYTES + before.first.start, end: LEAD_BYTES + before.stop.start });
  if (object === undefined) return undefined;
  return {
    plaintext: plaintextOf(rest, openFrames({ ...before, opened, cipher, body: object.body, failure })),
    cancel: () => object.cancel(),
  };
}

interface Ends {
  readonly cipher: MessageCipher;
  readonly last: FramePlace;
  /** The last frame's plaintext. */
  readonly end: Uint8Array;
}

/** Lead and last frame: from then on cipher and length are certain. Undefined when the object is absent. */
async function openEnds(opened: OpenedKeyRecord, identity: CheckpointIdentity, parts: ObjectParts, failure: () => Error): Promise<Ends | undefined> {
  const lead = await parts.read({ start: 0, end: LEAD_BYTES });
  if (lead === undefined) return undefined;
  const cipher = openLead(opened, identity, lead);
  if (cipher === undefined) throw failure();
  const last = lastFrame(cipher.layout, parts.size - LEAD_BYTES);
  if (last === undefined) throw failure();
  const frame = await parts.read({ start: LEAD_BYTES + last.start, end: parts.size });
  if (frame === undefined) return undefined;
  opened.lease.addBytes(lead.byteLength + frame.byteLength);
  const end = cipher.openFrame(last.index, frame);
  if (end === undefined) throw failure();
  return { cipher, last, end };
}

/** Frames from `first` up to but not including `stop`. */
interface Frames {
  readonly first: FramePlace;
  readonly stop: FramePlace;
}

/** The frames of the range that precede the last frame, or undefined when there are none. */
function framesBefore(layout: FrameLayout, last: FramePlace, range: ByteRange): Frames | undefined {
  const first = frameHolding(layout, range.start);
  if (range.start === range.end || first.index >= last.index) return undefined;
  return { first, stop: framePlace(layout, Math.min(frameHolding(layout, range.end - 1).index + 1, last.index)) };
}

interface OpenFrames extends Frames {
  readonly opened: OpenedKeyRecord;
  readonly cipher: MessageCipher;
  readonly body: AsyncIterable<Uint8Array>;
  readonly failure: () => Error;
}

/** The plaintext of each frame and where it begins. */
async function* openFrames({ first, stop, opened, cipher, body, failure }: OpenFrames): AsyncGenerator<readonly [Uint8Array, number], void, undefined> {
  const frames = new FrameOpener(cipher, first.index);
  let offset = first.plaintextStart;
  for await (const chunk of body) {
    opened.lease.addBytes(chunk.byteLength);
    const plaintexts = frames.push(chunk);
    if (plaintexts === undefined) throw failure();
    for (const plaintext of plaintexts) {
      const at = offset;
      offset += plaintext.byteLength;
      yield [plaintext, at];
    }
  }
  if (offset !== stop.plaintextStart) throw failure();
}

async function* plaintextOf(
  { range, last, end }: Omit<Ends, 'cipher'> & { readonly range: ByteRange },
  frames: ReturnType<typeof openFrames> | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (frames !== undefined) {
    for await (const [plaintext, offset] of frames) yield cut(plaintext, offset, range);
  }
  const rest = cut(end, last.plaintextStart, range);
  if (rest.byteLength > 0) yield rest;
}

/** What the range has of a frame that begins at `offset`; what was not asked for is not handed out with it. */
function cut(plaintext: Uint8Array, offset: number, range: ByteRange): Uint8Array {
  if (range.start <= offset && offset + plaintext.byteLength <= range.end) return plaintext;
  const part = plaintext.slice(Math.max(range.start - offset, 0), Math.max(range.end - offset, 0));
  plaintext.fill(0);
  return part;
}
