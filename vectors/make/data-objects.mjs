import { LEAD, cbcKeys, frameStart, makeCheckpoint, sealChunk, sealRaw } from './checkpoint.mjs';
import { Bytes, invalid, named, summary, valid } from './support.mjs';

const PAGES = { 1: 'chunked-encryption', 2: 'suite-02', 3: 'chunked-encryption' };
const SUITES = [1, 2, 3];

const inputOf = (made, changes = {}) => ({
  dek: made.dek.toString('hex'),
  tenant: made.tenant,
  checkpoint: made.checkpoint,
  suites: [1, 2, 3],
  object: made.object,
  ...changes,
});

function opens(id, description, made, spec = `${PAGES[made.suite]} ${made.suite === 2 ? 3 : 5}`) {
  return valid(`data-object/${id}`, description, spec, 'data-object', inputOf(made), {
    suite: made.suite,
    objectId: Buffer.from(made.sealer.objectId).toString('hex'),
    dekId: Buffer.from(made.sealer.dekId).toString('hex'),
    plaintext: summary(made.plaintext),
  });
}

const refuses = (id, reason, made, changes, spec = 'checkpoint 6') =>
  invalid(`data-object/${id}`, reason, spec, 'data-object', inputOf(made, changes), 'INTEGRITY_FAILURE');

/** Plaintext lengths around the edges of each suite. */
const LENGTHS = {
  1: [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 40_000],
  2: [0, 1, 15, 16, 17, 16_367, 16_368, 16_383, 16_384, 16_385, 32_768, 40_000],
  3: [0, 1, 1_048_463, 1_048_464, 1_048_465, 2_097_023, 2_097_024, 2_097_025, 2_200_000],
};

async function edges(suite) {
  return Promise.all(
    LENGTHS[suite].map(async (length) => {
      const made = await makeCheckpoint(`data/${suite}/${length}`, { suite, length });
      return opens(`${suite}/${length}`, `suite 0${suite}, ${length} bytes`, made);
    }),
  );
}

/** What is refused in every suite, in an object of three frames and a small one. */
async function damaged(suite) {
  const full = { 1: 16_400, 2: 16_448, 3: 1_048_576 }[suite];
  const three = await makeCheckpoint(`damaged/${suite}/three`, { suite, length: { 1: 40_000, 2: 40_000, 3: 2_200_000 }[suite] });
  const edge = await makeCheckpoint(`damaged/${suite}/edge`, { suite, length: { 1: 16_384, 2: 16_384, 3: 1_048_464 }[suite] });
  const small = await makeCheckpoint(`damaged/${suite}/small`, { suite });
  const empty = await makeCheckpoint(`damaged/${suite}/empty`, { suite, length: 0 });
  const twin = await makeCheckpoint(`damaged/${suite}/twin`, { suite, dek: small.dek });
  const at = (index) => frameStart(suite, index);
  const frame = (made, index) => made.object.slice(at(index), at(index) + full);
  const changed = [
    ...[0, 4, 5, 39, 40, 64, 95, 96].map((length) => [`cut-to-${length}`, `cut to ${length} bytes`, small, small.object.slice(0, length)]),
    ['cut-to-shortest', 'one byte less than an empty object', empty, empty.object.slice(0, empty.object.length - 1)],
    ['magic', 'another magic', small, small.object.flip(0)],
    ['version', 'another version', small, small.object.flip(4, 3)],
    ['object-id', 'another object id', small, small.object.flip(8)],
    ['dek-id', 'another DEK id', small, small.object.flip(39)],
    ['salt', 'another salt', small, small.object.flip(40)],
    ['commitment', 'another commitment over frames that authenticate', small, small.object.flip(64)],
    ['first-byte', 'a changed first byte of the frame', small, small.object.flip(96)],
    ['ciphertext', 'a changed ciphertext', small, small.object.flip(LEAD + 17)],
    ['tag', 'a changed last byte', small, small.object.flip(small.object.length - 1, 0x80)],
    ['cut-1', 'cut by one byte', small, small.object.slice(0, small.object.length - 1)],
    ['cut-16', 'cut by 16 bytes', small, small.object.slice(0, small.object.length - 16)],
    ['extended-1', 'extended by one byte', small, Bytes.of(small.object, '00')],
    ['extended-16', 'extended by 16 bytes', small, Bytes.of(small.object, Buffer.alloc(16))],
    ['header-of-twin', 'the header of another object under the same DEK', small, Bytes.of(twin.object.slice(0, 40), small.object.slice(40))],
    ['frames-of-twin', 'the frames of another object under the same DEK', small, Bytes.of(small.object.slice(0, LEAD), twin.object.slice(LEAD))],
    ['cut-at-edge', 'cut at the end of a full frame', edge, edge.object.slice(0, at(1))],
    ['cut-to-1', 'a last frame of one byte', edge, edge.object.slice(0, at(1) + 1)],
    ['cut-to-15', 'a last frame of 15 bytes', edge, edge.object.slice(0, at(1) + 15)],
    ['cut-in-frame', 'cut inside a full frame', edge, edge.object.slice(0, at(1) - 16)],
    ['full-frame-tag', 'a changed tag of a full frame', edge, edge.object.flip(at(1) - 1)],
    ['drop-last', 'the last frame dropped', three, three.object.slice(0, at(2))],
    ['drop-middle', 'a middle frame dropped', three, three.object.without(at(1), at(2))],
    ['double', 'a frame twice', three, Bytes.of(three.object.slice(0, at(2)), frame(three, 1), three.object.slice(at(2)))],
    ['append', 'the last frame once more', three, Bytes.of(three.object, three.object.slice(at(2)))],
    ['middle-byte', 'a changed byte of a middle frame', three, three.object.flip(at(1) + 5_000)],
    ['splice', 'a full frame of another object', three, three.object.with(at(0), frame(edge, 0).slice(0, at(1) - at(0)))],
    ...(suite === 3
      ? []
      : [['swap', 'two frames exchanged', three, Bytes.of(three.object.slice(0, LEAD), frame(three, 1), frame(three, 0), three.object.slice(at(2)))]]),
  ];
  const relabelled = SUITES.filter((other) => other !== suite).map((other) => [`as-suite-${other}`, `relabelled as suite 0${other}`, small, small.object.with(5, Buffer.from([other]))]);
  return [...changed, ...relabelled].map(([id, reason, made, object]) => refuses(`${suite}/${id}`, `suite 0${suite}: ${reason}`, made, { object }, `${PAGES[suite]} ${suite === 2 ? 4 : 6}`));
}

