import {
  KeyfoldError,
  throwIfAborted,
  type ByteRange,
  type ErrorCode,
  type ObjectBody,
  type ObjectCallOptions,
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  type OpenObject,
  type PutCondition,
} from '@keyfold/core/provider';

interface Entry {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

const SEGMENT = /^[a-z0-9._%-]+$/;
const CHUNK = 524_288;

export function refuse(code: ErrorCode): never {
  throw new KeyfoldError(code, `The model refuses with ${code}. Look at the test.`);
}

/** A store in memory that keeps every promise, in small steps that mutants replace. */
export class ModelStore implements ObjectStore {
  readonly capabilities = { conditionalWrites: true };
  readonly objects: Map<string, Entry>;
  protected writes = 0;

  /** @param shared the objects of another model, for a second handle */
  constructor(shared = new Map<string, Entry>()) {
    this.objects = shared;
  }

  async put(name: string, body: ObjectBody, options: PutCondition & ObjectCallOptions = {}): Promise<{ readonly size: number }> {
    this.checkName(name);
    if (options.ifMatch !== undefined && options.ifNoneMatch !== undefined) refuse('INVALID_ARGUMENT');
    throwIfAborted(options.signal);
    const bytes = await this.collect(name, body, options.signal);
    throwIfAborted(options.signal);
    const settling = this.settle(name, options);
    if (settling !== undefined) await settling;
    this.write(name, bytes);
    return { size: bytes.byteLength };
  }

  async read(name: string, { maxBytes, signal }: { readonly maxBytes: number } & ObjectCallOptions): Promise<ObjectContent | undefined> {
    this.checkName(name);
    await this.turn(signal);
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) refuse('INVALID_ARGUMENT');
    const entry = this.objects.get(name);
    if (entry === undefined) return undefined;
    if (entry.bytes.byteLength > maxBytes) refuse('LIMIT_EXCEEDED');
    return { bytes: this.copy(entry.bytes), etag: entry.etag };
  }

  async open(name: string, { range, signal }: { readonly range?: ByteRange } & ObjectCallOptions = {}): Promise<OpenObject | undefined> {
    this.checkName(name);
    await this.turn(signal);
    const entry = this.objects.get(name);
    if (entry === undefined) return undefined;
    const { start, end } = this.rangeOf(entry.bytes.byteLength, range);
    const state = { cancelled: false, taken: false };
    const chunks = this.chunks(name, entry, start, end, () => {
      throwIfAborted(signal);
      if (state.cancelled) refuse('ABORTED');
    });
    const body = {
      [Symbol.asyncIterator]: () => {
        if (state.taken) refuse('INVALID_ARGUMENT');
        state.taken = true;
        return chunks;
      },
    };
    const cancel = (): Promise<void> => {
      state.cancelled = true;
      return Promise.resolve();
    };
    return { size: entry.bytes.byteLength, identity: entry.etag, body, cancel };
  }

  async head(name: string, options: ObjectCallOptions = {}): Promise<ObjectInfo | undefined> {
    this.checkName(name);
    await this.turn(options.signal);
    const entry = this.objects.get(name);
    return entry && this.describe(name, entry);
  }

  async delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
    this.checkName(name);
    await this.turn(options.signal);
    if (options.ifMatch !== undefined && this.objects.get(name)?.etag !== options.ifMatch) refuse('CONFLICT');
    return this.objects.delete(name);
  }

  async *list(options: { readonly prefix?: string } & ObjectCallOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    const { prefix = '', signal } = options;
    this.checkPrefix(prefix);
    await this.turn(signal);
    for (const name of this.select(prefix)) {
      throwIfAborted(signal);
      const entry = this.objects.get(name);
      if (entry !== undefined) yield this.describe(name, entry);
    }
  }

  protected checkName(name: unknown): void {
    if (typeof name !== 'string' || name.length > 3_072 || !name.split('/').every(isSegment)) refuse('INVALID_ARGUMENT');
  }

  protected checkPrefix(prefix: unknown): void {
    if (typeof prefix !== 'string' || prefix.length > 3_072) refuse('INVALID_ARGUMENT');
    const segments = prefix.split('/');
    if (!/^[a-z0-9._%-]*$/.test(segments.pop() ?? '') || !segments.every(isSegment)) refuse('INVALID_ARGUMENT');
  }

  protected select(prefix: string): string[] {
    return [...this.objects.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  protected async turn(signal: AbortSignal | undefined): Promise<void> {
    await Promise.resolve();
    throwIfAborted(signal);
  }

  protected async collect(_name: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (body instanceof Uint8Array) return Uint8Array.from(body);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      throwIfAborted(signal);
      if (!(chunk instanceof Uint8Array)) refuse('INVALID_ARGUMENT');
      chunks.push(Uint8Array.from(chunk));
      body.release?.(chunk);
    }
    return Uint8Array.from(Buffer.concat(chunks));
  }

  /** Decides about the conditions of a put; nothing comes between this and the write. */
  protected settle(name: string, { ifMatch, ifNoneMatch }: PutCondition): Promise<void> | undefined {
    const entry = this.objects.get(name);
    if (ifNoneMatch !== undefined && entry !== undefined) refuse('ALREADY_EXISTS');
    if (ifMatch !== undefined && entry?.etag !== ifMatch) refuse('CONFLICT');
    return undefined;
  }

  protected write(name: string, bytes: Uint8Array): void {
    this.objects.set(name, { bytes, etag: this.newEtag(bytes) });
  }

  protected newEtag(bytes: Uint8Array): string {
    this.writes += 1;
    return `${bytes.byteLength} ${this.writes} ${Math.random()}`;
  }

  protected copy(bytes: Uint8Array): Uint8Array {
    return Uint8Array.from(bytes);
  }

  protected rangeOf(size: number, range: ByteRange = { start: 0, end: size }): ByteRange {
    const { start, end } = range;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > size) refuse('RANGE_INVALID');
    return range;
  }

  protected async *chunks(_name: string, { bytes }: Entry, start: number, end: number, check: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    check();
    for (let at = start; at < end; at += CHUNK) {
      await Promise.resolve();
      check();
      yield this.copy(bytes.subarray(at, Math.min(at + CHUNK, end)));
    }
  }

  protected describe(name: string, entry: Entry): ObjectInfo {
    return { name, size: entry.bytes.byteLength, lastModified: 1_700_000_000_000 };
  }
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== '.' && text !== '..';
}
