import { describe, expect, it } from 'vitest';
import { type CollectOptions, collect } from '../src/checkpoint-data.ts';

const WHAT = { what: 'The test data', maxBytes: 10 };

async function collected(texts: readonly string[], options: Partial<CollectOptions> = {}): Promise<string> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
  }
  return new TextDecoder().decode(await collect(chunks(), { ...WHAT, ...options }));
}

describe('collect', () => {
  it.each([
    ['unknown', undefined],
    ['right', 7],
    ['too small', 3],
    ['too large', 9],
    ['less than the first chunk', 1],
    ['more than is allowed', 11],
  ])('gives all of it when the length that was expected is %s', async (_title, length) => {
    expect(await collected(['ab', 'cd', 'efg'], { expected: () => length })).toBe('abcdefg');
  });

  it('refuses more than is allowed, whatever was expected', async () => {
    await expect(collected(['abcdef', 'ghijk'], { expected: () => 9 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('frees the chunks that it has copied, and no others', async () => {
    const freed: string[] = [];
    const free = (chunk: Uint8Array): void => {
      freed.push(new TextDecoder().decode(chunk));
      chunk.fill(0);
    };
    expect(await collected(['ab', 'cd', 'efg'], { expected: () => 4, free })).toBe('abcdefg');
    expect(freed).toEqual(['ab', 'cd']);
    expect(await collected(['hi', 'j'], { free })).toBe('hij');
    expect(freed).toEqual(['ab', 'cd']);
  });

  it('gives a single chunk as it is, and nothing for nothing', async () => {
    expect(await collected(['ab'])).toBe('ab');
    expect(await collected([])).toBe('');
  });
});
