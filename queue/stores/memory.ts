// A verb that refuses must reject, not throw: so the verbs are async although nothing in here waits.
// deno-lint-ignore-file require-await
import { IdempotencyGone, UniqueConflict, WrongStatus } from "../errors.ts";
import { type Change, Changes, type Listener } from "../events.ts";
import { lapsed, settled, stopped } from "../settled.ts";
import type * as contract from "../store.ts";
import * as transition from "../task.ts";
import { isFinal, type NewTask, sizeOf, type Status, type Task } from "../task.ts";
import { type Entry, weigh } from "./entry.ts";
import { Intake, type Plan } from "./intake.ts";
import { LastLines } from "./last_lines.ts";
import { Owners } from "./owners.ts";
import { finishedPlace, type Place, QueuedPlace, RunningPlace, scheduledPlace } from "./places.ts";
import { type Made, Repeats } from "./repeats.ts";
import { Room } from "./room.ts";
import { Tombstones } from "./tombstones.ts";

/** Keeps tasks until the process ends. */
export function createMemoryStore(options: contract.StoreOptions): contract.Store {
  return new MemoryStore(options);
}

/** Answers under idempotency keys that are remembered, of each owner: none can make the service forget another's. */
const REPEATS_MAX = 100_000;

/**
 * Each task has one `Entry`, which is in three places: among its owner's entries by id, in the listing, and where
 * its status puts it. Nothing here waits, so each verb is atomic.
 */
class MemoryStore implements contract.Store {
  #options: contract.StoreOptions;
  #owners: Owners;
  #intake: Intake;
  #room: Room;
  #scheduled = scheduledPlace();
  #queued: QueuedPlace;
  #running = new RunningPlace();
  #finished = finishedPlace();
  #places: Readonly<Record<Status, Place>>;
  #expired = new Tombstones(10_000);
  #repeats = new Map<string, Repeats>();
  #changes = new Changes();
  #lastCreation = 0;

