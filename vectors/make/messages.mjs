import { Bytes, asStreams, core, fixedRandom, invalid, named, plaintextOfStreams, secret, summary, valid } from './support.mjs';

const PAGE = 'chunked-encryption';
const KEY = named('message/key');
const CONTEXT = Buffer.from('vectors of core messages');
const FULL = 16_400;

function message(name, length, { key = KEY, context = CONTEXT } = {}) {
  const salt = Buffer.from(fixedRandom(`message/${name}`).bytes(24));
  const plaintext = plaintextOfStreams(1, { key, salt, context, name, length });
  const sealed = Buffer.from(core.sealMessage(secret(key), context, plaintext, fixedRandom(`message/${name}`)));
  const written = asStreams(1, { sealed, lead: 56, name, length });
  const input = { key: key.toString('hex'), context: context.toString('hex') };
  return { plaintext, input, written: length <= 64 ? Bytes.of(sealed) : written };
}

const small = message('small', 20);
const empty = message('empty', 0);
const edge = message('16384', 16_384);
const three = message('three', 2 * 16_384 + 100);
const other = message('other', 2 * 16_384 + 100);

const ACCEPTED = [
  ['empty', 'an empty plaintext', empty],
  ['1', 'one byte', message('1', 1)],
  ['small', '20 bytes', small],
  ['empty-context', 'an empty context', message('empty-context', 5, { context: Buffer.alloc(0) })],
  ['zero-key', 'a key of zeros is a key', message('zero-key', 5, { key: Buffer.alloc(32) })],
  ['16383', 'the longest plaintext of one frame', message('16383', 16_383)],
  ['16384', 'a full frame, and a last one that is a tag alone', edge],
  ['16385', 'a full frame, and a last one of one byte', message('16385', 16_385)],
  ['32767', 'one byte less than two full frames', message('32767', 32_767)],
  ['32768', 'two full frames and an empty one', message('32768', 32_768)],
  ['three', 'three frames', three],
];

const frame = (from, index) => from.slice(56 + index * FULL, 56 + (index + 1) * FULL);
const lead = (from) => from.slice(0, 56);
const tag = (from) => from.length - 16;

const DAMAGED = [
  ['no-bytes', 'no bytes at all', small, Bytes.of('')],
  ['lead-only', 'salt and commitment alone', small, small.written.slice(0, 56)],
  ['71', 'one byte less than an empty message', empty, empty.written.slice(0, 71)],
  ['salt', 'another salt', small, small.written.flip(0)],
  ['salt-end', 'another last byte of the salt', small, small.written.flip(23, 0x80)],
  ['commitment', 'another commitment over frames that authenticate', small, small.written.flip(24)],
  ['commitment-end', 'another last byte of the commitment', small, small.written.flip(55)],
  ['ciphertext', 'a changed ciphertext', small, small.written.flip(60)],
  ['tag', 'a changed tag', small, small.written.flip(tag(small.written))],
  ['tag-end', 'a changed last byte', small, small.written.flip(small.written.length - 1, 0x80)],
  ['cut-1', 'cut by one byte', small, small.written.slice(0, -1 + small.written.length)],
  ['cut-tag', 'cut before the tag', small, small.written.slice(0, tag(small.written))],
  ['extended-1', 'extended by one byte', small, Bytes.of(small.written, '00')],
  ['extended-16', 'extended by 16 bytes', small, Bytes.of(small.written, Buffer.alloc(16))],
  ['cut-at-edge', 'cut after a full frame', edge, edge.written.slice(0, 56 + FULL)],
  ['cut-to-15', 'a last frame of 15 bytes', edge, edge.written.slice(0, 56 + FULL + 15)],
  ['cut-to-1', 'a last frame of one byte', edge, edge.written.slice(0, 56 + FULL + 1)],
  ['cut-in-frame', 'cut inside a full frame', edge, edge.written.slice(0, 9_000)],
  ['cut-three', 'the last frame dropped', three, three.written.slice(0, 56 + 2 * FULL)],
  ['drop-first', 'the first frame dropped', three, three.written.without(56, 56 + FULL)],
  ['drop-middle', 'the middle frame dropped', three, three.written.without(56 + FULL, 56 + 2 * FULL)],
  ['swap', 'two frames exchanged', three, Bytes.of(lead(three.written), frame(three.written, 1), frame(three.written, 0), frame(three.written, 2))],
  ['double', 'a frame twice', three, Bytes.of(three.written.slice(0, 56 + FULL), frame(three.written, 0), three.written.slice(56 + 2 * FULL))],
  ['append', 'the last frame once more', three, Bytes.of(three.written, frame(three.written, 2))],
  ['splice', 'a frame of another message under the same key and context', three, Bytes.of(three.written.slice(0, 56 + FULL), frame(other.written, 1), frame(three.written, 2))],
  ['other-lead', 'the salt and commitment of another message', three, Bytes.of(lead(other.written), three.written.slice(56))],
  ['middle-tag', 'a changed tag of a frame that is not the last', three, three.written.flip(56 + 2 * FULL - 1)],
  ['last-tag', 'a changed tag of the last of three frames', three, three.written.flip(three.written.length - 1)],
];

