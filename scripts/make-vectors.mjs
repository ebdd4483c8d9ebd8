// Writes vectors/v1, the test vectors of the formats, with the built packages, fixed random bytes and a
// fixed clock. Run `npm run build` first.
// Usage: node scripts/make-vectors.mjs [--check]   (--check compares and writes nothing)
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAll } from '../vectors/make/all.mjs';
import { report, repositoryRoot } from './workspace.mjs';

const folder = join(repositoryRoot, 'vectors/v1');
const files = makeAll();
const present = readdirSync(folder);

if (process.argv[2] === '--check') {
  const problems = [
    ...present.filter((name) => !files.has(name)).map((name) => `vectors/v1/${name}: no maker writes it`),
    ...[...files].flatMap(([name, text]) => {
      if (!present.includes(name)) {
        return [`vectors/v1/${name}: missing`];
      }
      return readFileSync(join(folder, name), 'utf8') === text ? [] : [`vectors/v1/${name}: differs from what its maker writes`];
    }),
  ];
  report(problems, `${files.size} files of vectors are what their makers write`);
} else {
  for (const name of present) {
    rmSync(join(folder, name));
  }
  for (const [name, text] of files) {
    writeFileSync(join(folder, name), text);
  }
}
