// Checks what no compiler does: that the tracked files speak of no machine and no registry, that no
// test is switched off and nothing is left for later, and that what is published says what it must.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { publicPackages, report, repositoryRoot, run } from './workspace.mjs';

const root = process.argv[2] ?? repositoryRoot;

/** The one place that knows where test vectors are looked for, and the gate that requires them. */
const VECTORS_DEFAULT = ['.ci/run', 'packages/core/test/support/vectors.ts'];

/**
 * What may skip a test for want of something in the machine, outside of CI. The gate fails on any
 * test that was skipped.
 */
const MAY_SKIP = [
  'apps/integration/test/support/process-memory.ts',
  'apps/integration/test/support/small-disk.ts',
  'packages/core/test/support/vectors.ts',
  'packages/kms-local/test/support/tmpfs.ts',
  'packages/store-checkpoint/test/object-stores/full-and-denied.test.ts',
  'packages/store-checkpoint/test/support/small-disk.ts',
];

/** Written so that this file does not match itself. */
const TEXT_RULES = [
  {
    what: 'names a registry host',
    pattern:
      /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)\.(?:org|com)|npm\.pkg\.github\.com|(?:deb|security|ftp[\w.]*|snapshot|archive)\.(?:debian|ubuntu)\.(?:org|com))\b/i,
  },
  {
    what: "names a folder of somebody's machine",
    pattern: /(?<![\w.@/-])\/(?:root|work)(?:\/|$|(?=["'`\s]))|(?<![\w.@/-])\/(?:home|Users)\/\w|\b[A-Z]:\\Users\\/,
  },
  { what: 'points beside the repository', pattern: /\.\.\/shared\b/, allowed: (path) => VECTORS_DEFAULT.includes(path) },
  { what: 'is left for later', pattern: /\b(?:TO[D]O|FIX[M]E|XX[X])\b/, allowed: (path) => path === 'pnpm-lock.yaml' },
  {
    what: 'runs only some tests',
    pattern: /\b(?:it|describe|test|suite|bench)(?:\.\w+)*\.only\b|\bf(?:it|describe)\(/,
  },
  {
    what: 'switches a test off',
    pattern:
      /\b(?:it|describe|test|suite|bench)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|fails)\b|\b(?:ctx|context|task|t)\.skip\(|\bx(?:it|describe)\(/,
    allowed: (path) => MAY_SKIP.includes(path),
  },
];

const LOCKFILE = /(?:^|\/)(?:pnpm-lock\.yaml|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock)$/;
const MANIFEST_FIELDS = ['license', 'exports', 'files', 'engines', 'publishConfig'];

/** The files that are tracked or would be, or, outside of a git checkout, all but what tools make. */
function files() {
  const git = run('git', ['-c', `safe.directory=${root}`, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  if (git.ok) {
    return git.stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  }
  const made = new Set(['.git', 'node_modules', 'dist', 'coverage', '.turbo']);
  const walk = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        return made.has(entry.name) ? [] : walk(path);
      }
      return entry.isFile() ? [path] : [];
    });
  return walk('');
}

function textProblems(path) {
  const text = readFileSync(join(root, path), 'utf8');
  if (text.includes('\0')) {
    return [];
  }
  const found = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const { what, pattern, allowed } of TEXT_RULES) {
      if (pattern.test(line) && allowed?.(path) !== true) {
        found.push(`${path}:${index + 1}: ${what}: ${line.trim().slice(0, 120)}`);
      }
    }
    if (LOCKFILE.test(path) && /\b(?:tarball|resolved)\b.*https?:/.test(line)) {
      found.push(`${path}:${index + 1}: fixes where a package is downloaded from`);
    }
  }
  return found;
}

function changesetProblems() {
  const path = '.changeset/config.json';
  if (!existsSync(join(root, path))) {
    return [`${path}: missing`];
  }
  const { fixed = [], linked = [] } = JSON.parse(readFileSync(join(root, path), 'utf8'));
  return [...fixed, ...linked].length === 0 ? [] : [`${path}: packages are versioned on their own; fixed and linked stay empty`];
}

function manifestProblems() {
  return publicPackages(root).flatMap(({ folder, path, manifest }) => [
    ...MANIFEST_FIELDS.filter((field) => manifest[field] === undefined).map((field) => `${path}/package.json: no ${field}`),
    ...(manifest.publishConfig !== undefined && manifest.publishConfig.access !== 'public'
      ? [`${path}/package.json: publishConfig.access is not public`]
      : []),
    ...(existsSync(join(folder, 'LICENSE')) ? [] : [`${path}/LICENSE: missing`]),
  ]);
}

const checked = files();
const problems = [...checked.flatMap(textProblems), ...changesetProblems(), ...manifestProblems()];
report(problems, `${checked.length} files are clean`);
