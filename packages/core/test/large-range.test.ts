import { describe, expect, test } from 'vitest';
import { AES_256_GCM_1M, COBBLESTONE_256, type FramedSuite, deriveFrameKey, sealFrame } from '../src/crypto/framed-aead.ts';
import { framePlace, lastFrame, type FrameLayout } from '../src/crypto/frame-layout.ts';
import { encodeContext } from '../src/format/context.ts';
import type { ByteRange, OpenObject } from '../src/ports/object-store.ts';
import { openCheckpointRange } from '../src/sealing/checkpoint-range-opener.ts';
import { SUITES, type SuiteName } from '../src/sealing/suites.ts';
import { patterned, secretKey } from './support/bytes.ts';
import { IDENTITY, LeakyKms, codeOf, openRecord, seal } from './support/checkpoints.ts';
import { encrypted, referenceKeys, tagged } from './support/reference-cbc.ts';

const GIB = 2 ** 30;
const LEAD = 96;

type SealAt = (index: number, plaintext: Uint8Array, last: boolean) => Promise<Uint8Array>;

/** The plaintext of a checkpoint that is too large to be held: any part of it. */
function plaintextAt(start: number, end: number): Uint8Array {
  return Uint8Array.from({ length: end - start }, (_, i) => ((start + i) * 31 + Math.floor((start + i) / 65_536)) & 0xff);
}

/** A data object of `length` plaintext bytes whose frames are sealed when they are read, and counts what is read. */
class HugeObject {
  readonly asked: ByteRange[] = [];
  readonly size: number;
  readonly #lead: Uint8Array;
  readonly #layout: FrameLayout;
  readonly #length: number;
  readonly #last: number;
  readonly #sealAt: SealAt;

  constructor(lead: Uint8Array, layout: FrameLayout, length: number, lastBytes: (held: number) => number, sealAt: SealAt) {
    this.#lead = lead;
    this.#layout = layout;
    this.#length = length;
    this.#sealAt = sealAt;
    let last = 0;
    while (framePlace(layout, last + 1).plaintextStart <= length) last++;
    this.#last = last;
    const place = framePlace(layout, last);
    this.size = LEAD + place.start + lastBytes(length - place.plaintextStart);
  }

  readonly open = (range: ByteRange): Promise<OpenObject> => {
    this.asked.push(range);
    return Promise.resolve({ size: this.size, body: this.#bytes(range), cancel: () => Promise.resolve() });
  };

  async *#bytes({ start, end }: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    if (start < LEAD) {
      yield this.#lead.subarray(start, end);
      return;
    }
    for (let at = start; at < end; ) {
      const place = lastFrame(this.#layout, at - LEAD + 1);
      if (place === undefined || LEAD + place.start !== at) throw new Error('read from within a frame');
      const stop = Math.min(framePlace(this.#layout, place.index + 1).plaintextStart, this.#length);
      const frame = await this.#sealAt(place.index, plaintextAt(place.plaintextStart, stop), place.index === this.#last);
      yield frame;
      at += frame.byteLength;
    }
  }
}

async function huge(name: SuiteName, length: number): Promise<{ readonly object: HugeObject; readonly opened: Awaited<ReturnType<typeof openRecord>> }> {
  const kms = new LeakyKms();
  const { record, data, dekBytes } = await seal(kms, new Uint8Array(0), { suite: name });
  const context = encodeContext({ purpose: 'checkpoint', ...IDENTITY });
  const binding = Buffer.concat([Buffer.from('keyfold/checkpoint/v1\0'), data.subarray(0, 40), context]);
  const salt = data.subarray(40, 64);
  const { layout } = SUITES[name].derive(secretKey(dekBytes), salt, binding);
  const opened = await openRecord(record, { kms });
  if (name === 'aes-256-cbc-hmac-sha256') {
    const keys = referenceKeys(dekBytes, salt, binding);
    const sealAt: SealAt = async (index, plaintext, last) => {
      const iv = patterned(16, String(index));
      return tagged(keys, { index, final: last ? 1 : 0, iv, encrypted: await encrypted(keys, iv, plaintext) });
    };
    return { object: new HugeObject(data.subarray(0, LEAD), layout, length, (held) => 64 + 16 * Math.floor(held / 16), sealAt), opened };
  }
  const parameters: FramedSuite = name === 'aes-256-gcm' ? AES_256_GCM_1M : COBBLESTONE_256;
  const frameKey = deriveFrameKey(parameters, secretKey(dekBytes), salt, binding);
  const sealAt: SealAt = (index, plaintext) => Promise.resolve(Buffer.concat(sealFrame(frameKey, index, [plaintext])));
  return { object: new HugeObject(data.subarray(0, LEAD), layout, length, (held) => held + 16, sealAt), opened };
}

describe.each([
  ['aes-256-gcm', 1_048_576],
  ['cobblestone-256', 16_400],
  ['aes-256-cbc-hmac-sha256', 16_448],
] as const)('a kibibyte of a checkpoint of 1 GiB, suite %s', (name, frameBytes) => {
  test.each([0, 5 * 16_384, 123_456_789, GIB / 2 - 500, GIB - 2_000_000, GIB - 1_024])('at %i costs the lead, the last frame and at most two frames', async (start) => {
    const { object, opened } = await huge(name, GIB);
    const range = { start, end: start + 1_024 };
    const part = await openCheckpointRange(opened, IDENTITY, object.open, range);
    const chunks: Uint8Array[] = [];
    for await (const chunk of part?.plaintext ?? []) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(plaintextAt(range.start, range.end))).toBe(true);
    expect(object.size).toBeGreaterThan(GIB);
    expect(object.asked.length).toBeLessThanOrEqual(3);
    const read = object.asked.reduce((sum, asked) => sum + asked.end - asked.start, 0);
    expect(read).toBeLessThanOrEqual(LEAD + 3 * frameBytes);
  });

  test('is refused past the end, at the same cost', async () => {
    const { object, opened } = await huge(name, GIB);
    expect(await codeOf(openCheckpointRange(opened, IDENTITY, object.open, { start: GIB - 1_023, end: GIB + 1 }))).toBe('RANGE_INVALID');
    expect(object.asked.length).toBe(2);
  });
});