/** Under keys and names that are not the object's. */
async function foreign() {
  const made = await makeCheckpoint('foreign', {});
  const shift = await makeCheckpoint('shift', { tenant: 'ab', checkpoint: 'c' });
  const zero = Buffer.concat([named('short', 31), Buffer.alloc(1)]);
  const zeroEnded = await makeCheckpoint('zero-ended', { dek: zero });
  const composed = await makeCheckpoint('composed', { tenant: '\u00e9' });
  return [
    opens('names', 'names of several scripts', await makeCheckpoint('names', { tenant: '\u65e5\u672c \u{1f511}', checkpoint: '\ufeffA/b?\n' }), 'checkpoint 3'),
    opens('longest-names', 'a tenant of 256 bytes and an id of 1,024', await makeCheckpoint('longest', { tenant: 't'.repeat(256), checkpoint: '\u00e9'.repeat(512) }), 'encryption-context 4'),
    opens('zero-ended-dek', 'a DEK that ends in a zero byte', zeroEnded, 'chunked-encryption 2'),
    refuses('tenant', 'another tenant', made, { tenant: 'acmf' }),
    refuses('tenant-capital', 'the tenant in another case', made, { tenant: 'Acme' }),
    refuses('tenant-space', 'the tenant and a space', made, { tenant: 'acme ' }),
    refuses('checkpoint', 'another checkpoint', made, { checkpoint: 'run-2' }),
    refuses('swapped-names', 'tenant and checkpoint exchanged', made, { tenant: made.checkpoint, checkpoint: made.tenant }),
    refuses('shift', 'a letter moved from the tenant to the checkpoint', shift, { tenant: 'a', checkpoint: 'bc' }, 'encryption-context 3'),
    refuses('decomposed', 'the tenant in another normal form', composed, { tenant: 'e\u0301' }, 'encryption-context 2'),
    refuses('dek', 'another DEK', made, { dek: named('other').toString('hex') }),
    refuses('dek-31', 'a DEK without the zero byte that it ends in', zeroEnded, { dek: zero.subarray(0, 31).toString('hex') }, 'chunked-encryption 2'),
    refuses('dek-33', 'a DEK and a zero byte', made, { dek: `${made.dek.toString('hex')}00` }, 'chunked-encryption 2'),
    refuses('not-accepted', 'a suite that the reader does not accept', made, { suites: [1] }),
    refuses('not-accepted-2', 'suite 02, which this reader does not accept', await makeCheckpoint('cbc', { suite: 2 }), { suites: [1, 3] }, 'suite-02 4'),
    refuses('record', 'a key record in the place of data', made, { object: made.record }),
    refuses('metadata', 'the sealed metadata in the place of data', made, { object: Bytes.of(made.object.slice(0, 40), made.record.slice(92, 92 + 74)) }),
  ];
}

