// Usage: npm run bench -- [names...] [--quick] [--node <path>]... [--against <checkout>] [--temporary <directory>]
// Without names all benchmarks are run and their results kept in bench/results and docs/performance (not with
// --no-save). --against compares with another, built checkout. Every --node runs all of it again under that Node.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, freeBytes } from './src/machine.mjs';
import { loadKeyfold } from './src/keyfold.mjs';
import { writeDocuments } from './src/document.mjs';
import { printCase, saveResults } from './src/report.mjs';

const ALL = ['seal', 'save', 'load', 'fields', 'memory', 'keys', 'kms'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    node: { type: 'string', multiple: true },
    against: { type: 'string' },
    temporary: { type: 'string' },
    sizes: { type: 'string' },
    save: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const unknown = positionals.find((name) => !ALL.includes(name));
if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}". Known are: ${ALL.join(', ')}.`);

if (values.node !== undefined) {
  const rest = process.argv.slice(2).filter((argument, index, all) => argument !== '--node' && all[index - 1] !== '--node');
  for (const node of values.node) spawnSync(node, ['--expose-gc', import.meta.filename, ...rest], { stdio: 'inherit' });
} else {
  await main(positionals.length === 0 ? ALL : positionals);
}

async function main(names) {
  const parent = values.temporary ?? tmpdir();
  const machine = await describeMachine(parent);
  progress(JSON.stringify(machine));
  if (machine.fileSystem === 'tmpfs') progress('Warning: the directory is in memory, so saves measure no disk. Name another with --temporary.');
  const keyfold = await loadKeyfold();
  const against = values.against && (await loadKeyfold(values.against));
  const versions = await peerVersions();
  for (const name of names) {
    const { title, run } = await import(`./src/benchmarks/${name}.mjs`);
    const temporary = await mkdtemp(join(parent, 'keyfold-bench-'));
    try {
      const cases = await run({
        temporary,
        quick: values.quick,
        sizes: values.sizes?.split(',').map(Number),
        freeBytes: await freeBytes(parent),
        keyfold,
        against,
        node: Number(process.versions.node.split('.')[0]),
        progress,
        peer,
      });
      for (const outcome of cases) printCase(outcome);
      if (!values.save) continue;
      await saveResults({ name, title, machine, versions, quick: values.quick, cases });
      await writeDocuments();
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

function progress(line) {
  process.stderr.write(`${line}\n`);
}

/** A module to compare with, or undefined where it is not installed. */
async function peer(name) {
  try {
    return await import(name);
  } catch {
    progress(`${name} is not installed, so it is left out.`);
    return undefined;
  }
}

async function peerVersions() {
  const { dependencies } = JSON.parse(await readFile(join(import.meta.dirname, 'package.json'), 'utf8'));
  return dependencies;
}
