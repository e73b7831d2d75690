import type { Change } from "../../queue/events.ts";
import type { Store } from "../../queue/store.ts";
import type { Caller } from "../admit.ts";
import { whenAborted } from "../endings.ts";
import { rateLimited, type Streams } from "../rate.ts";
import { replyEmpty } from "../reply.ts";
import { Heart } from "./heart.ts";
import { Journal } from "./journal.ts";
import { keysOf } from "./keys.ts";
import { Reader } from "./reader.ts";
import { toldOf } from "./told.ts";
import { encode, type Subject, Topic } from "./topic.ts";

export interface FeedOptions {
  readonly store: Pick<Store, "subscribe">;
  /** Where the service is mounted. */
  readonly base?: string;
  /** How many a key may have. */
  readonly streams: Streams;
  /** Streams at most. */
  readonly streamsMax: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** When it aborts all streams end. */
  readonly drain?: AbortSignal;
}

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Proxies of nginx's kind would hold events back.
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};
/** Milliseconds after which a client comes back, in general and while the service is being replaced. */
const RETRY = "retry: 2000\n\n";
const RETRY_LATER = "retry: 5000\n\n";
/** What nobody follows any more is kept up for so long, and for so many topics, for those who come back. */
const KEPT_FOR = 60_000;
const MAX_KEPT = 10_000;
/** Seconds after which another stream may have ended. */
const FULL_WAIT = 5;

/**
 * All streams of events. However many they are, there is one subscription to the store, one timer, and each event is
 * rendered once; while nobody follows anything there is nothing of it. What nobody follows is not even looked at.
 */
export class Feed {
  /** What all streams have been told. */
  readonly journal = new Journal();
  readonly #options: FeedOptions;
  readonly #topics = new Map<string, Topic>();
  /** Those that nobody follows any more, in the order in which they were left. */
  readonly #left = new Set<Topic>();
  readonly #heart = new Heart();
  #unsubscribe: (() => void) | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    whenAborted(options.drain, () => this.#drain());
  }

  /** Streams that are open. */
  get size(): number {
    return this.#heart.size;
  }

  /**
   * A stream of what happens to the subject, from where the client was.
   *
   * @throws {Problem} `rate-limited`; and what the subject throws
   */
  async answer(request: Request, caller: Caller, subject: Subject): Promise<Response> {
    const { streams, streamsMax, drain } = this.#options;
    if (this.size >= streamsMax) throw rateLimited("There are too many streams open.", FULL_WAIT);
    using held = new DisposableStack();
    held.defer(streams.take(caller));
    const topic = this.#topic(subject);
    held.defer(() => this.#came(topic));
    const beginning = await subject.begin(topic, request.headers.get("last-event-id") ?? "");
    if (beginning === undefined) return replyEmpty(204);
    // A HEAD's answer would be thrown away by the router, and its stream would never end.
    if (request.method === "HEAD") return new Response(null, { headers: HEADERS });

    const ended = held.move();
    const reader = new Reader(() => ended.dispose());
    const over = beginning.over || drain?.aborted || caller.signal?.aborted;
    reader.after = beginning.count;
    reader.send(encode((drain?.aborted ? RETRY_LATER : RETRY) + beginning.text));
    if (over) reader.end();
    else {
      topic.add(reader);
      ended.defer(() => topic.readers.delete(reader));
      ended.defer(this.#heart.add(reader));
      ended.defer(whenAborted(caller.signal, () => reader.end()));
      // It may have ended between the look and now.
      if (subject.over) this.#endIfOver(topic);
    }
    return new Response(reader.body, { headers: HEADERS });
  }

  /** The subject's topic, which is told of everything from now on. */
  #topic(subject: Subject): Topic {
    this.#unsubscribe ??= this.#options.store.subscribe((changes) => this.#heard(changes));
    let topic = this.#topics.get(subject.key);
    if (topic === undefined) this.#topics.set(subject.key, topic = new Topic(subject, this.journal));
    topic.coming++;
    this.#left.delete(topic);
    return topic;
  }

  /** One who came for the topic has left. */
  #came(topic: Topic): void {
    if (--topic.coming > 0) return;
    if (!topic.followed) return this.#forget(topic);
    topic.leftAt = this.#options.now();
    this.#left.add(topic);
    if (this.#left.size > MAX_KEPT) this.#forget(this.#left.values().next().value!);
  }

  #heard(changes: readonly Change[]): void {
    this.#forgetLeft();
    const touched = new Set<Topic>();
    const ending = new Set<Topic>();
    for (const change of changes) {
      const topics = keysOf(change.task).flatMap((key) => this.#topics.get(key) ?? []);
      if (topics.length === 0) continue;
      for (const told of toldOf(change, this.#options.base)) {
        const entry = this.journal.add(told, topics);
        for (const topic of topics) {
          topic.tell(entry);
          touched.add(topic);
          if (told.final && topic.subject.over) ending.add(topic);
        }
      }
    }
    for (const topic of touched) topic.send();
    for (const topic of ending) this.#endIfOver(topic);
  }

  async #endIfOver(topic: Topic): Promise<void> {
    if (topic.readers.size === 0) return;
    try {
      const text = await topic.subject.over?.();
      if (text !== undefined) topic.end(text);
    } catch {
      // The store failed. They come back and see.
      for (const reader of topic.readers) reader.end();
    }
  }

  /** Done when something happens, so that it needs no timer. */
  #forgetLeft(): void {
    const before = this.#options.now() - KEPT_FOR;
    for (const topic of this.#left) {
      if (topic.leftAt > before) return;
      this.#forget(topic);
    }
  }

  #forget(topic: Topic): void {
    this.#left.delete(topic);
    this.#topics.delete(topic.subject.key);
    if (this.#topics.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.journal.clear();
  }

  #drain(): void {
    const lastWords = encode(RETRY_LATER);
    for (const reader of [...this.#heart.readers()]) {
      reader.send(lastWords);
      reader.end();
    }
  }
}
