// Byte strings that remember which of their pieces are streams, so that a megabyte is written as a line.
import { stream } from '../cases.mjs';

/** Pieces: `{ data }` for bytes that are written out, `{ stream, from, to }` for those that are named. */
export class Bytes {
  constructor(pieces) {
    this.pieces = pieces.filter((piece) => sizeOf(piece) > 0);
  }

  /** Joins what is given: hexadecimal digits, byte arrays, and others of this class. */
  static of(...parts) {
    return new Bytes(
      parts.flatMap((part) => {
        if (part instanceof Bytes) {
          return part.pieces;
        }
        return [{ data: typeof part === 'string' ? Buffer.from(part, 'hex') : Buffer.from(part) }];
      }),
    );
  }

  static stream(name, length) {
    return new Bytes([{ stream: name, from: 0, to: length }]);
  }

  get length() {
    return this.pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
  }

  slice(from, to = this.length) {
    const pieces = [];
    let at = 0;
    for (const piece of this.pieces) {
      const size = sizeOf(piece);
      const start = Math.max(from - at, 0);
      const end = Math.min(to - at, size);
      if (start < end) {
        pieces.push(
          'data' in piece
            ? { data: piece.data.subarray(start, end) }
            : { stream: piece.stream, from: piece.from + start, to: piece.from + end },
        );
      }
      at += size;
    }
    return new Bytes(pieces);
  }

  /** With other bytes from offset `at` on. */
  with(at, replacement) {
    const bytes = Bytes.of(replacement);
    return Bytes.of(this.slice(0, at), bytes, this.slice(at + bytes.length));
  }

  /** With one bit changed. */
  flip(at, mask = 1) {
    const [byte] = this.slice(at, at + 1).toBuffer();
    return this.with(at, Buffer.from([byte ^ mask]));
  }

  /** Without the bytes from `from` up to `to`. */
  without(from, to) {
    return Bytes.of(this.slice(0, from), this.slice(to));
  }

  toBuffer() {
    return Buffer.concat(
      this.pieces.map((piece) => ('data' in piece ? piece.data : stream(piece.stream, piece.from, piece.to))),
    );
  }

  toJSON() {
    const written = [];
    for (const piece of this.pieces) {
      const part = 'data' in piece ? piece.data.toString('hex') : piece;
      if (typeof part === 'string' && typeof written.at(-1) === 'string') {
        written.push(written.pop() + part);
      } else {
        written.push(part);
      }
    }
    return written.every((part) => typeof part === 'string') ? written.join('') : written;
  }
}

function sizeOf(piece) {
  return 'data' in piece ? piece.data.length : piece.to - piece.from;
}
