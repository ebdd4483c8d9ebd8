// Holds the packages against the second decoder, which was written from docs/spec alone: the vectors, what
// the packages write today, and the other way round. Run `npm run build` first.
// Usage: node scripts/check-second-decoder.mjs   (KEYFOLD_PYTHON: another Python than the system's)
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, repositoryRoot, run } from './workspace.mjs';

const python = process.env.KEYFOLD_PYTHON ?? '/usr/bin/python3';
const decoder = join(repositoryRoot, 'vectors/decoder/run.py');
// Nothing is left behind beside the decoder.
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', DEBIAN_FRONTEND: 'noninteractive' };

const hasCryptography = () => run(python, ['-c', 'import cryptography'], { env }).ok;

/** What is wrong with the Python that there is, after an attempt to mend it. */
function pythonProblems() {
  if (hasCryptography()) {
    return [];
  }
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const outputs = [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', 'python3', 'python3-cryptography']].map((args) => {
    const [command, ...rest] = [...prefix, 'apt-get', ...args];
    return run(command, rest, { env, timeout: 300_000 }).output;
  });
  if (hasCryptography()) {
    return [];
  }
  return [
    ...outputs.map((output) => output.trim()),
    `The second decoder needs ${python} with the package cryptography, and installing python3-cryptography with apt-get failed. ` +
      'Install it, or set KEYFOLD_PYTHON to a Python that has it.',
  ];
}

/** Runs one step and shows its summary; the problem is its whole output. */
function step(command, args) {
  const { ok, stdout, output } = run(command, args, { env, cwd: repositoryRoot });
  if (ok) {
    console.log(stdout.trim());
  }
  return ok ? [] : [output.trim()];
}

const inPython = (...args) => step(python, [decoder, ...args]);
const inNode = (...args) => step(process.execPath, [join(repositoryRoot, 'scripts/live-vectors.mjs'), ...args]);

function agreementProblems() {
  const scratch = mkdtempSync(join(tmpdir(), 'keyfold-decoder-'));
  try {
    const [written, encoded] = ['written', 'encoded'].map((name) => join(scratch, name));
    mkdirSync(written, { mode: 0o700 });
    mkdirSync(encoded, { mode: 0o700 });
    const steps = [
      () => inPython(),
      () => inPython('--self-test'),
      () => inNode('write', written),
      () => inPython('--live', written),
      () => inPython('--encode', encoded),
      () => inNode('read', encoded),
    ];
    return steps.reduce((problems, next) => (problems.length > 0 ? problems : next()), []);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const missing = pythonProblems();
report(missing.length > 0 ? missing : agreementProblems(), 'the packages and the second decoder agree');
