import { LEAD, frameStart, makeCheckpoint } from './checkpoint.mjs';
import { Bytes, invalid, summary, valid } from './support.mjs';

const FULL = { 1: 16_384, 2: 16_384, 3: 1_048_560 };
const FIRST = { 1: 16_384, 2: 16_384, 3: 1_048_464 };
const PAGE = 'range-reads 2';

const inputOf = (made, start, end, changes = {}) => ({
  dek: made.dek.toString('hex'),
  tenant: made.tenant,
  checkpoint: made.checkpoint,
  suites: [1, 2, 3],
  object: made.object,
  start,
  end,
  ...changes,
});

async function ofSuite(suite) {
  const length = FIRST[suite] + FULL[suite] + 4_000;
  const made = await makeCheckpoint(`range/${suite}`, { suite, length });
  const small = await makeCheckpoint(`range/${suite}/small`, { suite });
  const empty = await makeCheckpoint(`range/${suite}/empty`, { suite, length: 0 });
  const edge = await makeCheckpoint(`range/${suite}/edge`, { suite, length: FIRST[suite] });
  const at = (index) => frameStart(suite, index);
  const second = FIRST[suite];
  const third = second + FULL[suite];

  const opens = (id, description, from, start, end) =>
    valid(`range/${suite}/${id}`, `suite 0${suite}: ${description}`, PAGE, 'range', inputOf(from, start, end), {
      plaintext: summary(from.plaintext.subarray(start, end)),
    });
  const refuses = (id, reason, refusal, from, start, end, object = from.object) =>
    invalid(`range/${suite}/${id}`, `suite 0${suite}: ${reason}`, PAGE, 'range', inputOf(from, start, end, { object }), refusal);

  const damagedFirst = made.object.flip(LEAD + 100);
  const damagedLast = made.object.flip(made.object.length - 1);
  return [
    opens('all', 'everything', made, 0, length),
    opens('first-byte', 'the first byte', made, 0, 1),
    opens('last-byte', 'the last byte', made, length - 1, length),
    opens('first-frame', 'the first frame whole', made, 0, second),
    opens('second-frame', 'the second frame whole', made, second, third),
    opens('across', 'across an edge', made, second - 10, second + 10),
    opens('across-two', 'across two edges', made, second - 10, third + 10),
    opens('before-edge', 'the last byte of a frame', made, second - 1, second),
    opens('after-edge', 'the first byte of a frame', made, second, second + 1),
    opens('last-frame', 'in the last frame only', made, third + 1, third + 50),
    opens('nothing', 'nothing, at the beginning', made, 0, 0),
    opens('nothing-middle', 'nothing, at an edge', made, second, second),
    opens('nothing-end', 'nothing, at the end', made, length, length),
    opens('nothing-of-nothing', 'nothing of an empty checkpoint', empty, 0, 0),
    opens('of-one-frame', 'part of one frame', small, 5, 15),
    opens('up-to-edge', 'everything of a full frame with an empty one behind it', edge, 0, FIRST[suite]),
    valid(`range/${suite}/unread-damage`, `suite 0${suite}: damage in a frame that the range does not need is not found`, 'range-reads 4', 'range', inputOf(made, second, second + 5, { object: damagedFirst }), {
      plaintext: summary(made.plaintext.subarray(second, second + 5)),
    }),
    refuses('past-end', 'one byte beyond the end', 'RANGE_INVALID', made, 0, length + 1),
    refuses('past-end-whole', 'wholly beyond the end', 'RANGE_INVALID', made, length + 1, length + 2),
    refuses('past-end-nothing', 'nothing, beyond the end', 'RANGE_INVALID', made, length + 1, length + 1),
    refuses('past-empty', 'a byte of an empty checkpoint', 'RANGE_INVALID', empty, 0, 1),
    refuses('backwards', 'an end before the start', 'RANGE_INVALID', made, 10, 9),
    refuses('negative', 'a negative start', 'RANGE_INVALID', made, -1, 5),
    refuses('fraction', 'a start that is no integer', 'RANGE_INVALID', made, 0.5, 5),
    refuses('backwards-in-damage', 'an end before the start, in a damaged object', 'RANGE_INVALID', made, 10, 9, damagedLast),
    refuses('last-damaged', 'the first byte of an object whose last frame is damaged', 'INTEGRITY_FAILURE', made, 0, 1, damagedLast),
    refuses('last-damaged-nothing', 'nothing of an object whose last frame is damaged', 'INTEGRITY_FAILURE', made, 0, 0, damagedLast),
    refuses('first-damaged', 'the first byte of an object whose first frame is damaged', 'INTEGRITY_FAILURE', made, 0, 1, damagedFirst),
    refuses('across-damaged', 'a range that ends in the last frame and begins in a damaged one', 'INTEGRITY_FAILURE', made, 0, length, damagedFirst),
    refuses('cut', 'the first byte of an object without its last frame', 'INTEGRITY_FAILURE', made, 0, 1, made.object.slice(0, at(2))),
    refuses('cut-past', 'a range that the cut object no longer has', 'INTEGRITY_FAILURE', made, third, third + 1, made.object.slice(0, at(2))),
    refuses('cut-two', 'the first byte of an object cut inside a frame', 'INTEGRITY_FAILURE', made, 0, 1, made.object.slice(0, at(1) + 4_000)),
    refuses('cut-one', 'the first byte of an object cut by one byte', 'INTEGRITY_FAILURE', made, 0, 1, made.object.slice(0, made.object.length - 1)),
    refuses('extended', 'the first byte of an object with 16 bytes more', 'INTEGRITY_FAILURE', made, 0, 1, Bytes.of(made.object, Buffer.alloc(16))),
    refuses('extended-past', 'a range in the bytes behind the end', 'INTEGRITY_FAILURE', made, length, length + 1, Bytes.of(made.object, Buffer.alloc(16))),
    refuses('dropped', 'the first byte of an object without its middle frame', 'INTEGRITY_FAILURE', made, 0, 1, made.object.without(at(1), at(2))),
    refuses('no-frames', 'nothing of an object without frames', 'INTEGRITY_FAILURE', small, 0, 0, small.object.slice(0, LEAD)),
    refuses('commitment', 'nothing of an object with another commitment', 'INTEGRITY_FAILURE', small, 0, 0, small.object.flip(64)),
  ];
}

export async function ranges() {
  return (await Promise.all([1, 2, 3].map(ofSuite))).flat();
}
