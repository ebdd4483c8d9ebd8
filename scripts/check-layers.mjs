// Checks the import rules of .dependency-cruiser.mjs over every package and app.
// Usage: node scripts/check-layers.mjs [root]
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cruise } from 'dependency-cruiser';
import { forbidden, options } from '../.dependency-cruiser.mjs';

/** The folders of the workspace's packages that have a manifest. */
function packageFolders() {
  return ['packages', 'apps']
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')));
}

/**
 * Every entry of every workspace package with the source file it is built from. Resolving through
 * node_modules would lead to dist/: absent before a build, stale after an edit, and no help
 * in finding a cycle between packages.
 */
function entriesToSources(folders) {
  const entries = [];
  for (const folder of folders) {
    const { name, exports = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const [subpath, target] of Object.entries(exports)) {
      if (typeof target?.default !== 'string') {
        continue;
      }
      const source = target.default.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts');
      entries.push({ name: `${name}${subpath.slice(1)}`, alias: resolve(folder, source) });
    }
  }
  // The resolver takes the first alias that is a prefix, so the longer names go first.
  entries.sort((a, b) => b.name.length - a.name.length);
  return Object.fromEntries(entries.map(({ name, alias }) => [name, alias]));
}

/**
 * Cruises the workspace in `root`.
 * @returns {Promise<{ violations: string[], modules: number, imports: number }>}
 */
export async function checkLayers(root) {
  // dependency-cruiser reports paths relative to the working directory.
  process.chdir(root);
  const folders = packageFolders();
  const sources = folders.flatMap((folder) =>
    ['src', 'test'].map((part) => join(folder, part)).filter((path) => existsSync(path)),
  );
  if (sources.length === 0) {
    throw new Error('There is nothing to check: no packages/*/src or apps/*/src.');
  }
  const { output } = await cruise(
    sources,
    { ...options, ruleSet: { forbidden }, validate: true },
    { alias: entriesToSources(folders), bustTheCache: true },
  );
  const { violations, totalCruised, totalDependenciesCruised } = output.summary;
  return {
    violations: violations.map(({ rule, from, to, cycle }) => {
      const path = cycle ? cycle.map((step) => step.name).join(' -> ') : to;
      return `${rule.name}: ${from} -> ${path}`;
    }),
    modules: totalCruised,
    imports: totalDependenciesCruised,
  };
}

if (process.argv[1] === import.meta.filename) {
  const { violations, modules, imports } = await checkLayers(process.argv[2] ?? join(import.meta.dirname, '..'));
  for (const violation of violations) {
    console.error(violation);
  }
  console.log(`${modules} modules, ${imports} imports, ${violations.length} violations of ${forbidden.length} rules`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
