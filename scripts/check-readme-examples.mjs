// Type-checks and runs the examples of the READMEs: every block fenced as ```ts example or
// ```js example is a whole program. Needs a build. Those fenced as ```ts example hsm need a PKCS#11
// token: without --hsm they are type-checked only, with it (scripts/check-pkcs11.mjs) they alone are run.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { report, repositoryRoot, run, workspacePackages } from './workspace.mjs';

const MAX_CODE_LINES = 20;

const withToken = process.argv.includes('--hsm');
const root = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? repositoryRoot;
const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
const problems = [];

/** The examples of a Markdown text, each with the line its fence is on. */
function examplesOf(markdown) {
  const examples = [];
  let open;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^(`{3,})\s*(.*?)\s*$/.exec(line);
    if (open === undefined && fence !== null) {
      open = { fence: fence[1], info: fence[2], line: index + 1, code: [] };
    } else if (open !== undefined && fence?.[2] === '' && fence[1].length >= open.fence.length) {
      const [, language, token] = /^(ts|js) example( hsm)?$/.exec(open.info) ?? [];
      if (language !== undefined) {
        examples.push({ language, line: open.line, code: open.code, run: (token !== undefined) === withToken });
      }
      open = undefined;
    } else {
      open?.code.push(line);
    }
  }
  return examples;
}

function link(target, path) {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
}

/** A folder in which the workspace's packages and what `folder` depends on resolve as if installed. */
function project(folder, packages) {
  const temporary = mkdtempSync(join(tmpdir(), 'keyfold-readme-'));
  const modules = join(temporary, 'node_modules');
  for (const each of packages.filter(({ path }) => path.startsWith('packages/'))) {
    link(each.folder, join(modules, each.manifest.name));
  }
  link(join(repositoryRoot, 'node_modules/@types/node'), join(modules, '@types/node'));
  const own = join(folder, 'node_modules');
  for (const name of existsSync(own) ? readdirSync(own) : []) {
    const names = name.startsWith('@') ? readdirSync(join(own, name)).map((part) => `${name}/${part}`) : [name];
    for (const each of names.filter((path) => !path.startsWith('.'))) {
      link(join(own, each), join(modules, each));
    }
  }
  writeFileSync(join(temporary, 'package.json'), '{"private": true, "type": "module"}\n');
  writeFileSync(
    join(temporary, 'tsconfig.json'),
    JSON.stringify({
      extends: join(repositoryRoot, 'tsconfig.base.json'),
      compilerOptions: { rootDir: '.', outDir: 'out', declaration: false, declarationMap: false, sourceMap: false, allowJs: true },
      include: ['example-*'],
    }),
  );
  return temporary;
}

/** Runs one program with nothing of the caller's environment but the PATH, and where the token is. */
function runExample(temporary, file) {
  const cwd = mkdtempSync(join(temporary, 'cwd-'));
  return run(process.execPath, [join(temporary, 'out', file)], {
    cwd,
    timeout: 60_000,
    env: { PATH: process.env.PATH, HOME: cwd, TMPDIR: cwd, ...(withToken && { SOFTHSM2_CONF: process.env.SOFTHSM2_CONF }) },
  });
}

function checkReadme(readme, folder, packages, needed) {
  const shown = relative(root, readme);
  if (withToken && !existsSync(readme)) {
    return 0;
  }
  if (!existsSync(readme)) {
    problems.push(`${shown}: missing`);
    return 0;
  }
  const examples = examplesOf(readFileSync(readme, 'utf8'));
  if (examples.length === 0) {
    if (needed && !withToken) {
      problems.push(`${shown}: has no example (a block fenced as \`\`\`ts example)`);
    }
    return 0;
  }
  const temporary = project(folder, packages);
  try {
    const files = examples.map(({ language, line, code, run: runs }) => {
      const lines = code.filter((text) => text.trim() !== '' && !text.trim().startsWith('//')).length;
      if (lines > MAX_CODE_LINES) {
        problems.push(`${shown}:${line}: the example has ${lines} lines of code, more than ${MAX_CODE_LINES}`);
      }
      const name = `example-${line}`;
      // Even an example without imports is a module.
      writeFileSync(join(temporary, `${name}.${language}`), `${code.join('\n')}\nexport {};\n`);
      return { line, file: `${name}.js`, runs };
    });
    const { ok, output } = run(process.execPath, [tsc, '-p', temporary], { cwd: temporary });
    if (!ok) {
      problems.push(`${shown}: an example does not type-check (the number is the line of its fence)\n${output.trimEnd()}`);
      return examples.length;
    }
    const toRun = files.filter(({ runs }) => runs);
    for (const { line, file } of toRun) {
      const result = runExample(temporary, file);
      if (!result.ok) {
        problems.push(`${shown}:${line}: the example failed\n${result.output.trimEnd()}`);
      }
    }
    return toRun.length;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const packages = workspacePackages(root);
let examples = checkReadme(join(root, 'README.md'), root, packages, false);
for (const { folder, path, manifest } of packages.filter((each) => each.path.startsWith('packages/'))) {
  if (manifest.private !== true || existsSync(join(root, path, 'README.md'))) {
    examples += checkReadme(join(folder, 'README.md'), folder, packages, manifest.private !== true);
  }
}
if (withToken && examples === 0) {
  problems.push('no README has an example that needs a token');
}
report(problems, `${examples} README examples type-check and run`);
