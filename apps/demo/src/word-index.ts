import { createHash } from 'node:crypto';

const WORD = /[\p{L}_$][\p{L}\p{N}_$]{2,39}/gu;
const CHUNK_CHARACTERS = 262_144;

/** Which files a word is in, and how often it was seen. */
interface Posting {
  count: number;
  /** Ascending indices of files. */
  readonly files: number[];
}

/**
 * The job's state: an inverted index of words. It grows with every file, must
 * survive crashes, and holds whatever was in the files, which is why its
 * checkpoints are encrypted.
 */
export class WordIndex {
  readonly #postings = new Map<string, Posting>();

  get words(): number {
    return this.#postings.size;
  }

  addFile(file: number, text: string): void {
    for (const [word] of text.matchAll(WORD)) {
      const posting = this.#postings.get(word);
      if (posting === undefined) this.#postings.set(word, { count: 1, files: [file] });
      else {
        posting.count++;
        if (posting.files.at(-1) !== file) posting.files.push(file);
      }
    }
  }

  /** The whole state as UTF-8 lines, piece by piece; restoring it and going on gives the same as never having stopped. */
  *serialize(): Generator<Uint8Array, void, undefined> {
    const encoder = new TextEncoder();
    let lines = '';
    for (const [word, { count, files }] of this.#postings) {
      lines += `${word}\t${count}\t${files.join(',')}\n`;
      if (lines.length >= CHUNK_CHARACTERS) {
        yield encoder.encode(lines);
        lines = '';
      }
    }
    yield encoder.encode(lines);
  }

  /** SHA-256 of the serialized state, in hex, and its size in bytes. */
  digest(): { readonly sha256: string; readonly bytes: number } {
    const hash = createHash('sha256');
    let bytes = 0;
    for (const chunk of this.serialize()) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    return { sha256: hash.digest('hex'), bytes };
  }

  static async restore(chunks: AsyncIterable<Uint8Array>): Promise<WordIndex> {
    const index = new WordIndex();
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let rest = '';
    for await (const chunk of chunks) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) index.#restoreLine(line);
    }
    return index;
  }

  #restoreLine(line: string): void {
    const [word, count, files] = line.split('\t') as [string, string, string];
    this.#postings.set(word, { count: Number(count), files: files.split(',').map(Number) });
  }
}
