import { KmsRegion } from './kms-region.ts';

/** Everything that the server knows of keys, in memory only. */
export class KmsState {
  readonly accountId: string;
  /** How long background work takes: rotation on demand, and the making of replicas. */
  readonly backgroundMs: number;
  /** How long an alias takes to count in policies. */
  readonly aliasAuthorizationMs: number;
  readonly #regions: ReadonlyMap<string, KmsRegion>;

  constructor(accountId: string, regionNames: readonly string[], { backgroundMs, aliasAuthorizationMs }: { readonly backgroundMs: number; readonly aliasAuthorizationMs: number }) {
    this.accountId = accountId;
    this.backgroundMs = backgroundMs;
    this.aliasAuthorizationMs = aliasAuthorizationMs;
    this.#regions = new Map(regionNames.map((name) => [name, new KmsRegion(name, accountId)]));
  }

  region(name: string): KmsRegion | undefined {
    return this.#regions.get(name);
  }

  /** Completes whatever is due by now, everywhere. */
  settle(now: number): void {
    for (const region of this.#regions.values()) region.settle(now);
  }
}
