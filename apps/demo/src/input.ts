import { createHash } from 'node:crypto';
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface InputFile {
  readonly path: string;
  readonly size: number;
}

export interface Input {
  readonly files: readonly InputFile[];
  readonly bytes: number;
  /** Hex; a job resumes only over the very same list of files. */
  readonly fingerprint: string;
}

const TEXT = new Set(['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts', '.tsx', '.json', '.md', '.txt', '.html', '.css', '.yml', '.yaml', '.csv', '.log', '.xml']);

/** The text files at or below `root`, in a fixed order, up to `maxBytes` together. Symbolic links are skipped. */
export function findInput(root: string, maxBytes: number): Input {
  const files: InputFile[] = [];
  let bytes = 0;
  for (const file of walk(root)) {
    if (bytes + file.size > maxBytes) continue;
    bytes += file.size;
    files.push(file);
  }
  const list = files.map(({ path, size }) => `${path}\0${size}\n`).join('');
  return { files, bytes, fingerprint: createHash('sha256').update(list).digest('hex') };
}

function* walk(root: string): Generator<InputFile, void, undefined> {
  const stat = lstatSync(root);
  if (stat.isFile()) yield { path: root, size: stat.size };
  if (!stat.isDirectory()) return;
  for (const entry of readDirectory(root)) {
    const path = join(root, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile() && TEXT.has(extname(entry.name))) {
      const { size } = lstatSync(path);
      if (size > 0) yield { path, size };
    }
  }
}

/** A directory that may not be read is left out, like one that is empty. */
function readDirectory(path: string): Dirent[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}
