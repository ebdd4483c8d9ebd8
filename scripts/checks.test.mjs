// Plants one defect at a time in a small repository and asks the hygiene and README checks for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const MANIFEST = {
  name: '@keyfold/one',
  type: 'module',
  license: 'Apache-2.0',
  engines: { node: '>=20.19' },
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  files: ['dist'],
  publishConfig: { access: 'public' },
};

const fenced = (info, ...code) => ['# One', '', `\`\`\`${info}`, ...code, '```', ''].join('\n');

const CLEAN = {
  '.changeset/config.json': '{ "fixed": [], "linked": [] }',
  'README.md': '# All\n',
  'pnpm-lock.yaml': "packages:\n  some-dep@1.0.0:\n    resolution: {integrity: sha512-abc}\n",
  'packages/one/LICENSE': 'A licence\n',
  'packages/one/package.json': JSON.stringify(MANIFEST),
  'packages/one/README.md': fenced('ts example', "import { one } from '@keyfold/one';", 'if (one !== 1) throw new Error();'),
  'packages/one/dist/index.d.ts': 'export declare const one: number;\n',
  'packages/one/dist/index.js': 'export const one = 1;\n',
  'packages/one/test/one.test.ts': "it('is one', () => {});\nreader.skip(4);\n",
};

function check(t, script, changes, flags = []) {
  const root = mkdtempSync(join(tmpdir(), 'keyfold-checks-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ ...CLEAN, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text !== undefined) {
      writeFileSync(join(root, path), text);
    }
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, script), root, ...flags], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

for (const script of ['check-hygiene.mjs', 'check-readme-examples.mjs']) {
  test(`${script} passes a clean repository`, (t) => {
    const { status, stderr } = check(t, script, {});
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });
}

const manifestWithout = (field) => ({
  'packages/one/package.json': JSON.stringify({ ...MANIFEST, [field]: undefined }),
});
const source = (text) => ({ 'packages/one/src/index.ts': `${text}\n` });
const testFile = (text) => ({ 'packages/one/test/two.test.ts': `${text}\n` });

/** [what is planted, the files, what the report must say]; split strings keep this file clean itself. */
const DIRT = [
  ['a registry host', source(`// https://registry.${'npmjs'}.org/x`), /index\.ts:1: names a registry host/],
  ['a mirror of Debian', source(`// http://deb.${'debian'}.org/debian`), /names a registry host/],
  ["root's home", source(`const path = '/${'root'}/x';`), /names a folder of somebody's machine/],
  ["a user's home", source(`const path = '/${'home'}/someone/x';`), /names a folder of somebody's machine/],
  ['a working directory', { 'README.md': `Run it in /${'work'}/main.\n` }, /README\.md:1: names a folder/],
  ['a path beside the repository', source(`const path = '../${'shared'}/vectors';`), /points beside the repository/],
  ['a note for later', source(`// ${'TO'}DO: finish`), /is left for later/],
  ['a focused test', testFile(`it.${'only'}('x', () => {});`), /runs only some tests/],
  ['a focused group', testFile(`describe.concurrent.${'only'}('x', () => {});`), /runs only some tests/],
  ['a skipped test', testFile(`it.${'skip'}('x', () => {});`), /switches a test off/],
  ['a test skipped on a condition', testFile(`describe.${'skipIf'}(true)('x', () => {});`), /switches a test off/],
  ['a test that skips itself', testFile(`context.${'skip'}();`), /switches a test off/],
  [
    'a download address in the lockfile',
    { 'pnpm-lock.yaml': 'resolution: {tarball: https://example.com/some-dep.tgz}\n' },
    /fixes where a package is downloaded from/,
  ],
  ['packages versioned together', { '.changeset/config.json': '{ "fixed": [["@keyfold/*"]] }' }, /stay empty/],
  ['a package without its licence', { 'packages/one/LICENSE': undefined }, /LICENSE: missing/],
  ...['license', 'exports', 'files', 'engines', 'publishConfig'].map((field) => [
    `a manifest without ${field}`,
    manifestWithout(field),
    new RegExp(`package\\.json: no ${field}`),
  ]),
];

for (const [what, changes, expected] of DIRT) {
  test(`check-hygiene.mjs reports ${what}, and only that`, (t) => {
    const { status, stderr } = check(t, 'check-hygiene.mjs', changes);
    assert.match(stderr, expected);
    assert.match(stderr, /^1 problem$/m);
    assert.equal(status, 1);
  });
}

const readme = (text) => ({ 'packages/one/README.md': text });

const EXAMPLES = [
  ['a missing README', readme(undefined), /packages\/one\/README\.md: missing/],
  ['a README without an example', readme(fenced('ts', 'const x = 1;')), /README\.md: has no example/],
  ['a type error', readme(fenced('ts example', "const x: number = 'text';", 'void x;')), /does not type-check\b[^]*TS2322/],
  [
    'a type error that only strict settings see',
    readme(fenced('ts example', 'const list: string[] = [];', 'list[0].trim();')),
    /does not type-check\b[^]*TS2532/,
  ],
  [
    'an import that does not exist',
    readme(fenced('ts example', "import { two } from '@keyfold/one';", 'void two;')),
    /does not type-check\b[^]*TS2305/,
  ],
  ['an example that throws', readme(fenced('ts example', "throw new Error('not so');")), /README\.md:3: the example failed[^]*not so/],
  ['a JavaScript example that exits with 1', readme(fenced('js example', 'process.exit(1);')), /README\.md:3: the example failed/],
  [
    'an example that is too long',
    readme(fenced('ts example', ...Array.from({ length: 21 }, (_, index) => `export const x${index} = ${index};`))),
    /README\.md:3: the example has 21 lines of code/,
  ],
];

for (const [what, changes, expected] of EXAMPLES) {
  test(`check-readme-examples.mjs reports ${what}`, (t) => {
    const { status, stderr } = check(t, 'check-readme-examples.mjs', changes);
    assert.match(stderr, expected);
    assert.equal(status, 1);
  });
}

test('check-readme-examples.mjs runs examples that need a token only where there is one, and type-checks them anyhow', (t) => {
  const throwing = readme(fenced('ts example hsm', "throw new Error('not so');"));
  assert.equal(check(t, 'check-readme-examples.mjs', throwing).status, 0);
  assert.match(check(t, 'check-readme-examples.mjs', throwing, ['--hsm']).stderr, /README\.md:3: the example failed/);
  assert.match(check(t, 'check-readme-examples.mjs', {}, ['--hsm']).stderr, /no README has an example that needs a token/);
  const wrong = readme(fenced('ts example hsm', "const x: number = 'text';", 'void x;'));
  assert.match(check(t, 'check-readme-examples.mjs', wrong).stderr, /does not type-check/);
});

test('check-readme-examples.mjs does not count blank lines and comments', (t) => {
  const code = Array.from({ length: 20 }, (_, index) => `export const x${index} = ${index};\n\n// a comment`);
  const { status, stderr } = check(t, 'check-readme-examples.mjs', readme(fenced('ts example', ...code)));
  assert.equal(status, 0, stderr);
});
