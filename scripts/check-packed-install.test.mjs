// Plants packages that bring or load what they should not, and asks the check of packed packages for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

/** The files of a package in a folder of `packages`. */
function planted(folder, name, { source = 'export {};', ...fields } = {}) {
  const manifest = { name, version: '1.0.0', type: 'module', license: 'Apache-2.0', exports: './index.js', files: ['*.js', '*.cjs'], ...fields };
  return {
    [`packages/${folder}/package.json`]: JSON.stringify({ ...manifest, exports: { '.': manifest.exports } }),
    [`packages/${folder}/LICENSE`]: 'A licence\n',
    [`packages/${folder}/README.md`]: `# ${name}\n`,
    [`packages/${folder}/index.js`]: source,
  };
}

const CLEAN = {
  ...planted('core', '@keyfold/core'),
  ...planted('sdk', '@aws-sdk/client-kms', { source: 'module.exports = {};', type: 'commonjs' }),
  ...planted('kms-aws', '@keyfold/kms-aws', {
    source: "import '@keyfold/core';\nexport const open = () => import('@aws-sdk/client-kms');\n",
    dependencies: { '@keyfold/core': '1.0.0', '@aws-sdk/client-kms': '1.0.0' },
  }),
};

function check(t, files) {
  const root = mkdtempSync(join(tmpdir(), 'keyfold-packed-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'check-packed-install.mjs'), root], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  return { status, stdout, stderr };
}

test('check-packed-install.mjs passes a provider that brings its own SDK, and loads it when it is used', (t) => {
  const { status, stdout, stderr } = check(t, CLEAN);
  assert.equal(stderr, '');
  assert.match(stdout, /^3 packages install alone; 3 entries load/);
  assert.equal(status, 0);
});

test('check-packed-install.mjs reports what packages bring and load that they should not', (t) => {
  const { status, stderr } = check(t, {
    ...CLEAN,
    ...planted('core', '@keyfold/core', { dependencies: { '@aws-sdk/client-kms': '1.0.0' } }),
    ...planted('kms-aws', '@keyfold/kms-aws', { source: "import '@aws-sdk/client-kms';\n", dependencies: { '@aws-sdk/client-kms': '1.0.0' } }),
    ...planted('kms-gcp', '@keyfold/kms-gcp', { dependencies: { '@keyfold/kms-aws': '1.0.0' } }),
    ...planted('kms-local', '@keyfold/kms-local', {
      source: "import { createRequire } from 'node:module';\ncreateRequire(import.meta.url)('@aws-sdk/client-kms');\n",
      dependencies: { '@aws-sdk/client-kms': '1.0.0' },
    }),
  });
  for (const expected of [
    '@keyfold/core: has dependencies, and must have none',
    '@keyfold/core: installs @aws-sdk/client-kms, and must install nothing else',
    '@keyfold/core: installs @aws-sdk/client-kms of AWS, which its users did not ask for',
    '@keyfold/kms-aws: import("@keyfold/kms-aws") loads @aws-sdk/client-kms at once',
    '@keyfold/kms-gcp: installs the provider @keyfold/kms-aws',
    '@keyfold/kms-gcp: installs @aws-sdk/client-kms of AWS, which its users did not ask for',
    '@keyfold/kms-local: installs @aws-sdk/client-kms of AWS, which its users did not ask for',
    '@keyfold/kms-local: import("@keyfold/kms-local") loads @aws-sdk/client-kms at once',
  ]) {
    assert.ok(stderr.split('\n').includes(expected), `not reported: ${expected}\n${stderr}`);
  }
  assert.doesNotMatch(stderr, /@keyfold\/kms-aws: installs/);
  assert.equal(status, 1);
});
