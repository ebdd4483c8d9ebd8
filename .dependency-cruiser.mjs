// The import rules of the workspace, for scripts/check-layers.mjs. Imports of workspace packages
// arrive here as the source file behind the entry (see the script), so a rule can name
// packages/core/src/provider.ts whether or not anything is built. A package that does not exist
// or is not an entry stays under the name it was imported by, hence the two forms in `workspace`.

/** A workspace package, by its folder or by its name. */
const workspace = (names) => `^(?:packages|@keyfold)/(?:${names})(?:/|$)`;

/** An npm package, resolved or not. */
const npm = (names) => `(?:^|/node_modules/|^node_modules/)(?:${names})(?:/|$)`;

/** What is in this repository, resolved or not. */
const ours = ['^(?:packages|apps)/[^/]+/(?!node_modules/)', '^@keyfold/', '^\\.'];

/** Core's layers, lowest first. A file imports its own layer and those before it. */
const coreLayers = [
  { name: 'base', path: '(?:errors|bytes|byte-queue|clock)\\.ts$' },
  { name: 'crypto-format', path: '(?:crypto|format)/' },
  { name: 'ports', path: 'ports/' },
  { name: 'kms', path: 'kms/' },
  { name: 'keys', path: 'keys/' },
  { name: 'sealing', path: 'sealing/' },
  { name: 'vault', path: 'vault/' },
  { name: 'rotation', path: 'rotation/' },
  { name: 'entries', path: '(?:audit|metrics|testing)/|(?:index|provider|testing|audit-file)\\.ts$' },
].map(({ name, path }) => ({ name, path: `^packages/core/src/(?:${path})` }));

/**
 * What a package may take from npm: core has a rule of its own, the testkit and the CLI answer to
 * their manifests alone.
 */
const ownDependencies = {
  'kms-local': 'pkcs11js',
  'kms-aws': '@aws-sdk/[^/]+|@smithy/[^/]+',
  'kms-azure': '@azure/[^/]+',
  // CRC-32C has no place in node:zlib, whose CRC-32 is another polynomial.
  'kms-gcp': '@google-cloud/kms|crc-32',
  'store-checkpoint': '@aws-sdk/[^/]+|@smithy/[^/]+',
  'orm-typeorm': 'typeorm',
  telemetry: 'prom-client|@opentelemetry/[^/]+',
};

const shipped = '^packages/[^/]+/src/';

