import { describe, expect, it } from 'vitest';
import { parseArguments } from '../src/arguments.ts';

describe('parseArguments', () => {
  it('has defaults for everything', () => {
    expect(parseArguments([], 'somewhere')).toEqual({ input: 'somewhere', seed: 1, maxBytes: 48 * 1_048_576, json: false, keep: false });
  });

  it('takes a path and options', () => {
    expect(parseArguments(['here', '--seed', '9', '--max-mib', '2', '--json', '--keep'], 'somewhere')).toEqual({
      input: 'here', seed: 9, maxBytes: 2 * 1_048_576, json: true, keep: true,
    });
  });

  it('gives nothing when help is wanted', () => {
    expect(parseArguments(['--help'], 'somewhere')).toBeUndefined();
  });

  it.each([[['--seed', 'x']], [['--max-mib', '0']], [['--seed', '1.5']], [['a', 'b']], [['--nonsense']]])('refuses %j with a sentence', (argv) => {
    expect(() => parseArguments(argv, 'somewhere')).toThrow(/./);
  });
});
