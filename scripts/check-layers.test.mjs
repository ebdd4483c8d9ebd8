// Plants one violation at a time in a small workspace and asks check-layers for exactly that rule.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkLayers } from './check-layers.mjs';

const core = (path) => `packages/core/src/${path}`;
const script = join(import.meta.dirname, 'check-layers.mjs');

function manifest(name, entries, more = {}) {
  const exports = Object.fromEntries(
    entries.map((entry) => [
      entry === 'index' ? '.' : `./${entry}`,
      { types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` },
    ]),
  );
  return JSON.stringify({ name: `@keyfold/${name}`, type: 'module', exports, ...more });
}

const installed = (folder) => ({
  [`${folder}/package.json`]: JSON.stringify({ name: folder, version: '1.0.0', main: 'index.js' }),
  [`${folder}/index.js`]: 'module.exports = {};',
});

/** A workspace that keeps every rule: one file a layer, each importing the layer below. */
const CLEAN = {
  'packages/core/package.json': manifest('core', ['index', 'provider', 'testing']),
  'packages/core/src/errors.ts': 'export class KeyfoldError extends Error {}',
  'packages/core/src/bytes.ts': "import { timingSafeEqual } from 'node:crypto';\nexport const equal = timingSafeEqual;",
  'packages/core/src/clock.ts': 'export interface Clock { now(): number }',
  'packages/core/src/crypto/aead.ts': "import { equal } from '../bytes.ts';\nexport const aead = equal;",
  'packages/core/src/format/context.ts': "import { equal } from '../bytes.ts';\nexport type Context = typeof equal;",
  'packages/core/src/ports/kms-client.ts':
    "import type { Context } from '../format/context.ts';\nexport interface KmsClient { context: Context }",
  'packages/core/src/kms/resilient.ts': "export type { KmsClient } from '../ports/kms-client.ts';",
  'packages/core/src/keys/cache.ts': "export type { KmsClient } from '../kms/resilient.ts';",
  'packages/core/src/sealing/seal.ts': "export type { KmsClient } from '../keys/cache.ts';",
  'packages/core/src/vault/vault.ts': "export type { KmsClient } from '../sealing/seal.ts';",
  'packages/core/src/rotation/manager.ts': "export type { KmsClient } from '../vault/vault.ts';",
  'packages/core/src/index.ts': "export type { KmsClient } from './rotation/manager.ts';",
  'packages/core/src/provider.ts': "export type { KmsClient } from './ports/kms-client.ts';",
  'packages/core/src/testing.ts': "export type { Clock } from './clock.ts';",
  'packages/core/test/seal.test.ts': "import '../src/sealing/seal.ts';\nimport '@keyfold/core/testing';",
  'packages/kms-local/package.json': manifest('kms-local', ['index'], { dependencies: { '@keyfold/core': '*' } }),
  'packages/kms-local/src/index.ts':
    "import { readFile } from 'node:fs/promises';\nimport type { KmsClient } from '@keyfold/core/provider';\nexport const read = readFile;\nexport type Client = KmsClient;",
  'packages/kms-local/test/index.test.ts': "import '@keyfold/core/testing';\nimport '../src/index.ts';",
  'packages/kms-aws/package.json': manifest('kms-aws', ['index'], {
    dependencies: { '@keyfold/core': '*', '@aws-sdk/client-kms': '*' },
  }),
  'packages/kms-aws/src/index.ts':
    "export type { KmsClient } from '@keyfold/core/provider';\nexport * as sdk from '@aws-sdk/client-kms';",
  ...installed('packages/kms-aws/node_modules/@aws-sdk/client-kms'),
  'packages/store-checkpoint/package.json': manifest('store-checkpoint', ['index'], {
    dependencies: { '@keyfold/core': '*' },
  }),
  'packages/store-checkpoint/src/index.ts':
    "export type { KmsClient } from '@keyfold/core';\nexport type { KmsClient as Client } from '@keyfold/core/provider';",
  'packages/testkit/package.json': manifest('testkit', ['index'], { dependencies: { '@keyfold/core': '*' } }),
  'packages/testkit/src/index.ts': "export type { Clock } from '@keyfold/core/testing';",
  'apps/demo/package.json': manifest('demo', [], {}),
  'apps/demo/src/main.ts':
    "import '@keyfold/core';\nimport '@keyfold/kms-local';\nimport '@keyfold/kms-aws';\nimport '@keyfold/store-checkpoint';",
};

/** Writes CLEAN with `changes` on top. */
function workspace(t, changes) {
  const root = mkdtempSync(join(tmpdir(), 'keyfold-layers-'));
  t.after(() => {
    process.chdir(tmpdir());
    rmSync(root, { recursive: true, force: true });
  });
  for (const [path, text] of Object.entries({ ...CLEAN, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return root;
}

const run = (root) => spawnSync(process.execPath, [script, root], { encoding: 'utf8', timeout: 60_000 });

test('a workspace that keeps the rules passes', (t) => {
  const { status, stdout, stderr } = run(workspace(t, {}));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /, 0 violations/);
});

test('a violation fails the command and names the rule and both files', (t) => {
  const { status, stderr } = run(workspace(t, { [core('crypto/aead.ts')]: "export * from '../format/context.ts';" }));
  assert.equal(status, 1);
  assert.equal(
    stderr,
    'core-crypto-without-format: packages/core/src/crypto/aead.ts -> packages/core/src/format/context.ts\n',
  );
});

test('an empty folder is not taken for a clean one', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'keyfold-layers-'));
  t.after(() => {
    process.chdir(tmpdir());
    rmSync(root, { recursive: true, force: true });
  });
  await assert.rejects(checkLayers(root), /nothing to check/);
});

const someDependency = installed('packages/core/node_modules/some-dep');
const storeOf = (name) => ({
  [`packages/${name}/package.json`]: manifest(name, ['index']),
  [`packages/${name}/src/index.ts`]: 'export const nothing = 0;',
});

/** [what is planted, the files, the rules that must be named and no others] */
const PLANTED = [
  [
    'core importing a dependency',
    { ...someDependency, [core('bytes.ts')]: "export { default } from 'some-dep';" },
    ['core-imports-node-only', 'src-uses-declared-dependencies'],
  ],
  [
    'core importing a dependency that it declares',
    {
      ...someDependency,
      'packages/core/package.json': manifest('core', ['index', 'provider', 'testing'], {
        dependencies: { 'some-dep': '1.0.0' },
      }),
      [core('bytes.ts')]: "export const load = () => import('some-dep');",
    },
    ['core-imports-node-only'],
  ],
  [
    'core importing a type of a dependency',
    { ...someDependency, [core('bytes.ts')]: "import type { X } from 'some-dep';\nexport type Y = X;" },
    ['core-imports-node-only', 'src-uses-declared-dependencies'],
  ],
  [
    'core importing a dependency that is not installed',
    { [core('bytes.ts')]: "export * from 'not-there';" },
    ['core-imports-node-only', 'imports-resolve'],
  ],
  [
    'crypto importing format',
    { [core('crypto/aead.ts')]: "export * from '../format/context.ts';" },
    ['core-crypto-without-format'],
  ],
  [
    'crypto importing a type of format',
    { [core('crypto/aead.ts')]: "export const aead = (c: import('../format/context.ts').Context) => c;" },
    ['core-crypto-without-format'],
  ],
  [
    'format importing crypto',
    { [core('format/context.ts')]: "import type { aead } from '../crypto/aead.ts';\nexport type Context = typeof aead;" },
    ['core-format-without-crypto'],
  ],
  ...[
    ['errors.ts', './crypto/aead.ts', 'base'],
    ['crypto/random.ts', '../ports/kms-client.ts', 'crypto-format'],
    ['format/field.ts', '../kms/resilient.ts', 'crypto-format'],
    ['ports/object-store.ts', '../kms/resilient.ts', 'ports'],
    ['kms/multi.ts', '../keys/cache.ts', 'kms'],
    ['keys/leases.ts', '../sealing/seal.ts', 'keys'],
    ['sealing/open.ts', '../vault/vault.ts', 'sealing'],
    ['vault/columns.ts', '../rotation/manager.ts', 'vault'],
    ['rotation/lease.ts', '../index.ts', 'rotation'],
  ].map(([from, to, layer]) => [
    `${from} importing ${to} from above`,
    // The file above stops importing anything, so that only the direction is at fault, not a cycle.
    {
      [core(from)]: `export * from '${to}';`,
      [core(to.replace(/^\.\.?\//, ''))]: 'export const nothing = 0;',
    },
    [`core-layer-${layer}`],
  ]),
  [
    'a cycle',
    { [core('kms/a.ts')]: "import './b.ts';", [core('kms/b.ts')]: "import './a.ts';" },
    ['no-cycles'],
  ],
  [
    'a cycle of types',
    {
      [core('kms/a.ts')]: "import type { B } from './b.ts';\nexport interface A { b: B }",
      [core('kms/b.ts')]: "import type { A } from './a.ts';\nexport interface B { a: A }",
    },
    ['no-cycles'],
  ],
  [
    'a folder of core without a layer',
    { [core('misc/extra.ts')]: "export * from '../bytes.ts';" },
    ['core-file-has-a-layer'],
  ],
  [
    'a core test importing the testkit',
    { 'packages/core/test/seal.test.ts': "import '@keyfold/testkit';" },
    ['core-without-testkit'],
  ],
  [
    'a provider importing a store',
    { 'packages/kms-local/src/index.ts': "export * from '@keyfold/store-checkpoint';" },
    ['provider-without-stores'],
  ],
  [
    'a provider importing the ORM',
    { ...storeOf('orm-typeorm'), 'packages/kms-local/src/index.ts': "export * from '@keyfold/orm-typeorm';" },
    ['provider-without-stores'],
  ],
  [
    "a provider importing the users' entry of core",
    { 'packages/kms-local/src/index.ts': "export type { KmsClient } from '@keyfold/core';" },
    ['provider-uses-core-provider'],
  ],
  [
    'a provider importing another provider',
    { 'packages/kms-local/src/index.ts': "export * from '@keyfold/kms-aws';" },
    ['provider-without-provider'],
  ],
  [
    'a test of a provider importing another provider',
    { 'packages/kms-local/test/index.test.ts': "import '@keyfold/kms-aws';" },
    ['provider-without-provider'],
  ],
  [
    'a provider importing a provider that does not exist',
    { 'packages/kms-local/src/index.ts': "export * from '@keyfold/kms-gcp';" },
    ['imports-resolve', 'provider-without-provider'],
  ],
  [
    "a provider importing another cloud's SDK",
    {
      'packages/kms-aws/package.json': manifest('kms-aws', ['index'], { dependencies: { '@azure/identity': '*' } }),
      'packages/kms-aws/src/index.ts': "export * from '@azure/identity';",
      ...installed('packages/kms-aws/node_modules/@azure/identity'),
    },
    ['own-dependencies-kms-aws'],
  ],
  [
    'a new provider with a dependency that no rule knows',
    {
      'packages/kms-new/package.json': manifest('kms-new', ['index'], { dependencies: { 'some-dep': '*' } }),
      'packages/kms-new/src/index.ts': "export * from 'some-dep';",
      ...installed('packages/kms-new/node_modules/some-dep'),
    },
    ['own-dependencies-provider'],
  ],
  [
    'a store importing a provider',
    { 'packages/store-checkpoint/src/index.ts': "export * from '@keyfold/kms-local';" },
    ['consumer-without-provider'],
  ],
  [
    'telemetry importing a store',
    {
      'packages/telemetry/package.json': manifest('telemetry', ['index']),
      'packages/telemetry/src/index.ts': "export * from '@keyfold/store-checkpoint';",
    },
    ['consumer-imports-core-only'],
  ],
  [
    'shipped code importing the testkit',
    { 'packages/store-checkpoint/src/index.ts': "export * from '@keyfold/testkit';" },
    ['shipped-without-testkit'],
  ],
  [
    'shipped code importing the testing entry of core',
    { 'packages/store-checkpoint/src/index.ts': "export * from '@keyfold/core/testing';" },
    ['shipped-without-core-testing'],
  ],
  [
    'core itself importing its testing entry',
    { [core('index.ts')]: "export * from './testing.ts';" },
    ['shipped-without-core-testing'],
  ],
  [
    'a store importing the command line tool',
    { ...storeOf('cli'), 'packages/store-checkpoint/src/index.ts': "export * from '@keyfold/cli';" },
    ['consumer-imports-core-only', 'shipped-without-cli'],
  ],
  [
    'a package importing an app',
    {
      'apps/demo/package.json': manifest('demo', ['main']),
      'packages/cli/package.json': manifest('cli', ['index']),
      'packages/cli/src/index.ts': "export * from '@keyfold/demo/main';",
    },
    ['packages-without-apps'],
  ],
  [
    "a path into another package's src",
    { 'packages/store-checkpoint/src/index.ts': "export * from '../../core/src/index.ts';" },
    ['entries-not-paths'],
  ],
  [
    "a test with a path into another package's dist",
    {
      'packages/core/dist/index.js': 'export {};',
      'packages/store-checkpoint/test/index.test.ts': "import '../../core/dist/index.js';",
    },
    ['entries-not-paths'],
  ],
  [
    'a path around the entries through the package name',
    { 'packages/store-checkpoint/src/index.ts': "export * from '@keyfold/core/src/bytes.ts';" },
    ['entries-not-paths', 'imports-resolve'],
  ],
  [
    'shipped code importing its tests',
    {
      'packages/kms-local/src/index.ts': "export * from '../test/helper.ts';",
      'packages/kms-local/test/helper.ts': 'export const nothing = 0;',
    },
    ['src-without-test'],
  ],
  [
    'a store importing a dependency of another store',
    {
      'packages/store-checkpoint/package.json': manifest('store-checkpoint', ['index'], {
        peerDependencies: { typeorm: '*' },
      }),
      'packages/store-checkpoint/src/index.ts': "export * from 'typeorm';",
      ...installed('packages/store-checkpoint/node_modules/typeorm'),
    },
    ['own-dependencies-store-checkpoint'],
  ],
];

for (const [what, changes, rules] of PLANTED) {
  test(`${what} is reported as ${rules.join(' and ')}`, async (t) => {
    const { violations } = await checkLayers(workspace(t, changes));
    const named = new Set(violations.map((violation) => violation.slice(0, violation.indexOf(':'))));
    assert.deepEqual([...named].sort(), [...rules].sort(), violations.join('\n'));
  });
}

test('the command line tool and the apps may import several providers', async (t) => {
  const { violations } = await checkLayers(
    workspace(t, {
      'packages/cli/package.json': manifest('cli', ['index'], { dependencies: { '@keyfold/core': '*' } }),
      'packages/cli/src/index.ts': [
        "import '@keyfold/core';",
        "import '@keyfold/store-checkpoint';",
        "export const load = () => [import('@keyfold/kms-local'), import('@keyfold/kms-aws')];",
      ].join('\n'),
    }),
  );
  assert.deepEqual(violations, []);
});
