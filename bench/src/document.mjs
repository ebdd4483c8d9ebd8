import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plotRatios } from './plot.mjs';
import { ratioOf, targetText, verdict } from './report.mjs';

const RESULTS = join(import.meta.dirname, '../results');
const DOCS = join(import.meta.dirname, '../../docs/performance');

/** Writes the tables and the plot from every result that is there. */
export async function writeDocuments() {
  const outcomes = await readResults();
  if (outcomes.length === 0) return;
  await mkdir(DOCS, { recursive: true });
  const machines = [...new Set(outcomes.map(({ machine }) => `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, ${machine.fileSystem}`))];
  const nodes = [...new Set(outcomes.map(({ machine }) => `Node ${machine.node.slice(1)} (OpenSSL ${machine.opensslOfNode})`))];
  const loads = outcomes.map(({ machine }) => machine.loadAverage);
  const lines = [
    '# Results',
    '',
    'Written by `npm run bench`; do not edit. See [README](README.md) for what is measured and how to read it.',
    '',
    `Machine: ${machines.join('; ')}. ${nodes.join(', ')}; OpenSSL on the command line: ${outcomes[0].machine.openssl}.`,
    `Peers: ${Object.entries(outcomes[0].versions).map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    `Load average when runs began: ${Math.min(...loads)} to ${Math.max(...loads)}, on ${outcomes[0].machine.cores} cores.`,
    '',
    ...outcomes.flatMap(section),
  ];
  await writeFile(join(DOCS, 'results.md'), lines.join('\n'));
  await writeFile(join(DOCS, 'ratios.svg'), plotRatios(targetsOf(outcomes)));
}

async function readResults() {
  const names = (await readdir(RESULTS).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(RESULTS, name), 'utf8'))));
}

function section({ title, machine, quick, cases }) {
  return [`## ${title}, Node ${machine.node.slice(1)}`, '', ...(quick ? ['A quick run.', ''] : []), ...cases.flatMap(caseLines)];
}

function caseLines({ name, skipped, bytes, results = {}, ratios = [], limits = [] }) {
  const lines = [`### ${name}`, ''];
  if (skipped !== undefined) return [...lines, `Left out: ${skipped}.`, ''];
  if (Object.keys(results).length > 0) {
    lines.push('| | median | 20th percentile | 99th percentile | processor | GB/s | samples |', '|---|---|---|---|---|---|---|');
    for (const [who, { medianMs, quietMs, p99Ms, cpuMs, samples }] of Object.entries(results)) {
      lines.push(`| ${who} | ${ms(medianMs)} | ${ms(quietMs)} | ${p99Ms === undefined ? '' : ms(p99Ms)} | ${cpuMs === undefined ? '' : ms(cpuMs)} | ${bytes === undefined ? '' : (bytes / medianMs / 1e6).toFixed(2)} | ${samples} |`);
    }
    lines.push('');
  }
  const rows = [...ratios.map((ratio) => ratioRow(ratio, results)), ...limits.map(limitRow)].filter((row) => row !== undefined);
  if (rows.length > 0) lines.push('| | median | 20th percentile | processor | target | |', '|---|---|---|---|---|---|', ...rows, '');
  return lines;
}

function ratioRow(ratio, results) {
  const value = ratioOf(ratio, results);
  if (value === undefined) return undefined;
  const cpu = ratio.noCpu === true || !Number.isFinite(value.cpu) ? '' : value.cpu.toFixed(2);
  return `| ${ratio.speed === true ? 'speed' : 'time'}, ${ratio.of} / ${ratio.against} | ${value.median.toFixed(2)} | ${value.quiet.toFixed(2)} | ${cpu} | ${targetText(ratio)} | ${verdict(ratio, value.median)} |`;
}

function limitRow(limit) {
  return `| ${limit.what} | ${limit.value} | | | ${targetText(limit)} | ${verdict(limit, limit.value)} |`;
}

function ms(value) {
  return value < 0.1 ? `${(value * 1_000).toFixed(1)} us` : `${value.toFixed(2)} ms`;
}

/** Every ratio that has a target. */
function targetsOf(outcomes) {
  return outcomes.flatMap(({ machine, cases }) =>
    cases.flatMap(({ name, results = {}, ratios = [] }) =>
      ratios
        .filter(({ atMost, atLeast }) => atMost !== undefined || atLeast !== undefined)
        .map((ratio) => ({ label: `${name.replace(/:.*/, '')}: ${ratio.of} / ${ratio.against}, Node ${machine.node.slice(1).split('.')[0]}`, ratio, value: ratioOf(ratio, results) }))
        .filter(({ value }) => value !== undefined),
    ),
  );
}
