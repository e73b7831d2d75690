// A verb that refuses must reject, not throw: so the verbs are async although nothing in here waits.
// deno-lint-ignore-file require-await
import { IdConflict, QueueFull, WrongStatus } from "../errors.ts";
import { Changes, type Listener } from "../events.ts";
import { lapsed, settled, stopped } from "../settled.ts";
import type * as contract from "../store.ts";
import * as transition from "../task.ts";
import { isFinal, type LogLine, type NewTask, type Status, type Task } from "../task.ts";
import { type Entry, weigh } from "./entry.ts";
import { IdMap } from "./id_map.ts";
import { LastLines } from "./last_lines.ts";
import { Listing } from "./listing.ts";
import { finishedPlace, type Place, QueuedPlace, RunningPlace, scheduledPlace } from "./places.ts";
import { Tombstones } from "./tombstones.ts";

/** Keeps tasks until the process ends. */
export function createMemoryStore(options: contract.StoreOptions): contract.Store {
  return new MemoryStore(options);
}

interface Belongings {
  readonly entries: IdMap;
  readonly listing: Listing;
}

/**
 * Each task has one `Entry`, which is in three places: among its owner's entries by id, in the listing, and where
 * its status puts it. Nothing here waits, so each verb is atomic.
 */
class MemoryStore implements contract.Store {
  #options: contract.StoreOptions;
  #owners = new Map<string, Belongings>();
  #scheduled = scheduledPlace();
  #queued = new QueuedPlace();
  #running = new RunningPlace();
  #finished = finishedPlace();
  #places: Readonly<Record<Status, Place>> = {
    scheduled: this.#scheduled,
    queued: this.#queued,
    running: this.#running,
    succeeded: this.#finished,
    failed: this.#finished,
    cancelled: this.#finished,
  };
  #unfinished = { count: 0, bytes: 0 };
  #ended = { count: 0, bytes: 0 };
  #expired = new Tombstones(10_000);
  #changes = new Changes();
  #seqs = 0;
  #lastCreation = 0;

  constructor(options: contract.StoreOptions) {
    this.#options = options;
  }

  async enqueue(drafts: readonly NewTask[]): Promise<contract.Enqueued[]> {
    // Listings rely on it that creation times never go back, even where the clock does.
    const now = this.#lastCreation = Math.max(this.#lastCreation, this.#options.now());
    const fresh: Entry[] = [];
    let bytes = 0;
    try {
      const answers = drafts.map((draft, index) => {
        const { entries, listing } = this.#belongings(draft.owner);
        const known = entries.get(draft.id)?.task;
        if (known !== undefined) {
          if (!isReplay(known, draft)) throw new IdConflict(draft.id, index);
          return { task: known, replayed: true };
        }
        const task = transition.created(draft, now);
        const lists = listing.of(task.type);
        const entry = {
          task,
          seq: ++this.#seqs,
          order: 0,
          index: -1,
          claim: undefined,
          logs: undefined,
          lists,
        };
        entries.add(entry);
        fresh.push(entry);
        bytes += weigh(entry);
        return { task, replayed: false };
      });
      if (fresh.length > 0) this.#checkRoom(fresh.length, bytes);
      for (const entry of fresh) this.#enter(entry);
      return answers;
    } catch (refusal) {
      for (const { task } of fresh) this.#drop(task);
      throw refusal;
    }
  }

  async get(owner: string, id: string): Promise<Task | undefined> {
    return this.#find(owner, id)?.task;
  }

  async hasExpired(owner: string, id: string): Promise<boolean> {
    return this.#expired.has(owner, id) && this.#find(owner, id) === undefined;
  }

  async list(owner: string, query: contract.ListQuery): Promise<contract.Page> {
    return this.#owners.get(owner)?.listing.page(query) ?? { tasks: [] };
  }

  async logs(owner: string, id: string): Promise<LogLine[] | undefined> {
    const entry = this.#find(owner, id);
    return entry && (entry.logs?.all() ?? []);
  }

  async claim(wants: readonly contract.Want[], until: number): Promise<contract.Claim[]> {
    const now = this.#options.now();
    this.#queueDue(now);
    const claims: contract.Claim[] = [];
    for (const { type, alone, limit } of wants) {
      for (let taken = 0; taken < limit; taken++) {
        const entry = this.#queued.peek(type, alone);
        if (entry === undefined) break;
        const token = this.#running.newToken();
        const task = this.#become(entry, transition.claimed(entry.task, now), { token, until });
        claims.push({ token, task });
      }
    }
    return claims;
  }

  async renew(tokens: readonly contract.Token[], until: number): Promise<contract.Token[]> {
    return tokens.filter((token) => {
      const claim = this.#running.get(token)?.claim;
      if (claim !== undefined) claim.until = until;
      return claim === undefined;
    });
  }

  async recover(): Promise<number> {
    const now = this.#options.now();
    const entries = this.#running.lapsed(now);
    for (const entry of entries) this.#become(entry, lapsed(entry.task, now, this.#options));
    return entries.length;
  }

  async settle(settlements: readonly contract.Settlement[]): Promise<(Task | undefined)[]> {
    const now = this.#options.now();
    return settlements.map((settlement) => {
      const entry = this.#running.get(settlement.token);
      return entry && this.#become(entry, settled(entry.task, settlement, now, this.#options));
    });
  }

  async report(reports: readonly contract.Report[]): Promise<void> {
    for (const { token, progress, log = [] } of reports) {
      const entry = this.#running.get(token);
      if (entry === undefined) continue;
      if (log.length > 0) {
        const before = weigh(entry);
        (entry.logs ??= new LastLines()).add(log);
        this.#unfinished.bytes += weigh(entry) - before;
      }
      if (progress !== undefined) this.#change(entry, transition.progressed(entry.task, progress));
    }
  }

  async cancel(owner: string, id: string): Promise<Task | undefined> {
    const entry = this.#find(owner, id);
    if (entry === undefined) return undefined;
    const { task } = entry;
    const now = this.#options.now();
    if (task.status === "cancelled") return task;
    if (isFinal(task.status)) throw new WrongStatus(true);
    if (task.status === "running") return this.#change(entry, transition.cancelRequested(task, now));
    return this.#become(entry, stopped(task, now, this.#options));
  }

  async retry(owner: string, id: string): Promise<Task | undefined> {
    const entry = this.#find(owner, id);
    if (entry === undefined) return undefined;
    const { status } = entry.task;
    if (!transition.may(status, "retried")) throw new WrongStatus(isFinal(status));
    this.#checkRoom(1, weigh(entry));
    return this.#become(entry, transition.retried(entry.task));
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const entry = this.#find(owner, id);
    if (entry === undefined) return false;
    if (!isFinal(entry.task.status)) throw new WrongStatus(false);
    this.#forget(entry);
    this.#expired.delete(owner, id);
    return true;
  }

  async counts(owner?: string): Promise<contract.Counts> {
    const counts: Record<string, Record<Status, number>> = {};
    for (const [name, { listing }] of this.#owners) {
      if (owner === undefined || owner === name) listing.addTo(counts);
    }
    return counts;
  }

  async nextDue(): Promise<number | undefined> {
    return this.#scheduled.peek()?.task.runAt;
  }

  async sweep(limit: number): Promise<number> {
    const now = this.#options.now();
    let swept = 0;
    for (; swept < limit; swept++) {
      const entry = this.#finished.peek();
      if (entry === undefined) break;
      if (entry.task.expiresAt! > now && this.#ended.bytes <= this.#options.retentionBytes) break;
      this.#forget(entry);
      this.#expired.add(entry.task.owner, entry.task.id);
    }
    return swept;
  }

  subscribe(listener: Listener): () => void {
    return this.#changes.subscribe(listener);
  }

  async close(): Promise<void> {}

  #belongings(owner: string): Belongings {
    let mine = this.#owners.get(owner);
    if (mine === undefined) this.#owners.set(owner, mine = { entries: new IdMap(), listing: new Listing() });
    return mine;
  }

  #find(owner: string, id: string): Entry | undefined {
    return this.#owners.get(owner)?.entries.get(id);
  }

  #checkRoom(count: number, bytes: number): void {
    const { maxTasks, maxBytes } = this.#options;
    const { count: tasks, bytes: held } = this.#unfinished;
    if (tasks + count > maxTasks || held + bytes > maxBytes) throw new QueueFull(1);
  }

  #queueDue(now: number): void {
    for (let next = this.#scheduled.peek(); next !== undefined; next = this.#scheduled.peek()) {
      if (next.task.runAt! > now) break;
      this.#become(next, transition.due(next.task));
    }
  }

  /** A change of status. */
  #become(entry: Entry, task: Task, claim?: Entry["claim"]): Task {
    this.#leave(entry);
    entry.task = task;
    entry.claim = claim;
    this.#enter(entry);
    return task;
  }

  /** A change that leaves the status. */
  #change(entry: Entry, task: Task): Task {
    if (task === entry.task) return task;
    entry.task = task;
    this.#changes.publish(task);
    return task;
  }

  /** Puts an entry where its status says, and tells of it. */
  #enter(entry: Entry): void {
    const { status } = entry.task;
    const tally = isFinal(status) ? this.#ended : this.#unfinished;
    tally.count++;
    tally.bytes += weigh(entry);
    entry.lists[status].insert(entry);
    this.#places[status].push(entry);
    this.#changes.publish(entry.task);
  }

  #leave(entry: Entry): void {
    const { status } = entry.task;
    const tally = isFinal(status) ? this.#ended : this.#unfinished;
    tally.count--;
    tally.bytes -= weigh(entry);
    entry.lists[status].remove(entry);
    this.#places[status].remove(entry);
  }

  #forget(entry: Entry): void {
    this.#leave(entry);
    this.#drop(entry.task);
  }

  /** Takes it from its owner's entries, and the owner from the owners where it was the last. */
  #drop({ owner, id }: Task): void {
    const belongings = this.#owners.get(owner);
    belongings?.entries.delete(id);
    if (belongings?.entries.size === 0) this.#owners.delete(owner);
  }
}

/** Whether it says what the existing task said. */
function isReplay(task: Task, draft: NewTask): boolean {
  return task.type === draft.type && task.input === draft.input && task.metadata === draft.metadata;
}
