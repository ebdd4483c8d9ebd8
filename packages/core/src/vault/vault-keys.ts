import { toHex } from '../bytes.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';
import { type VaultKeyIdentity, damaged } from '../sealing/record-subject.ts';
import { type LoadedKey, LoadedKeys } from './loaded-keys.ts';
import { dekIdFromHex } from './record-name.ts';
import type { VaultContext } from './vault-options.ts';
import { type VaultRecord, VaultRecords, inBatches } from './vault-records.ts';

/** How far ahead of ours the clock of a record's writer may be. */
const MAX_CLOCK_SKEW_MS = 3_600_000;
/** How long prime() leaves KMS and store alone after an outage that it can sit out. */
const RETRY_MS = 10_000;
/** prime() replaces a key when less than this part of a limit is left. */
const ROLL_AHEAD = 0.1;
const OUTAGES = ['KMS_UNAVAILABLE', 'KMS_THROTTLED', 'STORAGE_FAILURE', 'STORAGE_FULL'] as const;

/**
 * The keys of one use of a vault: the active one, which the records decide and
 * not this process, and those that were loaded to open.
 */
export class VaultKeys {
  readonly #context: VaultContext;
  readonly #records: VaultRecords;
  readonly #memory: LoadedKeys;
  /** Index roots stay until somebody replaces them: their values cannot be moved without plaintext. */
  readonly #rolls: boolean;
  readonly #loads = new Map<string, Promise<LoadedKey>>();
  /** Seals by this process, which outlive a key's time in memory. */
  readonly #seals = new Map<string, number>();
  #active: LoadedKey | undefined;
  #activeSeals = 0;
  /** Ids of every record at the last look, newest first. */
  #known: readonly string[] = [];
  #checkedAt = 0;
  #nextCheck = 0;
  #checking: Promise<void> | undefined;
  #closed = false;

  constructor(context: VaultContext, use: VaultKeyIdentity['use']) {
    this.#context = context;
    this.#records = new VaultRecords(context, use);
    this.#rolls = use === 'field';
    const { maxKeysInMemory: maxKeys, maxMemoryAgeMs: maxAgeMs } = context.limits;
    this.#memory = new LoadedKeys({ maxKeys, maxAgeMs, clock: context.clock });
  }

  /** The key that seals, for one seal. @throws KeyfoldError KEY_NOT_LOADED, CLOSED */
  forSeal(): LoadedKey {
    const key = this.active();
    this.#activeSeals++;
    return key;
  }

  /** The key that seals. @throws KeyfoldError KEY_NOT_LOADED, CLOSED */
  active(): LoadedKey {
    this.#requireOpen();
    if (this.#active !== undefined && this.#maySeal(this.#active, this.#activeSeals)) return this.#active;
    throw new KeyfoldError('KEY_NOT_LOADED', 'No data key may seal now: none is loaded, or it reached its age, its time in memory or its number of values. Await prime() and try again.');
  }

  /** A key that opens, if it is loaded. @throws KeyfoldError KEY_NOT_LOADED, CLOSED */
  loaded(id: string): LoadedKey {
    this.#requireOpen();
    const key = this.#memory.get(id);
    if (key !== undefined) return key;
    throw new KeyfoldError('KEY_NOT_LOADED', `The data key ${id} is not loaded. Await load(["${id}"]) or open the value asynchronously.`);
  }

  /** Every key that the last look found, newest first. @throws KeyfoldError KEY_NOT_LOADED unless all are loaded, CLOSED */
  all(): LoadedKey[] {
    return this.#known.map((id) => this.loaded(id));
  }

  /** A key that opens, from memory or by one call to the KMS. @throws KeyfoldError INTEGRITY_FAILURE when there is no such key */
  async load(id: string): Promise<LoadedKey> {
    this.#requireOpen();
    const loaded = this.#memory.get(id);
    if (loaded !== undefined) return loaded;
    return this.#load(id, async () => {
      const dekId = dekIdFromHex(id);
      const record = dekId && (await this.#records.read(dekId));
      if (record === undefined) throw damaged({ noun: 'data key', name: id });
      return this.#records.open(record);
    });
  }

