import { HIDDEN_PREFIX_LIMIT_BYTES, type HiddenNames, hiddenTenantName, parseHiddenRecord } from '@keyfold/core';
import { concatBytes } from '@keyfold/core/provider';
import { encodeId, encodeIdPrefix } from '../object-names.ts';
import type { CheckpointNames, ListedId, NamedObject, ReadBeginning } from './checkpoint-names.ts';

const RECORD_SUFFIX = '.kfh';
const DATA_SUFFIX = '.kfd';
/** Not that of visible names: a store with these in the same root would take the mark for one whose data are gone, and remove it. */
const MARK_SUFFIX = '.kfm';
const NAME_KEY = 'names.kfn';

/** Where the objects of a tenant with hidden names stand. */
export function hiddenRoot(tenant: string): string {
  return `${hiddenTenantName(tenant)}/`;
}

/** Where the tenant's name key is kept. */
export function nameKeyObject(tenant: string): string {
  return hiddenRoot(tenant) + NAME_KEY;
}

/** Objects are named after an HMAC of their ids, which stand sealed in front of the records (docs/spec/hidden-names.md). */
export class HiddenCheckpointNames implements CheckpointNames {
  readonly root: string;
  readonly overheadBytes = HIDDEN_PREFIX_LIMIT_BYTES;
  readonly #names: HiddenNames;

  constructor(names: HiddenNames, tenant: string) {
    this.#names = names;
    this.root = hiddenRoot(tenant);
  }

  stem(id: string): string {
    // The same ids as with visible names: a store can be moved from one to the other.
    encodeId(id);
    return this.root + this.#names.nameOf(id);
  }

  stemPrefix(prefix: string): string {
    encodeIdPrefix(prefix);
    return this.root;
  }

  record(stem: string): string {
    return stem + RECORD_SUFFIX;
  }

  data(stem: string, objectId: string): string {
    return `${stem}.${objectId}${DATA_SUFFIX}`;
  }

  mark(stem: string, objectId: string): string {
    return `${stem}.${objectId}${MARK_SUFFIX}`;
  }

  parse(name: string): NamedObject {
    if (!name.startsWith(this.root)) return { kind: 'other' };
    const [, hmac = '', objectId, suffix] = /^([0-9a-f]{64})(?:\.([0-9a-f]{32}))?(\.kf[hdm])$/.exec(name.slice(this.root.length)) ?? [];
    const stem = this.root + hmac;
    if (objectId === undefined) return suffix === RECORD_SUFFIX ? { kind: 'record', stem } : { kind: 'other' };
    if (suffix === DATA_SUFFIX) return { kind: 'data', stem, objectId };
    return suffix === MARK_SUFFIX ? { kind: 'mark', stem, objectId } : { kind: 'other' };
  }

  isOwn(name: string): boolean {
    return name === this.root + NAME_KEY;
  }

  idOfStem(): undefined {
    return undefined;
  }

  enclose(id: string, record: Uint8Array): Uint8Array {
    return concatBytes(this.#names.prefixOf(id), record);
  }

  /** Nothing where the object does not begin as it must, not even if it is a record as it stands: its readers refuse that. */
  disclose(object: Uint8Array): Uint8Array {
    return parseHiddenRecord(object)?.rest ?? new Uint8Array(0);
  }

  async idOf(stem: string, read: ReadBeginning): Promise<ListedId> {
    const beginning = await read(HIDDEN_PREFIX_LIMIT_BYTES);
    if (beginning === undefined) return 'absent';
    const id = this.#names.idOf(stem.slice(this.root.length), beginning);
    return id === undefined ? 'unreadable' : { id };
  }
}
