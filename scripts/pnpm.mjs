// Runs the pnpm that package.json pins, on a machine that has only Node and npm.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const result = spawnSync(
  'npx',
  ['--yes', '--loglevel=error', manifest.packageManager, ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' } },
);
if (result.error) {
  console.error(`npx could not be started: ${result.error.message}`);
}
process.exit(result.status ?? 1);
