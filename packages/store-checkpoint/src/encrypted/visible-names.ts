import { dataName, encodeId, encodeIdPrefix, idOfRecord, markName, partsOfData, partsOfMark, recordName } from '../object-names.ts';
import type { CheckpointNames, ListedId, NamedObject } from './checkpoint-names.ts';

/** Objects are named after their ids; a stem is the id itself (docs/spec/checkpoint.md, section 5). */
export class VisibleNames implements CheckpointNames {
  readonly root = '';
  readonly overheadBytes = 0;

  stem(id: string): string {
    encodeId(id);
    return id;
  }

  stemPrefix(prefix: string): string {
    return encodeIdPrefix(prefix);
  }

  record(stem: string): string {
    return recordName(stem);
  }

  data(stem: string, objectId: string): string {
    return dataName(stem, objectId);
  }

  mark(stem: string, objectId: string): string {
    return markName(stem, objectId);
  }

  parse(name: string): NamedObject {
    const record = idOfRecord(name);
    if (record !== undefined) return { kind: 'record', stem: record };
    const data = partsOfData(name);
    if (data !== undefined) return { kind: 'data', stem: data.id, objectId: data.objectId };
    const mark = partsOfMark(name);
    return mark === undefined ? { kind: 'other' } : { kind: 'mark', stem: mark.id, objectId: mark.objectId };
  }

  isOwn(): boolean {
    return false;
  }

  idOfStem(stem: string): string {
    return stem;
  }

  enclose(_id: string, record: Uint8Array): Uint8Array {
    return record;
  }

  disclose(object: Uint8Array): Uint8Array {
    return object;
  }

  idOf(stem: string): Promise<ListedId> {
    return Promise.resolve({ id: stem });
  }
}
