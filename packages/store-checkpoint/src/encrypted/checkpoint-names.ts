/** What an object's name says that it is. A `stem` stands for an id: what the names of its objects begin with. */
export type NamedObject =
  | { readonly kind: 'record'; readonly stem: string }
  | { readonly kind: 'data' | 'mark'; readonly stem: string; readonly objectId: string }
  | { readonly kind: 'other' };

/** How ids become the names of objects, and what an object holds besides its record. */
export interface CheckpointNames {
  /** What every name begins with. */
  readonly root: string;
  /** The most that {@link CheckpointNames.enclose} adds. */
  readonly overheadBytes: number;
  /** @throws KeyfoldError INVALID_ARGUMENT for what is no id */
  stem(id: string): string;
  /** What the names of all ids that begin with `prefix` begin with. */
  stemPrefix(prefix: string): string;
  record(stem: string): string;
  data(stem: string, objectId: string): string;
  /** Where the collection of garbage notes that this data object had no record. */
  mark(stem: string, objectId: string): string;
  parse(name: string): NamedObject;
  /** Whether an object is the store's own, and of no checkpoint. */
  isOwn(name: string): boolean;
  /** Or undefined where a stem does not tell its id. */
  idOfStem(stem: string): string | undefined;
  /** The bytes of the object that holds a record. */
  enclose(id: string, record: Uint8Array): Uint8Array;
  /** The record, and what stands behind it, that an object holds. */
  disclose(object: Uint8Array): Uint8Array;
  /** The id of a record's object; `unreadable` when it is there and hidden by damage. */
  idOf(stem: string, read: ReadBeginning): Promise<ListedId>;
}

/** Reads at most `maxBytes` of the object from its beginning; undefined when it is absent. */
export type ReadBeginning = (maxBytes: number) => Promise<Uint8Array | undefined>;

export type ListedId = { readonly id: string } | 'unreadable' | 'absent';
