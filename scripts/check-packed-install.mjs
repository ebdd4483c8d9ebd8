// Packs every public package as it would be published, installs each into an empty folder with npm,
// and uses it from there: what it brings, what its entries load, and that they load at all. Needs a
// build. Usage: node scripts/check-packed-install.mjs [repository]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foreignSdks, installedPackages, loadedPackages, mayLoad } from './installed-packages.mjs';
import { publicPackages, report, repositoryRoot, run } from './workspace.mjs';

const problems = [];
const temporary = mkdtempSync(join(tmpdir(), 'keyfold-pack-'));

/** Loads one entry and prints nothing itself, so that all output and every open handle is the entry's. */
const LOADERS = {
  import: (entry) => ['--input-type=module', '--eval', `await import(${JSON.stringify(entry)})`],
  require: (entry) => ['--input-type=commonjs', '--eval', `require(${JSON.stringify(entry)})`],
};

function pack({ folder, manifest }) {
  const target = join(temporary, manifest.name.replaceAll(/[@/]/g, '_'));
  mkdirSync(target);
  const { ok, output } = run(
    process.execPath,
    [join(repositoryRoot, 'scripts/pnpm.mjs'), 'pack', '--pack-destination', target],
    { cwd: folder },
  );
  if (!ok) {
    throw new Error(`${manifest.name} could not be packed:\n${output}`);
  }
  return join(target, readdirSync(target).find((name) => name.endsWith('.tgz')));
}

/** The packages of this workspace that npm has to be given along with `name`, itself included. */
function closure(name, byName, found = new Set()) {
  if (!found.has(name) && byName.has(name)) {
    found.add(name);
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = byName.get(name).manifest;
    const required = Object.keys(peerDependencies).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
    for (const dependency of [...Object.keys(dependencies), ...required]) {
      closure(dependency, byName, found);
    }
  }
  return found;
}

function npmInstall(folder, specifiers) {
  const { ok, output } = run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', ...specifiers],
    { cwd: folder },
  );
  if (!ok) {
    throw new Error(`npm install failed in an empty folder:\n${output}`);
  }
}

function checkFiles(name, installed, manifest) {
  const files = readdirSync(installed, { recursive: true }).filter((file) => !file.startsWith('node_modules'));
  for (const needed of ['LICENSE', 'README.md']) {
    if (!files.includes(needed)) {
      problems.push(`${name}: ${needed} is not in the package`);
    }
  }
  for (const file of files.filter((path) => /\.tsbuildinfo$|(?:^|\/)test\/|\.test\./.test(path))) {
    problems.push(`${name}: ${file} does not belong into the package`);
  }
  if (JSON.stringify(manifest).includes('workspace:')) {
    problems.push(`${name}: the packed package.json has a workspace: range`);
  }
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    for (const file of typeof target === 'string' ? [target] : Object.values(target)) {
      if (!existsSync(join(installed, file))) {
        problems.push(`${name}: the export ${subpath} points at ${file}, which is not in the package`);
      }
    }
  }
}

function checkNeighbours(name, folder, manifest) {
  if (name === '@keyfold/core') {
    for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies', 'bundleDependencies']) {
      if (Object.keys(manifest[field] ?? {}).length > 0) {
        problems.push(`${name}: has ${field}, and must have none`);
      }
    }
    const others = installedPackages(folder).filter((installed) => installed !== name);
    if (others.length > 0) {
      problems.push(`${name}: installs ${others.join(', ')}, and must install nothing else`);
    }
  }
  for (const neighbour of installedPackages(folder)) {
    if (neighbour.startsWith('@keyfold/kms-') && neighbour !== name) {
      problems.push(`${name}: installs the provider ${neighbour}`);
    }
  }
  for (const { cloud, installed } of foreignSdks(name, folder)) {
    problems.push(`${name}: installs ${installed} of ${cloud}, which its users did not ask for`);
  }
}

/** Who imports a provider to configure it pays for its SDK when it is used, not before. */
function checkLazy(name, folder, entry, manifest) {
  const eager = loadedPackages(folder, entry).filter((loaded) => !mayLoad(name, loaded, manifest));
  if (eager.length > 0) {
    problems.push(`${name}: import("${entry}") loads ${eager.join(', ')} at once`);
  }
}

function tryEntry(folder, kind, entry) {
  const { ok, stdout, stderr, output } = run(process.execPath, LOADERS[kind](entry), { cwd: folder, timeout: 20_000 });
  if (!ok) {
    return `${kind}("${entry}") failed: ${output.trim()}`;
  }
  // require() of an ES module makes some versions of Node warn on stderr.
  const written = kind === 'import' ? stdout + stderr : stdout;
  return written === '' ? undefined : `${kind}("${entry}") writes: ${written.trim()}`;
}

function checkEntries(name, folder, manifest) {
  const entries = Object.keys(manifest.exports)
    .filter((subpath) => !subpath.endsWith('.json') && !subpath.includes('*'))
    .map((subpath) => `${name}${subpath.slice(1)}`);
  const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
  const peers = new Set();
  for (const entry of entries) {
    for (const kind of Object.keys(LOADERS)) {
      let problem = tryEntry(folder, kind, entry);
      // An entry beside the main one may need an optional peer, which npm leaves to the user.
      const missing = optional.find((peer) => problem?.includes(`'${peer}'`) && !peer.startsWith('@keyfold/'));
      if (missing !== undefined && entry !== name && !peers.has(missing)) {
        npmInstall(folder, [`${missing}@${manifest.peerDependencies[missing]}`]);
        peers.add(missing);
        problem = tryEntry(folder, kind, entry);
      }
      if (problem !== undefined) {
        problems.push(`${name}: ${problem}`);
      }
    }
    checkLazy(name, folder, entry, manifest);
  }
  return entries.length;
}

try {
  const packages = publicPackages(process.argv[2]);
  const byName = new Map(packages.map((each) => [each.manifest.name, each]));
  const tarballs = new Map(packages.map((each) => [each.manifest.name, pack(each)]));
  let entries = 0;
  for (const name of byName.keys()) {
    const folder = join(temporary, 'install', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
    npmInstall(folder, [...closure(name, byName)].map((each) => `file:${tarballs.get(each)}`));

    const installed = join(folder, 'node_modules', name);
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    checkFiles(name, installed, manifest);
    checkNeighbours(name, folder, manifest);
    entries += checkEntries(name, folder, manifest);
  }
  report(problems, `${byName.size} packages install alone; ${entries} entries load with import and require`);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