/** Objects by somebody who has the DEK: only the rule itself is broken. */
async function forged() {
  const made = await makeCheckpoint('forged', {});
  const header = made.object.slice(0, 40);
  const raw = (changed, suite = 3) => ({
    object: sealRaw(changed.toBuffer(), { ...made, suite, salt: named('forged/salt', 24), plaintext: Buffer.from('forged') }),
  });
  return [
    valid('data-object/forged-well', 'the same frames behind a header without fault: what follows breaks one rule each', 'checkpoint 3', 'data-object', inputOf(made, raw(header)), {
      suite: 3,
      objectId: header.slice(8, 24).toJSON(),
      dekId: header.slice(24, 40).toJSON(),
      plaintext: summary(Buffer.from('forged')),
    }),
    refuses('forged-magic', 'sealed with another magic', made, raw(header.with(3, '44')), 'checkpoint 6'),
    refuses('forged-version-0', 'sealed with version 0', made, raw(header.with(4, '00')), 'checkpoint 6'),
    refuses('forged-version-2', 'sealed with version 2', made, raw(header.with(4, '02')), 'checkpoint 6'),
    refuses('forged-reserved', 'sealed with a reserved byte that is not zero', made, raw(header.with(6, '01')), 'checkpoint 6'),
    refuses('forged-reserved-2', 'sealed with the other reserved byte not zero', made, raw(header.with(7, '80')), 'checkpoint 6'),
    refuses('forged-suite-0', 'sealed with suite 00', made, raw(header.with(5, '00')), 'checkpoint 6'),
    refuses('forged-suite-4', 'sealed with suite 04', made, raw(header.with(5, '04')), 'checkpoint 6'),
    refuses('forged-label', "suite 03 sealed with suite 01's label", made, raw(header, 1), 'chunked-encryption 3'),
  ];
}

/** Suite 02 by somebody who has the keys: padding, lengths, index and flag. */
async function forgedChunks() {
  const made = await makeCheckpoint('chunks', { suite: 2 });
  const lead = made.object.slice(0, LEAD);
  const keys = cbcKeys({ key: made.dek, salt: made.sealer.lead.subarray(40, 64), context: made.context });
  const chunk = (index, final, padded, name = 'iv') => sealChunk(keys, { index, final, iv: named(`chunks/${name}`, 16), padded });
  const pad = (bytes, length) => Buffer.concat([Buffer.alloc(length, 0x61), Buffer.alloc(bytes, bytes)]);
  const object = (...chunks) => ({ object: Bytes.of(lead, ...chunks) });
  const bad = Buffer.concat([Buffer.alloc(13, 0x61), Buffer.from([3, 2, 3])]);
  const page = 'suite-02 4';
  return [
    valid('data-object/2/forged-well', 'a chunk made by hand', page, 'data-object', inputOf(made, object(chunk(0, true, pad(3, 13)))), {
      suite: 2,
      objectId: lead.slice(8, 24).toJSON(),
      dekId: lead.slice(24, 40).toJSON(),
      plaintext: summary(Buffer.alloc(13, 0x61)),
    }),
    refuses('2/padding-0', 'padding of zero bytes behind a right tag', made, object(chunk(0, true, Buffer.alloc(16))), page),
    refuses('2/padding-17', 'padding of 17 bytes behind a right tag', made, object(chunk(0, true, Buffer.alloc(32, 17))), page),
    refuses('2/padding-mixed', 'padding of different bytes behind a right tag', made, object(chunk(0, true, bad)), page),
    refuses('2/not-final', 'a last chunk without the flag', made, object(chunk(0, false, pad(3, 13))), page),
    refuses('2/index', 'a chunk of another index', made, object(chunk(1, true, pad(3, 13))), page),
    refuses('2/final-full', 'a full chunk with the flag, and another behind it', made, object(chunk(0, true, pad(16, 16_384)), chunk(1, true, pad(3, 13), 'second')), page),
    refuses('2/full-too-long', 'a full chunk with one byte of padding and too much plaintext', made, object(chunk(0, false, pad(1, 16_399)), chunk(1, true, pad(3, 13), 'second')), page),
    refuses('2/full-alone', 'a full chunk with the flag and nothing behind it', made, object(chunk(0, true, pad(16, 16_384))), page),
    refuses('2/no-block', 'a chunk of an IV and a tag', made, object(chunk(0, true, Buffer.alloc(0))), page),
    refuses('2/iv', 'a changed IV', made, { object: made.object.flip(LEAD) }, page),
    refuses('2/block', 'a changed block', made, { object: made.object.flip(LEAD + 16) }, page),
    refuses('2/part-of-block', 'a chunk whose length is no multiple of 16', made, { object: Bytes.of(made.object.slice(0, LEAD + 16), '00', made.object.slice(LEAD + 16)) }, page),
  ];
}

export async function dataObjects() {
  const perSuite = await Promise.all(SUITES.map(async (suite) => [...(await edges(suite)), ...(await damaged(suite))]));
  return [...perSuite.flat(), ...(await foreign()), ...(await forged()), ...(await forgedChunks())];
}
