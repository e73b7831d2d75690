/** What has events of many tasks. An event's id is its number in this process, and says of which process it is. */
import type { Batch } from "../../queue/store.ts";
import type { Entry, Journal } from "./journal.ts";
import { batchKey, ownerKey } from "./keys.ts";
import { eventText, withId } from "./told.ts";
import type { Beginning, Subject, Topic } from "./topic.ts";

/** Characters of missed events; more is told as a summary. */
const MAX_MISSED = 256 * 1024;

function formatSeq({ epoch }: Journal, seq: number): string {
  return `${epoch}-${seq}`;
}

/** `undefined` for an id of another process, or none at all. */
function parseSeq({ epoch }: Journal, text: string): number | undefined {
  const seq = text.slice(epoch.length + 1);
  return text.startsWith(`${epoch}-`) && /^\d{1,15}$/.test(seq) ? Number(seq) : undefined;
}

abstract class ManySubject implements Subject {
  abstract readonly key: string;

  constructor(readonly journal: Journal) {}

  idOf({ seq }: Entry): string {
    return formatSeq(this.journal, seq);
  }

  countOf({ seq }: Entry): number {
    return seq;
  }

  isLast(): boolean {
    return false;
  }

  abstract begin(topic: Topic, last: string): Promise<Beginning | undefined>;

  /** What was missed behind `last`; `undefined` where that is not known, or too much. */
  protected missed(topic: Topic, last: string): string | undefined {
    const seen = parseSeq(this.journal, last);
    const text = seen === undefined ? undefined : this.#textOf(topic, seen);
    return text !== undefined && text.length <= MAX_MISSED ? text : undefined;
  }

  /** @param since the number of the last event before the summary was read */
  protected fresh(topic: Topic, since: number, summary: string): string {
    return withId(formatSeq(this.journal, since), summary) + (this.#textOf(topic, since) ?? "");
  }

  #textOf(topic: Topic, seen: number): string | undefined {
    return topic.behind(seen)?.map((entry) => withId(this.idOf(entry), entry.text)).join("");
  }
}

/** All tasks of an owner. Begins with how many there are: their list is to be read behind it. */
export class OwnerSubject extends ManySubject {
  readonly key: string;

  /** @param read how many tasks there are, as JSON */
  constructor(journal: Journal, owner: string, readonly read: () => Promise<string>) {
    super(journal);
    this.key = ownerKey(owner);
  }

  async begin(topic: Topic, last: string): Promise<Beginning> {
    const since = this.journal.last;
    const summary = eventText("tasks.counted", await this.read());
    const text = this.missed(topic, last) ?? this.fresh(topic, since, summary);
    return { text, count: this.journal.last, over: false };
  }
}

/** What `Last-Event-ID` says behind the last event of a batch, whichever process it was told by. */
const OVER = "finished";

/** The tasks of a batch. Begins with the batch as it is, and ends with it when the last of them has ended. */
export class BatchSubject extends ManySubject {
  readonly key: string;

  /**
   * @param read the batch as it is; throws where there is none
   * @param render as JSON
   */
  constructor(
    journal: Journal,
    owner: string,
    id: string,
    readonly read: () => Promise<Batch>,
    readonly render: (batch: Batch) => string,
  ) {
    super(journal);
    this.key = batchKey(owner, id);
  }

  async begin(topic: Topic, last: string): Promise<Beginning | undefined> {
    const since = this.journal.last;
    const batch = await this.read();
    const over = batch.finishedAt !== undefined;
    if (over && last === OVER) return undefined;
    const missed = this.missed(topic, last);
    const text = over
      ? (missed ?? "") + this.#lastEvent(batch)
      : missed ?? this.fresh(topic, since, eventText("batch.updated", this.render(batch)));
    return { text, count: this.journal.last, over };
  }

  async over(): Promise<string | undefined> {
    const batch = await this.read();
    return batch.finishedAt === undefined ? undefined : this.#lastEvent(batch);
  }

  #lastEvent(batch: Batch): string {
    return withId(OVER, eventText("batch.finished", this.render(batch)));
  }
}
