// Runs the tests of the PKCS#11 client against a real token, and the README examples that need one. Installs what
// is missing: SoftHSM and a C compiler with apt-get, and the native part of pkcs11js, which the rest of the
// repository does without. Fails where it cannot have them. Run `npm run build` first.
// Usage: node scripts/check-pkcs11.mjs [--counts <file>]   (the file gets "<passed> <failed>")
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { report, repositoryRoot, run } from './workspace.mjs';

const folder = join(repositoryRoot, 'packages/kms-local');
const results = join(folder, 'coverage/hsm/tests.json');
const countsFile = process.argv[2] === '--counts' ? process.argv[3] : undefined;
const TESTS_MS = 900_000;

/** What must be there, and the Debian packages that bring it. */
const NEEDS = [
  { what: 'SoftHSM', packages: ['softhsm2'], there: () => has('softhsm2-util', '--version') },
  { what: 'a C compiler', packages: ['gcc', 'g++', 'make', 'libc6-dev'], there: () => has('cc', '--version') && has('make', '--version') },
  { what: 'Python, for node-gyp', packages: ['python3'], there: () => has('python3', '--version') },
];

const has = (command, ...args) => run(command, args).ok;

function systemProblems() {
  const missing = NEEDS.filter(({ there }) => !there());
  if (missing.length === 0) {
    return [];
  }
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const packages = missing.flatMap((need) => need.packages);
  const outputs = [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...packages]].map((args) => {
    const [command, ...rest] = [...prefix, 'apt-get', ...args];
    return run(command, rest, { env, timeout: 300_000 }).output.trim();
  });
  const still = missing.filter(({ there }) => !there()).map(({ what }) => what);
  return still.length === 0 ? [] : [...outputs, `These tests need ${still.join(', ')}, and apt-get could not install: ${packages.join(' ')}.`];
}

const bindingLoads = () => run(process.execPath, ['--eval', "require('pkcs11js')"], { cwd: folder }).ok;

/** Compiles pkcs11js in a place of its own and puts the result beside its sources in the workspace. */
function bindingProblems() {
  if (bindingLoads()) {
    return [];
  }
  const { pkcs11js: version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).devDependencies;
  const scratch = mkdtempSync(join(tmpdir(), 'keyfold-pkcs11js-'));
  try {
    writeFileSync(join(scratch, 'package.json'), '{"private": true}\n');
    // Node's headers are where Node is; without this node-gyp would download them.
    const prefix = dirname(dirname(realpathSync(process.execPath)));
    const env = { ...process.env, ...(existsSync(join(prefix, 'include/node/node.h')) && { npm_config_nodedir: prefix }) };
    const { output } = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `pkcs11js@${version}`], { cwd: scratch, env, timeout: 300_000 });
    const compiled = join(scratch, 'node_modules/pkcs11js/build/Release/pkcs11.node');
    if (!existsSync(compiled)) {
      return [output.trim(), `pkcs11js ${version} could not be compiled.`];
    }
    const target = join(folder, 'node_modules/pkcs11js/build/Release');
    mkdirSync(target, { recursive: true });
    copyFileSync(compiled, join(target, 'pkcs11.node'));
    return bindingLoads() ? [] : [output.trim(), `pkcs11js ${version} was compiled, but does not load.`];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function testProblems() {
  rmSync(results, { force: true });
  const { status } = spawnSync(process.execPath, [join(repositoryRoot, 'scripts/pnpm.mjs'), 'exec', 'vitest', 'run', '--config', 'vitest.hsm.config.ts'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: TESTS_MS,
  });
  if (!existsSync(results)) {
    return ['The tests left no report.'];
  }
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(results, 'utf8'));
  if (countsFile !== undefined) {
    writeFileSync(countsFile, `${numPassedTests} ${numFailedTests}\n`);
  }
  const skipped = testResults.flatMap(({ assertionResults }) => assertionResults).filter((test) => !['passed', 'failed'].includes(test.status));
  return [
    ...skipped.map(({ fullName }) => `did not run: ${fullName}`),
    ...(status === 0 && numPassedTests > 0 ? [] : ['The tests against SoftHSM failed, or their coverage is too low.']),
  ];
}

/** The token that the README of kms-local speaks of. */
function exampleProblems() {
  const scratch = mkdtempSync(join(tmpdir(), 'keyfold-softhsm-'));
  try {
    const conf = join(scratch, 'softhsm2.conf');
    mkdirSync(join(scratch, 'tokens'));
    writeFileSync(conf, `directories.tokendir = ${join(scratch, 'tokens')}\nobjectstore.backend = file\n`);
    const env = { ...process.env, SOFTHSM2_CONF: conf };
    const token = run('softhsm2-util', ['--init-token', '--free', '--label', 'production', '--pin', 'correct-horse-7', '--so-pin', 'officer-pin'], { env });
    if (!token.ok) {
      return [token.output.trim()];
    }
    const { ok, stdout, output } = run(process.execPath, [join(repositoryRoot, 'scripts/check-readme-examples.mjs'), '--hsm'], { env });
    if (ok) {
      console.log(stdout.trim());
    }
    return ok ? [] : [output.trim()];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const problems = [systemProblems, bindingProblems, testProblems, exampleProblems].reduce((found, step) => (found.length > 0 ? found : step()), []);
report(problems, 'the PKCS#11 client works with SoftHSM');
