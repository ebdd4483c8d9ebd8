// What a folder has installed, and what importing an entry in it loads, for check-packed-install.mjs.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './workspace.mjs';

/** The packages of each cloud's SDK, with what only that SDK needs. */
const SDKS = {
  'AWS': /^(?:@aws-sdk|@aws-crypto|@smithy|@aws)\//,
  'Azure': /^(?:@azure|@azure-rest|@typespec)\//,
  'Google Cloud': /^(?:@google-cloud\/|@grpc\/|google-gax$|google-auth-library$|gcp-metadata$)/,
  'PKCS#11': /^(?:pkcs11js|graphene-pk11)$/,
};

/** Whose SDKs a package may bring; one that is not here brings none. */
const OWN_SDK = {
  '@keyfold/kms-aws': 'AWS',
  '@keyfold/kms-azure': 'Azure',
  '@keyfold/kms-gcp': 'Google Cloud',
  // Checks the signatures of requests as AWS does, and speaks gRPC as Google does.
  '@keyfold/testkit': ['AWS', 'Google Cloud'],
};

/** Started from a command line or by tests, where nobody waits for an SDK that is not used. */
const TOOLS = ['@keyfold/testkit', '@keyfold/cli'];

/** Names of all packages that are installed in `folder`, at any depth. */
export function installedPackages(folder) {
  const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  return [...new Set(Object.keys(packages).map(packageOf))].sort();
}

/** What is installed with `name` and belongs to a cloud that is not its own. */
export function foreignSdks(name, folder) {
  return installedPackages(folder).flatMap((installed) =>
    Object.keys(SDKS)
      .filter((cloud) => ![OWN_SDK[name]].flat().includes(cloud) && installed !== name && SDKS[cloud].test(installed))
      .map((cloud) => ({ cloud, installed })),
  );
}

/**
 * Names of the packages of which importing `entry` runs a file, as V8 saw it: ES modules and
 * CommonJS alike, however they were loaded.
 */
export function loadedPackages(folder, entry) {
  const coverage = mkdtempSync(join(folder, 'coverage-'));
  try {
    const { ok, output } = run(process.execPath, ['--input-type=module', '--eval', `await import(${JSON.stringify(entry)})`], {
      cwd: folder,
      timeout: 20_000,
      env: { ...process.env, NODE_V8_COVERAGE: coverage },
    });
    const files = readdirSync(coverage);
    if (!ok || files.length === 0) throw new Error(`What import("${entry}") loads could not be seen:\n${output}`);
    const urls = files.flatMap((file) => JSON.parse(readFileSync(join(coverage, file), 'utf8')).result.map(({ url }) => url));
    const loaded = new Set(urls.filter((url) => url.includes('/node_modules/')).map(packageOf));
    if (!loaded.has(packageOf(`/node_modules/${entry}`))) throw new Error(`import("${entry}") was not seen to load its own package.`);
    return [...loaded].sort();
  } finally {
    rmSync(coverage, { recursive: true, force: true });
  }
}

/** Packages of ours, and peers: an entry for a peer is imported by who has it. */
export function mayLoad(name, loaded, { peerDependencies = {} }) {
  return TOOLS.includes(name) || loaded === name || loaded.startsWith('@keyfold/') || Object.hasOwn(peerDependencies, loaded);
}

/** The package of a path or URL: what stands behind its last `node_modules/`. */
function packageOf(path) {
  const [scope, name] = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length).split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