  /** Loads every key that has a record. */
  async loadAll(): Promise<void> {
    await inBatches(await this.list(), (record) => this.#current(record));
  }

  /** The records as they are now, newest first. */
  async list(): Promise<VaultRecord[]> {
    this.#requireOpen();
    const records = await this.#records.readAll();
    this.#known = records.map(({ identity }) => toHex(identity.dekId));
    return records;
  }

  /** Sees to it that there is a key that may seal. Costs nothing while nothing is due. */
  async prime(): Promise<void> {
    this.#requireOpen();
    if (this.#isDue()) await this.#check(false);
  }

  /** Replaces the active key now. */
  async roll(): Promise<void> {
    this.#requireOpen();
    // One that is under way may have decided already to keep the key.
    while (this.#checking !== undefined) await this.#checking.catch(() => undefined);
    await this.#check(true);
  }

  close(): void {
    this.#closed = true;
    this.#active = undefined;
    this.#memory.clear();
  }

  #isDue(): boolean {
    const now = this.#context.clock.now();
    const usable = this.#active !== undefined && this.#maySeal(this.#active, this.#activeSeals);
    return !usable || now >= this.#nextCheck || now < this.#checkedAt;
  }

  /** One look at the records for all who wait. */
  #check(roll: boolean): Promise<void> {
    this.#checking ??= this.#decideOrSitOut(roll).finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #decideOrSitOut(roll: boolean): Promise<void> {
    const { clock, limits } = this.#context;
    let wait = limits.recheckMs;
    try {
      await this.#decide(roll);
    } catch (error) {
      const usable = this.#active !== undefined && this.#maySeal(this.#active, this.#activeSeals);
      if (roll || !usable || !OUTAGES.some((code) => isKeyfoldError(error, code))) throw error;
      wait = Math.min(wait, RETRY_MS);
    }
    this.#checkedAt = clock.now();
    this.#nextCheck = this.#checkedAt + wait;
  }

  async #decide(roll: boolean): Promise<void> {
    let records = await this.list();
    this.#memory.keepOnly(new Set(this.#known));
    const latest = this.#context.clock.now() + MAX_CLOCK_SKEW_MS;
    let active = await this.#newest(records, latest);
    if (roll || active === undefined || this.#shouldRoll(active)) {
      const made = this.#remember(await this.#records.create(this.#successorTime(records, latest)));
      // Others may have done the same: all look again, and all see the same newest one.
      records = await this.list();
      active = (await this.#newest(records, Math.max(latest, made.created))) ?? made;
    }
    this.#requireOpen();
    this.#activate(active);
    await this.#retireOthers(records, active);
    await this.#refresh(records);
    // A search that misses a root misses rows.
    if (!this.#rolls) await inBatches(records, (record) => this.#current(record));
  }

  /** The newest active key, verified, if it may seal. */
  async #newest(records: readonly VaultRecord[], latest: number): Promise<LoadedKey | undefined> {
    const newest = records.find(({ parsed }) => parsed.record.state === 'active' && parsed.record.created <= latest);
    const key = newest && (await this.#current(newest));
    return key !== undefined && this.#maySeal(key, this.#sealsOf(key.id)) ? key : undefined;
  }

  /** Newer than every key that it replaces, also when that was dated by a clock ahead of ours. */
  #successorTime(records: readonly VaultRecord[], latest: number): number {
    const created = records.map(({ parsed }) => parsed.record.created).filter((time) => time <= latest);
    return Math.max(Math.floor(this.#context.clock.now()), ...created.map((time) => time + 1));
  }

  /** The key of a record as it is now: from memory if it can verify the record, else unwrapped. */
  async #current(record: VaultRecord): Promise<LoadedKey> {
    const id = toHex(record.identity.dekId);
    const key = this.#memory.get(id);
    if (key === undefined) return this.#load(id, () => this.#records.open(record));
    this.#records.verify(key, record);
    return key;
  }

  /** One unwrap for all who wait. */
  #load(id: string, open: () => Promise<LoadedKey>): Promise<LoadedKey> {
    const running = this.#loads.get(id);
    if (running !== undefined) return running;
    const load = open()
      .then((key) => this.#remember(key))
      .finally(() => this.#loads.delete(id));
    this.#loads.set(id, load);
    return load;
  }

  #remember(key: LoadedKey): LoadedKey {
    this.#requireOpen();
    this.#memory.put(key);
    return key;
  }

  #activate(key: LoadedKey): void {
    const seals = this.#sealsOf(key.id);
    if (this.#active !== undefined) this.#seals.set(this.#active.id, this.#activeSeals);
    this.#active = key;
    this.#activeSeals = seals;
  }

  #sealsOf(id: string): number {
    return id === this.#active?.id ? this.#activeSeals : (this.#seals.get(id) ?? 0);
  }

  /** Nothing is lost when this fails: two active keys are valid, and the next look tries again. */
  async #retireOthers(records: readonly VaultRecord[], active: LoadedKey): Promise<void> {
    const others = records.filter(({ identity, parsed }) => parsed.record.state === 'active' && toHex(identity.dekId) !== active.id);
    for (const record of others) {
      try {
        await this.#records.retire(await this.#current(record), record);
      } catch {
        // Audited where it happened.
      }
    }
  }

  /** Unwraps keys anew that are in use and would expire; an outage leaves them as they are. */
  async #refresh(records: readonly VaultRecord[]): Promise<void> {
    const ageing = new Set(this.#memory.ageing());
    const due = records.filter(({ identity }) => ageing.has(toHex(identity.dekId)));
    await inBatches(due, async (record) => {
      const id = toHex(record.identity.dekId);
      try {
        const key = await this.#load(id, () => this.#records.open(record));
        if (this.#active?.id === id) this.#active = key;
      } catch (error) {
        if (!OUTAGES.some((code) => isKeyfoldError(error, code))) throw error;
      }
    });
  }

  #maySeal(key: LoadedKey, seals: number): boolean {
    const { clock, limits } = this.#context;
    if (!this.#memory.isFresh(key)) return false;
    return !this.#rolls || (clock.now() - key.created < limits.maxKeyAgeMs && seals < limits.maxSeals);
  }

  #shouldRoll(key: LoadedKey): boolean {
    if (!this.#rolls) return false;
    const { clock, limits } = this.#context;
    const part = 1 - ROLL_AHEAD;
    return clock.now() - key.created >= limits.maxKeyAgeMs * part || this.#sealsOf(key.id) >= limits.maxSeals * part;
  }

  #requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'The key vault is closed.');
  }
}
