import { parseArgs } from 'node:util';

export interface DemoArguments {
  /** A file or directory of text files. */
  readonly input: string;
  readonly seed: number;
  readonly maxBytes: number;
  readonly json: boolean;
  readonly keep: boolean;
}

export const USAGE = `npm run demo [-- [path] [options]]

Builds a word index over real text files in a process that is killed three
times, and keeps its state in encrypted checkpoints on disk.

  path             a text file or a directory (default: node_modules)
  --seed N         where the kills happen (default 1)
  --max-mib N      how much text is read at most (default 48)
  --json           one line of JSON instead of the report
  --keep           leave the working directory in place and say where
  --help           this text
`;

/** Undefined asks for the usage text. Throws a sentence for the person who typed. */
export function parseArguments(argv: readonly string[], defaultInput: string): DemoArguments | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      'max-mib': { type: 'string', default: '48' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length > 1) throw new Error(`One path at most, not ${positionals.length}.`);
  return {
    input: positionals[0] ?? defaultInput,
    seed: wholeNumber('--seed', values.seed, 0),
    maxBytes: wholeNumber('--max-mib', values['max-mib'], 1) * 1_048_576,
    json: values.json,
    keep: values.keep,
  };
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least || value > 1_000_000) {
    throw new Error(`${option} takes a whole number from ${least} to 1,000,000, not ${JSON.stringify(text)}.`);
  }
  return value;
}