export const forbidden = [
  {
    // A cycle has no lowest file: nothing in it can be read, tested or moved alone.
    name: 'no-cycles',
    from: {},
    to: { circular: true },
  },
  {
    // An import that leads nowhere would also slip past every rule written about its target.
    name: 'imports-resolve',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    // A new folder in core needs a decision about its place; without one no layer rule covers it.
    name: 'core-file-has-a-layer',
    from: { path: '^packages/core/src/', pathNot: coreLayers.map((layer) => layer.path) },
    to: {},
  },
  {
    // The same, seen from the side of whoever imports the new file.
    name: 'core-file-has-a-layer',
    from: {},
    to: { path: '^packages/core/src/', pathNot: coreLayers.map((layer) => layer.path) },
  },
  // What is below does not know what is built on it, so each layer can be reviewed by itself.
  ...coreLayers.slice(0, -1).map((layer, index) => ({
    name: `core-layer-${layer.name}`,
    from: { path: layer.path },
    to: { path: coreLayers.slice(index + 1).map((upper) => upper.path) },
  })),
  {
    // Primitives take bytes, not formats: a change of a format cannot touch them.
    name: 'core-crypto-without-format',
    from: { path: '^packages/core/src/crypto/' },
    to: { path: '^packages/core/src/format/' },
  },
  {
    // Parsers handle hostile bytes and hold no keys.
    name: 'core-format-without-crypto',
    from: { path: '^packages/core/src/format/' },
    to: { path: '^packages/core/src/crypto/' },
  },
  {
    // Everybody installs core; what it pulls in, everybody has to trust.
    name: 'core-imports-node-only',
    from: { path: '^packages/core/src/' },
    to: { pathNot: '^packages/core/src/', dependencyTypesNot: ['core'] },
  },
  {
    // The testkit is built on core, so core's own tests cannot stand on the testkit.
    name: 'core-without-testkit',
    from: { path: '^packages/core/' },
    to: { path: workspace('testkit') },
  },
  {
    // Who uses one cloud installs and audits one cloud.
    name: 'provider-without-provider',
    from: { path: '^packages/(kms-[^/]+)/' },
    to: { path: workspace('kms-[^/]+'), pathNot: '^(?:packages|@keyfold)/$1(?:/|$)' },
  },
  {
    // A provider maps calls and errors; what is stored and how is none of its business.
    name: 'provider-without-stores',
    from: { path: '^packages/kms-[^/]+/' },
    to: { path: workspace('store-[^/]+|orm-[^/]+|telemetry|cli') },
  },
  {
    // The implementors' entry is the whole contract with a provider, ours or anybody else's.
    name: 'provider-uses-core-provider',
    from: { path: '^packages/kms-[^/]+/src/' },
    to: { path: workspace('core'), pathNot: '^packages/core/src/provider\\.ts$' },
  },
  {
    // Stores, ORM and telemetry work over any KmsClient; the application picks it.
    name: 'consumer-without-provider',
    from: { path: '^packages/(?:store-[^/]+|orm-[^/]+|telemetry|testkit)/src/' },
    to: { path: workspace('kms-[^/]+') },
  },
  {
    // Each of these stands on core alone, so that none forces a release of another.
    name: 'consumer-imports-core-only',
    from: { path: '^packages/(store-[^/]+|orm-[^/]+|telemetry|testkit)/src/' },
    to: {
      path: workspace('[^/]+'),
      pathNot: ['^packages/core/src/', '^@keyfold/core/', workspace('kms-[^/]+|testkit'), '^packages/$1/'],
    },
  },
  {
    // Fakes, fixed clocks and fixed randomness must be unreachable from what users run.
    name: 'shipped-without-testkit',
    from: { path: shipped, pathNot: '^packages/testkit/' },
    to: { path: workspace('testkit') },
  },
  {
    // The same for core's own fakes; the testkit is made of them.
    name: 'shipped-without-core-testing',
    from: { path: shipped, pathNot: ['^packages/testkit/', '^packages/core/src/testing(?:\\.ts$|/)'] },
    to: { path: ['^packages/core/src/testing(?:\\.ts$|/)', '^@keyfold/core/testing'] },
  },
  {
    // Only the command line tool and the applications know more than one provider.
    name: 'shipped-without-cli',
    from: { path: shipped, pathNot: '^packages/cli/' },
    to: { path: workspace('cli') },
  },
  {
    // Applications are the top: nothing is built on them.
    name: 'packages-without-apps',
    from: { path: '^packages/' },
    to: { path: '^apps/' },
  },
  {
    // A published package has its entries and nothing else; a path around them breaks after install.
    name: 'entries-not-paths',
    from: { path: '^(packages|apps)/([^/]+)/' },
    to: { path: '^(?:packages|apps)/', pathNot: '^$1/$2/', dependencyTypesNot: ['aliased'] },
  },
  {
    // The same reach, through the package's name.
    name: 'entries-not-paths',
    from: {},
    to: { path: '^@keyfold/[^/]+/(?:src|dist|test)(?:/|$)' },
  },
  {
    // test/ is not published.
    name: 'src-without-test',
    from: { path: '^(?:packages|apps)/[^/]+/src/' },
    to: { path: '^(?:packages|apps)/[^/]+/test/' },
  },
  {
    // What shipped code imports must arrive with the package, or be asked of the user as a peer.
    name: 'src-uses-declared-dependencies',
    from: { path: shipped },
    to: {
      dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'],
      dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'],
    },
  },
  // One SDK a package. A package that is not in the table gets its entry with its first dependency.
  ...Object.entries(ownDependencies).map(([name, allowed]) => ({
    name: `own-dependencies-${name}`,
    from: { path: `^packages/${name}/src/` },
    to: {
      pathNot: [...ours, ...(allowed === null ? [] : [npm(allowed)])],
      dependencyTypesNot: ['core'],
    },
  })),
  {
    // See the table above.
    name: 'own-dependencies-provider',
    from: { path: '^packages/kms-[^/]+/src/', pathNot: `^packages/(?:${Object.keys(ownDependencies).join('|')})/` },
    to: { pathNot: ours, dependencyTypesNot: ['core'] },
  },
].map((rule) => ({ severity: 'error', ...rule }));

export const options = {
  // Type-only imports couple packages too.
  tsPreCompilationDeps: true,
  doNotFollow: { path: ['(?:^|/)node_modules/', '^(?:packages|apps)/[^/]+/dist/'] },
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['types', 'import', 'node', 'default'],
  },
};
