import { describe, expect, it } from 'vitest';
import { WordIndex } from '../src/word-index.ts';

const TEXTS = ['the quick brown fox', 'the lazy dog, the end', 'schnürsenkel und the Ωmega', ''];

function indexOf(texts: readonly string[], index = new WordIndex(), from = 0): WordIndex {
  for (const [i, text] of texts.entries()) index.addFile(from + i, text);
  return index;
}

async function* inPieces(index: WordIndex, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  await Promise.resolve();
  for (const chunk of index.serialize()) {
    for (let offset = 0; offset < chunk.byteLength; offset += size) yield chunk.subarray(offset, offset + size);
  }
}

describe('WordIndex', () => {
  it('counts words and remembers their files', () => {
    const text = Buffer.concat([...indexOf(TEXTS).serialize()]).toString();
    expect(text).toContain('the\t4\t0,1,2\n');
    expect(text).toContain('schnürsenkel\t1\t2\n');
    expect(indexOf(TEXTS).words).toBe(10);
  });

  it.each([1, 7, 1_000])('goes on after a restore from pieces of %i bytes as if it had never stopped', async (size) => {
    const restored = await WordIndex.restore(inPieces(indexOf(TEXTS.slice(0, 2)), size));
    expect(indexOf(TEXTS.slice(2), restored, 2).digest()).toEqual(indexOf(TEXTS).digest());
  });

  it('serializes a large state in several pieces', () => {
    const words = Array.from({ length: 60_000 }, (_, i) => `word${i}`).join(' ');
    expect([...indexOf([words]).serialize()].length).toBeGreaterThan(1);
  });
});
