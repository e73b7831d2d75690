import type { Task } from "../task.ts";
import type { Entry } from "./entry.ts";
import { IdMap } from "./id_map.ts";
import { Listing } from "./listing.ts";
import { Relations } from "./relations.ts";
import type { Lines } from "./turns.ts";

/** All that is known of one owner. */
export interface Belongings {
  readonly entries: IdMap<Entry>;
  readonly listing: Listing;
  readonly lines: Lines;
  readonly relations: Relations;
}

/** Owners who have tasks, each with what is theirs. */
export class Owners {
  readonly #owners = new Map<string, Belongings>();

  /** @param linesOf where the tasks of a new owner wait */
  constructor(readonly linesOf: (owner: string) => Lines) {}

  /** What is theirs, from now on, if nothing was. */
  of(owner: string): Belongings {
    let mine = this.#owners.get(owner);
    if (mine === undefined) {
      mine = {
        entries: new IdMap(idOf),
        listing: new Listing(),
        lines: this.linesOf(owner),
        relations: new Relations(),
      };
      this.#owners.set(owner, mine);
    }
    return mine;
  }

  get(owner: string): Belongings | undefined {
    return this.#owners.get(owner);
  }

  find(owner: string, id: string): Entry | undefined {
    return this.#owners.get(owner)?.entries.get(id);
  }

  all(): Iterable<[owner: string, belongings: Belongings]> {
    return this.#owners;
  }

  /** Takes it from its owner's entries, and the owner from the owners where it was the last. */
  drop({ owner, id }: Task): void {
    const mine = this.#owners.get(owner);
    mine?.entries.delete(id);
    if (mine?.entries.size === 0) this.#owners.delete(owner);
  }
}

function idOf({ task }: Entry): string {
  return task.id;
}
