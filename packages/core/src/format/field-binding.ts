import { KeyfoldError } from '../errors.ts';
import { type FieldName, encodeContext, encodeRowValue, fieldContext, label } from './context.ts';

/** A column by its logical names, and whether its values are bound to their rows. */
export interface ColumnName extends Omit<FieldName, 'row'> {
  /** `row` makes a value open in its own row only; `column` in every row of the column. */
  readonly bind: 'column' | 'row';
}

const LABEL = label('keyfold/field/v1');
const PLACEHOLDER = 'r';
/** lp16("row"), and the length of the value that follows. */
const ROW_LEAD_BYTES = 2 + 3 + 4;

/**
 * What a column's fields are bound to: `"keyfold/field/v1" 00 || header || ctx`
 * (spec/sealed-field). Everything but header and row is encoded once.
 */
export class FieldBinding {
  readonly #bind: ColumnName['bind'];
  /** The encoded context as far as the row's value, with its length, and behind it. */
  readonly #before: Uint8Array;
  readonly #behind: Uint8Array;

  /** @throws KeyfoldError INVALID_ARGUMENT for a name outside its limits */
  constructor({ tenant, table, column, bind }: ColumnName) {
    this.#bind = bind;
    if (bind === 'column') {
      this.#before = encodeContext(fieldContext({ tenant, table, column }));
      this.#behind = new Uint8Array(0);
    } else {
      const whole = encodeContext(fieldContext({ tenant, table, column, row: PLACEHOLDER }));
      // Keys ascend: column, purpose, row, table, tenant.
      const value = encodeContext({ column, purpose: 'field' }).byteLength + ROW_LEAD_BYTES;
      this.#before = whole.subarray(0, value - 4);
      this.#behind = whole.subarray(value + PLACEHOLDER.length);
    }
  }

  /**
   * The parts of the binding of one field, which follow each other.
   * @param row exactly when the column binds the row: 1..65,536 UTF-8 bytes
   * @throws KeyfoldError INVALID_ARGUMENT
   */
  of(header: Uint8Array, row: string | undefined): readonly Uint8Array[] {
    if (this.#bind === 'row') return [LABEL, header, this.#before, encodeRowValue(row), this.#behind];
    this.requireRow(row);
    return [LABEL, header, this.#before];
  }

  /**
   * Refuses a row that is missing or not asked for.
   * @throws KeyfoldError INVALID_ARGUMENT
   */
  requireRow(row: string | undefined): void {
    if (this.#bind === 'row') encodeRowValue(row);
    else if (row !== undefined) {
      throw new KeyfoldError('INVALID_ARGUMENT', 'This column does not bind the row: pass no row, or bind it by the policy.');
    }
  }
}