  constructor(options: contract.StoreOptions) {
    this.#options = options;
    this.#queued = new QueuedPlace(options.concurrencyOf);
    this.#owners = new Owners((owner) => this.#queued.linesOf(owner));
    this.#intake = new Intake(this.#owners);
    this.#room = new Room(options);
    this.#places = {
      scheduled: this.#scheduled,
      queued: this.#queued,
      running: this.#running,
      succeeded: this.#finished,
      failed: this.#finished,
      cancelled: this.#finished,
    };
  }

  async enqueue(drafts: readonly NewTask[], together?: contract.Together): Promise<contract.Enqueued[]> {
    const now = this.#time();
    if (together?.idempotency && drafts.length > 0) {
      const known = this.#repeated(drafts[0]!.owner, together.idempotency, now);
      if (known !== undefined) return known;
    }
    const plan = this.#intake.plan(drafts, together?.batch?.id, now);
    if (plan.fresh.length > 0) this.#admit(plan, together?.batch, now);
    return together === undefined ? plan.answers : this.#remember(plan, together, now);
  }

  async replay(owner: string, idempotency: contract.Idempotency): Promise<contract.Enqueued[] | undefined> {
    return this.#repeated(owner, idempotency, this.#options.now());
  }

  async batch(owner: string, id: string): Promise<contract.Batch | undefined> {
    return this.#owners.get(owner)?.relations.batch(id);
  }

  async get(owner: string, id: string): Promise<Task | undefined> {
    return this.#owners.find(owner, id)?.task;
  }

  async hasExpired(owner: string, id: string): Promise<boolean> {
    return this.#expired.has(owner, id) && this.#owners.find(owner, id) === undefined;
  }

  async list(owner: string, query: contract.ListQuery): Promise<contract.Page> {
    const mine = this.#owners.get(owner);
    if (mine === undefined) return { tasks: [] };
    const related = query.batch !== undefined || query.parent !== undefined;
    return related ? mine.relations.page(query) : mine.listing.page(query);
  }

  async logs(owner: string, id: string): Promise<contract.Logs | undefined> {
    const entry = this.#owners.find(owner, id);
    return entry && { task: entry.task, lines: entry.logs?.all() ?? [] };
  }

  async claim(wants: readonly contract.Want[], until: number): Promise<contract.Claim[]> {
    const now = this.#options.now();
    this.#queueDue(now);
    const claims: contract.Claim[] = [];
    const round = this.#queued.round(wants);
    for (let entry = round.next(); entry !== undefined; entry = round.next()) {
      const token = this.#running.newToken();
      const task = this.#become(entry, transition.claimed(entry.task, now), { token, until });
      claims.push({ token, task });
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
        this.#room.grow(weigh(entry) - before);
        entry.task = transition.logged(entry.task, log.length);
        this.#changes.publish(entry.task, "log", log);
      }
      if (progress !== undefined) {
        this.#change(entry, transition.progressed(entry.task, progress), "progress");
      }
    }
  }

  async checkpoint(checkpoints: readonly contract.Checkpoint[]): Promise<boolean[]> {
    return checkpoints.map(({ token, checkpoint }) => {
      const entry = this.#running.get(token);
      if (entry === undefined) return false;
      const before = weigh(entry);
      entry.task = transition.checkpointed(entry.task, checkpoint);
      this.#room.grow(weigh(entry) - before);
      return true;
    });
  }

  async cancel(owner: string, id: string): Promise<Task | undefined> {
    const entry = this.#owners.find(owner, id);
    if (entry === undefined) return undefined;
    const { task } = entry;
    const now = this.#options.now();
    if (task.status === "cancelled") return task;
    if (isFinal(task.status)) throw new WrongStatus(true);
    if (task.status === "running") return this.#change(entry, transition.cancelRequested(task, now));
    return this.#become(entry, stopped(task, now, this.#options));
  }

  async retry(owner: string, id: string): Promise<Task | undefined> {
    const entry = this.#owners.find(owner, id);
    if (entry === undefined) return undefined;
    const { status } = entry.task;
    if (!transition.may(status, "retried")) throw new WrongStatus(isFinal(status));
    const { type, extras } = entry.task;
    const { relations } = this.#owners.of(owner);
    const holder = extras && relations.holder(type, extras, this.#options.now());
    if (holder !== undefined && holder !== entry) throw new UniqueConflict(holder.task.id, 0);
    this.#room.check(1, weigh(entry));
    if (extras?.uniqueKey) relations.take(entry);
    return this.#become(entry, transition.retried(entry.task));
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const entry = this.#owners.find(owner, id);
    if (entry === undefined) return false;
    if (!isFinal(entry.task.status)) throw new WrongStatus(false);
    this.#forget(entry);
    this.#expired.delete(owner, id);
    return true;
  }

  async counts(owner?: string): Promise<contract.Counts> {
    const counts: Record<string, Record<Status, number>> = {};
    for (const [name, { listing }] of this.#owners.all()) {
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
      if (entry.task.expiresAt! > now && this.#room.ended <= this.#options.retentionBytes) break;
      this.#forget(entry);
      this.#expired.add(entry.task.owner, entry.task.id);
    }
    return swept;
  }

  subscribe(listener: Listener): () => void {
    return this.#changes.subscribe(listener);
  }

  async close(): Promise<void> {}

  /** Listings rely on it that creation times never go back, even where the clock does. */
  #time(): number {
    return this.#lastCreation = Math.max(this.#lastCreation, this.#options.now());
  }

  #repeated(
    owner: string,
    idempotency: contract.Idempotency,
    now: number,
  ): contract.Enqueued[] | undefined {
    return this.#repeats.get(owner)?.find(idempotency, now)?.map(({ id, ...made }) => {
      const task = this.#owners.find(owner, id)?.task;
      if (task === undefined) throw new IdempotencyGone();
      return { task, replayed: true, ...made };
    });
  }

  /** The answers, with what was made of them together. */
  #remember(
    { answers, fresh }: Plan,
    { batch, idempotency }: contract.Together,
    now: number,
  ): contract.Enqueued[] {
    const isBatch = batch !== undefined && fresh.length > 0;
    const told = isBatch ? answers.map((answer) => ({ ...answer, batch: batch.id })) : answers;
    if (idempotency && told.length > 0) {
      const made = told.map(({ task, replayed: _, ...rest }): Made => ({ id: task.id, ...rest }));
      const { owner } = told[0]!.task;
      const repeats = this.#repeats.get(owner) ?? new Repeats(REPEATS_MAX);
      this.#repeats.set(owner, repeats);
      repeats.add(idempotency, made, now);
    }
    return told;
  }

  /** Lets the new tasks in, all or none. @throws {QueueFull} */
  #admit(plan: Plan, batch: contract.Together["batch"], now: number): void {
    const { fresh, bytes, takings } = plan;
    const then = batch?.then && transition.created(batch.then, now);
    // Those that are replaced at once make room.
    const waiting = takings.flatMap(({ holder }) => holder && isWaiting(holder.task) ? holder : []);
    const freed = waiting.reduce((sum, holder) => sum + weigh(holder), 0);
    try {
      const count = fresh.length + (then ? 1 : 0) - waiting.length;
      this.#room.check(count, bytes + (then ? sizeOf(then) : 0) - freed);
    } catch (refusal) {
      this.#intake.undo(plan);
      throw refusal;
    }
    if (batch) this.#owners.of(fresh[0]!.task.owner).relations.open(batch, fresh.length, now);
    if (then) this.#room.reserve(then);
    let taken = 0;
    for (const entry of fresh) {
      if (takings[taken]?.entry === entry) this.#replace(takings[taken++]!.holder, now);
      this.#accept(entry);
    }
  }

  #accept(entry: Entry): void {
    if (entry.task.extras !== undefined) this.#owners.of(entry.task.owner).relations.add(entry);
    this.#enter(entry);
  }

  /** Another has its unique key now. */
  #replace(entry: Entry | undefined, now: number): void {
    if (entry === undefined) return;
    const { task } = entry;
    if (task.status === "running") this.#change(entry, transition.cancelRequested(task, now));
    else if (isWaiting(task)) this.#become(entry, stopped(task, now, this.#options));
  }

  /** What is to come of it that a task has ended. */
  #follow(entry: Entry): void {
    const now = this.#time();
    const { task } = entry;
    const then = this.#owners.of(task.owner).relations.ended(entry, now);
    if (then) this.#room.release(transition.created(then, now));
    for (const draft of [this.#options.followUp?.(task), then]) {
      if (draft === undefined || this.#owners.find(draft.owner, draft.id) !== undefined) continue;
      this.#accept(this.#intake.entryOf(draft, now));
    }
  }

  #queueDue(now: number): void {
    for (let next = this.#scheduled.peek(); next !== undefined; next = this.#scheduled.peek()) {
      if (next.task.runAt! > now) break;
      this.#become(next, transition.due(next.task));
    }
  }

  /** A change of status. */
  #become(entry: Entry, task: Task, claim?: Entry["claim"]): Task {
    // A run that was cut short has not cost its place; whatever else is queued is queued behind the others.
    if (task.status === "queued" && entry.task.status !== "running") entry.order = 0;
    this.#leave(entry);
    entry.task = task;
    entry.claim = claim;
    this.#enter(entry);
    return task;
  }

  /** A change that leaves the status. */
  #change(entry: Entry, task: Task, kind?: Change["kind"]): Task {
    if (task === entry.task) return task;
    entry.task = task;
    this.#changes.publish(task, kind);
    return task;
  }

  /** Puts an entry where its status says, and tells of it. */
  #enter(entry: Entry): void {
    const { status } = entry.task;
    this.#room.enter(entry);
    entry.lists[status].insert(entry);
    this.#places[status].push(entry);
    this.#changes.publish(entry.task);
    if (entry.task.extras === undefined) return;
    this.#owners.of(entry.task.owner).relations.entered(entry);
    if (isFinal(status)) this.#follow(entry);
  }

  #leave(entry: Entry): void {
    const { status } = entry.task;
    this.#room.leave(entry);
    entry.lists[status].remove(entry);
    this.#places[status].remove(entry);
    if (entry.task.extras !== undefined) this.#owners.of(entry.task.owner).relations.left(entry);
  }

  #forget(entry: Entry): void {
    this.#leave(entry);
    if (entry.task.extras !== undefined) this.#owners.of(entry.task.owner).relations.delete(entry);
    this.#owners.drop(entry.task);
  }
}

/** Whether it can be cancelled at once. */
function isWaiting({ status }: Task): boolean {
  return status === "scheduled" || status === "queued";
}
