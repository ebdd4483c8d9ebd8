import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const RESULTS = join(import.meta.dirname, '../results');

/** A ratio of two results: of times, or of speeds where more is better. */
export function ratioOf({ of, against, speed }, results) {
  const [a, b] = [results[of], results[against]];
  if (a === undefined || b === undefined) return undefined;
  return speed === true ? { median: b.medianMs / a.medianMs, quiet: b.quietMs / a.quietMs, cpu: b.cpuMs / a.cpuMs } : { median: a.medianMs / b.medianMs, quiet: a.quietMs / b.quietMs, cpu: a.cpuMs / b.cpuMs };
}

export function verdict({ atMost, atLeast }, value) {
  if (atMost === undefined && atLeast === undefined) return '';
  return (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast) ? 'reached' : 'missed';
}

export function targetText({ atMost, atLeast }) {
  if (atMost !== undefined) return `<= ${atMost}`;
  return atLeast === undefined ? '' : `>= ${atLeast}`;
}

export function printCase({ name, skipped, bytes, results = {}, ratios = [], limits = [] }) {
  process.stderr.write(`\n${name}${skipped === undefined ? '' : `: left out, ${skipped}`}\n`);
  for (const [who, { medianMs, quietMs, p99Ms, cpuMs, samples }] of Object.entries(results)) {
    const speed = bytes === undefined ? '' : `  ${(bytes / medianMs / 1e6).toFixed(2)} GB/s`;
    process.stderr.write(`  ${who.padEnd(36)} ${medianMs.toFixed(3).padStart(10)} ms  p20 ${quietMs.toFixed(3).padStart(10)}${p99Ms === undefined ? '' : `  p99 ${p99Ms.toFixed(3).padStart(10)}`}${cpuMs === undefined ? '' : `  cpu ${cpuMs.toFixed(2).padStart(8)}`}${speed}  (${samples})\n`);
  }
  for (const ratio of ratios) {
    const value = ratioOf(ratio, results);
    if (value === undefined) continue;
    process.stderr.write(
      `  -> ${ratio.speed === true ? 'speed' : 'time'} of ${ratio.of} / ${ratio.against}: ${value.median.toFixed(2)} (p20 ${value.quiet.toFixed(2)}${ratio.noCpu === true || Number.isNaN(value.cpu) ? '' : `, cpu ${value.cpu.toFixed(2)}`}) ${targetText(ratio)} ${verdict(ratio, value.median)}\n`,
    );
  }
  for (const limit of limits) process.stderr.write(`  -> ${limit.what}: ${limit.value} ${targetText(limit)} ${verdict(limit, limit.value)}\n`);
}

export async function saveResults(outcome) {
  await mkdir(RESULTS, { recursive: true });
  const major = outcome.machine.node.split('.')[0].slice(1);
  await writeFile(join(RESULTS, `${outcome.name}-node${major}.json`), `${JSON.stringify(outcome, undefined, 2)}\n`);
}
