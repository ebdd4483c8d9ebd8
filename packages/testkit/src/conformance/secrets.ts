import { inspect } from 'node:util';

/** This many bytes of a secret in a row are a disclosure. */
const WINDOW = 8;

/**
 * Looks for a secret, or for eight bytes of it in a row, in everything that a
 * value shows: its text, message and stack, what a logger or inspector prints,
 * JSON, and all own and inherited properties, symbols, getters and hidden ones
 * included, to any depth. Spellings: raw, hexadecimal, base64 and base64url at
 * any offset, and decimal lists.
 * @returns where it was found, or undefined
 */
export function findSecret(value: unknown, secrets: readonly (string | Uint8Array)[]): string | undefined {
  const searches = secrets.map((secret) => new Search(typeof secret === 'string' ? Buffer.from(secret) : secret));
  const found = (where: string, content: string | Uint8Array): string | undefined =>
    searches.some((search) => search.matches(content)) ? where : undefined;
  for (const [where, text] of printed(value)) {
    const place = found(where, text);
    if (place !== undefined) return place;
  }
  for (const [where, content] of reachable(value)) {
    const place = found(where, content);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** One secret in all the spellings that it is looked for in. */
class Search {
  readonly #windows: readonly Buffer[];
  readonly #texts: readonly string[];
  readonly #decimals: readonly string[];

  constructor(secret: Uint8Array) {
    const bytes = Buffer.from(secret);
    const size = Math.min(WINDOW, bytes.byteLength);
    this.#windows = Array.from({ length: bytes.byteLength - size + 1 }, (_, at) => bytes.subarray(at, at + size));
    this.#texts = this.#windows.flatMap((window) => [window.toString('hex'), ...base64Spellings(window)]);
    this.#decimals = this.#windows.map((window) => [...window].join(','));
  }

  matches(content: string | Uint8Array): boolean {
    if (typeof content !== 'string') return this.#windows.some((window) => Buffer.from(content).includes(window));
    const raw = [Buffer.from(content), Buffer.from(content, 'latin1')];
    if (this.#windows.some((window) => raw.some((bytes) => bytes.includes(window)))) return true;
    // Inspectors break and space what they print: <Buffer 0a 1b>, [ 10,\n 27 ], {"0": 10, "1": 27}.
    const dense = content.replace(/\s/g, '');
    const lower = dense.toLowerCase();
    const listed = `,${dense.replace(/["']?\d+["']?:/g, '').replace(/[^\d,]/g, ',')},`;
    return (
      this.#texts.some((text) => dense.includes(text) || lower.includes(text)) ||
      this.#decimals.some((numbers) => listed.includes(`,${numbers},`))
    );
  }
}

/** The characters that bytes become wherever in the encoded text they begin. */
function base64Spellings(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    // Characters at both ends also hold bits of the neighbours.
    const whole = padded.toString('base64').replace(/=+$/, '').slice(Math.ceil((offset * 8) / 6), Math.floor((padded.byteLength * 8) / 6));
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** What printing it in any of the usual ways shows. */
function* printed(value: unknown): Generator<[string, string]> {
  const ways: readonly (readonly [string, () => string | undefined])[] = [
    ['its text', () => String(value)],
    ['JSON', () => JSON.stringify(value)],
    ['inspect()', () => inspect(value)],
    ['inspect() to any depth', () => inspect(value, { depth: Infinity, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null })],
  ];
  for (const [where, print] of ways) {
    const text = quietly(print);
    if (text !== undefined) yield [where, text];
  }
}

/** Every string and byte array that can be reached from a value, with the path to it. */
function* reachable(root: unknown): Generator<[string, string | Uint8Array]> {
  const seen = new Set<unknown>();
  const queue: [string, unknown][] = [['error', root]];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [path, value] = next;
    if (typeof value === 'string') yield [path, value];
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    const bytes = bytesOf(value);
    if (bytes !== undefined) yield [path, bytes];
    else {
      if (Array.isArray(value) && value.every((item) => typeof item === 'number')) yield [path, value.join(',')];
      queue.push(...members(path, value));
    }
  }
}

function bytesOf(value: object): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? new Uint8Array(value) : undefined;
}

/** What it holds: properties of every kind, the entries of collections, and what it inherits up to the language's own objects. */
function members(path: string, value: object): [string, unknown][] {
  const found: [string, unknown][] = [];
  if (value instanceof Map) for (const [key, item] of value) found.push([`${path} key`, key], [`${path} entry`, item]);
  if (value instanceof Set) for (const item of value) found.push([`${path} item`, item]);
  for (let holder: object | null = value; holder !== null && !BUILT_IN.has(holder); holder = Object.getPrototypeOf(holder) as object | null) {
    for (const key of Reflect.ownKeys(holder)) {
      // Names of properties can be secrets too.
      found.push([`${path} property name`, typeof key === 'symbol' ? key.description : key]);
      const item = quietly(() => Reflect.get(holder, key, value) as unknown);
      found.push([`${path}.${String(key)}`, item]);
    }
  }
  return found;
}

const BUILT_IN: ReadonlySet<object> = new Set([Object.prototype, Array.prototype, Function.prototype, Error.prototype, Map.prototype, Set.prototype]);

/** Looking at a hostile or half-built object may throw; then there is nothing to see. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
