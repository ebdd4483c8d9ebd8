// What the checks in this folder share: the packages of the workspace, and running commands.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const repositoryRoot = join(import.meta.dirname, '..');

/**
 * Every package and app with a manifest.
 * @returns {{ folder: string, path: string, manifest: Record<string, any> }[]} `path` is relative to root
 */
export function workspacePackages(root = repositoryRoot) {
  return ['packages', 'apps']
    .filter((parent) => existsSync(join(root, parent)))
    .flatMap((parent) => readdirSync(join(root, parent)).sort().map((name) => `${parent}/${name}`))
    .filter((path) => existsSync(join(root, path, 'package.json')))
    .map((path) => {
      const folder = join(root, path);
      return { folder, path, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
    });
}

/** The packages that are published: not private. */
export function publicPackages(root = repositoryRoot) {
  return workspacePackages(root).filter(({ manifest }) => manifest.private !== true);
}

/** Runs a command without a shell or stdin; `output` is both streams, for the report of a failure. */
export function run(command, args, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  const reason = error ? `${command}: ${error.message}\n` : signal ? `${command}: ended by ${signal}\n` : '';
  return { ok: status === 0, stdout, stderr, output: `${stdout}${stderr}${reason}` };
}

/** Prints what is wrong, one line each, and sets the exit code. */
export function report(problems, fine) {
  for (const problem of problems) {
    console.error(problem);
  }
  if (problems.length === 0) {
    console.log(fine);
  } else {
    console.error(`${problems.length} problem${problems.length === 1 ? '' : 's'}`);
    process.exitCode = 1;
  }
}
