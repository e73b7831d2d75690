import type { Entry, Holder, Journal } from "./journal.ts";
import type { Reader } from "./reader.ts";
import { withId } from "./told.ts";

/** What can be followed: a task, a batch, or all tasks of an owner. */
export interface Subject {
  /** Differs from those of all other subjects. */
  readonly key: string;
  /** What `Last-Event-ID` says behind this event. */
  idOf(entry: Entry): string;
  /** Grows from event to event. */
  countOf(entry: Entry): number;
  /** Whether nothing follows this event. */
  isLast(entry: Entry): boolean;
  /**
   * What a stream begins with. The topic hears of all that happens from before the call on.
   *
   * @param last the `Last-Event-ID`; `""` where there is none
   * @returns `undefined` where the client has had everything and need not come back
   * @throws {Problem} where there is nothing to follow
   */
  begin(topic: Topic, last: string): Promise<Beginning | undefined>;
  /** Asked when one of its tasks has ended, where `isLast` cannot tell: the text of the last event, if it is over. */
  over?(): Promise<string | undefined>;
}

export interface Beginning {
  /** Events, with their ids. */
  readonly text: string;
  /** As `countOf` of the last one in it. */
  readonly count: number;
  /** Nothing follows. */
  readonly over: boolean;
}

const encoder = new TextEncoder();

export function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A subject that somebody follows, or has followed a short while ago and may come back to. */
export class Topic implements Holder {
  readonly readers = new Set<Reader>();
  /** Somebody has been sent its events. */
  followed = false;
  /** Requests that are about to become readers. */
  coming = 0;
  /** When the last reader left, in milliseconds since the epoch. */
  leftAt = 0;
  #entries: Entry[] = [];
  #unsent: Entry[] = [];
  #since: number;

  constructor(readonly subject: Subject, readonly journal: Journal) {
    this.#since = journal.last;
  }

  /** The last of its events, oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** All its events behind the one of this number; `undefined` where one may be missing. */
  behind(seq: number): Entry[] | undefined {
    if (seq < this.#since || seq > this.journal.last) return undefined;
    return this.#entries.filter((entry) => entry.seq > seq);
  }

  /** Told of in the next `send`. */
  tell(entry: Entry): void {
    this.#entries.push(entry);
    if (this.readers.size > 0) this.#unsent.push(entry);
  }

  /** Sends what it was told since the last one, in one piece: a burst must not drop those who read. */
  send(): void {
    const told = this.#unsent;
    if (told.length === 0) return;
    this.#unsent = [];
    const { subject } = this;
    const last = told.findIndex((entry) => subject.isLast(entry));
    const entries = last < 0 ? told : told.slice(0, last + 1);
    const bytes = this.#encode(entries);
    const first = subject.countOf(entries[0]!);
    for (const reader of this.readers) {
      // A store may be ahead of what it tells: then its beginning has had some of it.
      const ahead = reader.after >= first;
      reader.send(
        ahead ? this.#encode(entries.filter((entry) => subject.countOf(entry) > reader.after)) : bytes,
      );
      if (last >= 0) reader.end();
    }
  }

  #encode(entries: readonly Entry[]): Uint8Array {
    return encode(entries.map((entry) => withId(this.subject.idOf(entry), entry.text)).join(""));
  }

  add(reader: Reader): void {
    this.readers.add(reader);
    this.followed = true;
  }

  /** Always the oldest that it has. */
  forget(entry: Entry): void {
    this.#entries.shift();
    this.#since = entry.seq;
  }

  /** @param text the last event */
  end(text: string): void {
    const bytes = encode(text);
    for (const reader of this.readers) {
      reader.send(bytes);
      reader.end();
    }
  }
}