const OTHER_INPUT = [
  ['other-key', 'another key', { key: named('message/other').toString('hex') }],
  ['31-byte-key', 'a key without its last byte', { key: KEY.subarray(0, 31).toString('hex') }],
  ['33-byte-key', 'a key and a zero byte', { key: `${KEY.toString('hex')}00` }],
  ['no-key', 'an empty key', { key: '' }],
  ['other-context', 'another context', { context: Buffer.from('vectors of core messageS').toString('hex') }],
  ['longer-context', 'the context and a zero byte', { context: `${CONTEXT.toString('hex')}00` }],
  ['no-context', 'an empty context', { context: '' }],
];

/** HMAC pads keys with zeros, so this one opens the next case unless its length is refused. */
const padded = Buffer.concat([named('message/short', 31), Buffer.alloc(1)]);
const zeroEnded = message('zero-ended', 9, { key: padded });
/** Salt and context have no mark between them: only the salt's fixed size tells them apart. */
const bound = small.written.slice(0, 24).toBuffer();

export const messages = [
  ...ACCEPTED.map(([id, description, { input, written, plaintext }]) =>
    valid(`core-message/${id}`, description, `${PAGE} 5`, 'core-message', { ...input, message: written }, { plaintext: summary(plaintext) }),
  ),
  valid('core-message/zero-ended-key', 'a key that ends in a zero byte', `${PAGE} 2`, 'core-message', { ...zeroEnded.input, message: zeroEnded.written }, { plaintext: summary(zeroEnded.plaintext) }),
  ...DAMAGED.map(([id, reason, { input }, written]) =>
    invalid(`core-message/${id}`, reason, `${PAGE} 6`, 'core-message', { ...input, message: written }, 'INTEGRITY_FAILURE'),
  ),
  ...OTHER_INPUT.map(([id, reason, changed]) =>
    invalid(`core-message/${id}`, reason, `${PAGE} 6`, 'core-message', { ...small.input, message: small.written, ...changed }, 'INTEGRITY_FAILURE'),
  ),
  invalid('core-message/zero-ended-key-cut', 'a key without the zero byte that it ends in, which HMAC cannot tell apart', `${PAGE} 2`, 'core-message', { ...zeroEnded.input, key: padded.subarray(0, 31).toString('hex'), message: zeroEnded.written }, 'INTEGRITY_FAILURE'),
  invalid('core-message/moved-edge', 'the last byte of the salt moved to the context', `${PAGE} 4`, 'core-message', { ...small.input, context: Buffer.concat([bound.subarray(23), CONTEXT]).toString('hex'), message: Bytes.of(bound.subarray(0, 23), small.written.slice(24)) }, 'INTEGRITY_FAILURE'),
];
