// Sums up the reports that vitest leaves in coverage/tests.json of every package. Prints
// "<passed> <failed>"; fails when a test was skipped, or a package with tests left no report.
// Usage: node scripts/count-tests.mjs [--reset]   (--reset removes the reports of earlier runs)
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { workspacePackages } from './workspace.mjs';

let passed = 0;
let failed = 0;
for (const { folder, path, manifest } of workspacePackages()) {
  const file = join(folder, 'coverage/tests.json');
  if (process.argv[2] === '--reset') {
    rmSync(file, { force: true });
    continue;
  }
  if (!existsSync(file)) {
    if (manifest.scripts?.test !== undefined) {
      console.error(`${path}: its tests left no report`);
      process.exitCode = 1;
    }
    continue;
  }
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
  passed += numPassedTests;
  failed += numFailedTests;
  for (const { assertionResults } of testResults) {
    for (const { status, fullName } of assertionResults) {
      if (status !== 'passed' && status !== 'failed') {
        console.error(`${path}: did not run (${status}): ${fullName}`);
        process.exitCode = 1;
      }
    }
  }
}
if (process.argv[2] !== '--reset') {
  console.log(`${passed} ${failed}`);
}
