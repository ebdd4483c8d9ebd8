import { SingleBar } from 'cli-progress';
import { styleText } from 'node:util';
import type { RawBytes, Refusal, Rotation } from './evidence.ts';
import type { Input } from './input.ts';
import type { JobResult } from './job-protocol.ts';
import type { Attempt } from './supervisor.ts';

/** What stands in the first rows of a data object (docs/spec/checkpoint.md). */
const LAYOUT = ['magic, version, suite; object id', 'object id; DEK id', 'DEK id; salt', 'salt', 'key commitment', 'key commitment'];

/** Writes the demo's story to a terminal; says nothing when the machine-readable form is wanted. */
export class Report {
  readonly #quiet: boolean;
  #bar: SingleBar | undefined;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  heading(text: string): void {
    this.#line(`\n${bold(text)}`);
  }

  input(root: string, input: Input): void {
    this.#line(`\n${bold('Keyfold demo')}  ${dim('a stateful job, killed three times, with encrypted checkpoints')}\n`);
    this.#line(`  input        ${input.files.length.toLocaleString('en')} text files, ${mib(input.bytes)}, below ${root}`);
    this.#line('  state        an inverted index of every word in them');
    this.#line('  checkpoints  AES-256-GCM, one data key each, wrapped by a local keyring');
  }

  uninterrupted(result: JobResult): void {
    this.#line(`  reference    ${result.words.toLocaleString('en')} words, state ${mib(result.bytes)}, SHA-256 ${short(result.sha256)}`);
  }

  /** A live bar while a process works; on a terminal only. */
  begin(what: string, total: number): void {
    if (this.#quiet || !process.stdout.isTTY) return;
    this.#bar = new SingleBar({ format: `  ${what.padEnd(12)} {bar}  {percentage} %`, barCompleteChar: '━', barIncompleteChar: '╌', barsize: 24, clearOnComplete: true, hideCursor: true });
    this.#bar.start(total, 0);
  }

  advance(done: number): void {
    this.#bar?.update(done);
  }

  finish(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  attempt(number: number, attempt: Attempt, total: number): void {
    const from = attempt.from === 0 ? 'from the beginning' : `resumed at ${percent(attempt.from, total)}`;
    const outcome = attempt.killed === undefined ? green('finished') : red(`SIGKILL ${attempt.killed}`);
    this.#line(`  process ${number}    ${bar(attempt.from, attempt.reached, total)}  ${from.padEnd(19)} ${String(attempt.saved).padStart(2)} saved   ${outcome}`);
  }

  same(final: JobResult, reference: JobResult): void {
    this.#line(`  state        ${final.words.toLocaleString('en')} words, ${mib(final.bytes)}`);
    this.#line(`  crashed      ${final.sha256}`);
    this.#line(`  in one go    ${reference.sha256}   ${verdict(final.sha256 === reference.sha256, 'the same', 'DIFFERENT')}`);
  }

  rawBytes(raw: RawBytes, shownPath: string): void {
    this.#line(`  ${shownPath}  ${dim(`${raw.size.toLocaleString('en')} bytes`)}`);
    for (const [i, row] of raw.rows.entries()) this.#line(`    ${dim((i * 16).toString(16).padStart(4, '0'))}  ${row}  ${dim(String(LAYOUT[i]))}`);
    this.#line(`  ${raw.bitsPerByte.toFixed(4)} bits of entropy a byte; ${raw.found} of ${raw.searched} words of the state found in it   ${verdict(raw.found === 0, 'opaque', 'READABLE')}`);
  }

  refusals(refusals: readonly Refusal[]): void {
    for (const { what, code, message } of refusals) {
      this.#line(`  ${what.padEnd(46)} ${verdict(code !== 'NOT_REFUSED', code, 'NOT REFUSED')}`);
      this.#line(dim(wrap(message, 88, '      ')));
    }
  }

  rotation(rotation: Rotation, expected: string): void {
    this.#line(`  key version ${rotation.from} -> ${rotation.to} in ${rotation.rotateMs.toFixed(1)} ms; ${rotation.rewrapped} data keys wrapped anew`);
    this.#line(`  data files   ${verdict(rotation.dataFilesUntouched, 'not a byte changed', 'CHANGED')}`);
    this.#line(`  checkpoints  ${rotation.readable} of ${rotation.rewrapped} open, the last one gives ${short(rotation.sha256)}   ${verdict(rotation.sha256 === expected && rotation.readable === rotation.rewrapped, 'everything readable', 'LOST')}`);
  }

  end(ok: boolean, seconds: number, kept: string | undefined): void {
    const verdictLine = ok ? green(bold('All of it holds.')) : red(bold('Something above does not hold.'));
    this.#line(`\n${verdictLine}  ${dim(`${seconds.toFixed(1)} s${kept === undefined ? ', working directory removed' : `, working directory ${kept}`}`)}\n`);
  }

  #line(text: string): void {
    if (!this.#quiet) console.log(text);
  }
}

const bold = (text: string): string => styleText('bold', text);
const dim = (text: string): string => styleText('dim', text);
const green = (text: string): string => styleText('green', text);
const red = (text: string): string => styleText('red', text);

function verdict(good: boolean, yes: string, no: string): string {
  return good ? green(`✓ ${yes}`) : red(`✗ ${no}`);
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function percent(part: number, total: number): string {
  return `${Math.round((100 * part) / total)} %`;
}

function short(hash: string): string {
  return `${hash.slice(0, 16)}…`;
}

/** What was there, what this process added, what is missing. */
function bar(from: number, to: number, total: number): string {
  const width = 24;
  const a = Math.round((width * from) / total);
  const b = Math.round((width * to) / total);
  return dim('━'.repeat(a)) + '━'.repeat(b - a) + dim('╌'.repeat(width - b));
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length > width && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
