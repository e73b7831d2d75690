/**
 * A wall whose runs have files. Before a run goes through, the files that its input names are linked into its runner's
 * folder; when it is done, those that its result names are kept. So no byte of them passes through this process on
 * the way in, and on the way out each is read once. Whoever uses the wall notices nothing but the time that it takes.
 */
import type { FileFault, Files } from "../queue/files/files.ts";
import type { Task } from "../queue/task.ts";
import { filesNamedIn } from "../tasks/mod.ts";
import { type Failed, MADE_MAX, type Order, type Report } from "./messages.ts";
import type { Death, Wall, WallEar } from "./process.ts";
import { RunFolder } from "./run_folder.ts";

const LOOK_EVERY = 1_000;

export interface FileWallOptions {
  readonly files: Files;
  /** Where the folders of runners are. */
  readonly home: string;
  /** Builds the wall itself. */
  readonly raise: (folder: RunFolder, ear: WallEar) => Wall;
}

interface Made {
  readonly id: string;
  readonly name: string | undefined;
  readonly contentType: string;
}

interface Run {
  readonly task: Task;
  readonly made: Made[];
  /** It is asked to stop before it went through, or what it has made is being kept. */
  state: "preparing" | "unwanted" | "running" | "keeping";
}

type Done = Extract<Report, ["done", ...unknown[]]>;

export class FileWall implements Wall {
  readonly #folder: RunFolder;
  readonly #files: Files;
  readonly #ear: WallEar;
  readonly #wall: Wall;
  readonly #runs = new Map<number, Run>();
  /** What is being done in the folder. */
  readonly #busy = new Set<Promise<void>>();
  readonly #timer: ReturnType<typeof setInterval>;
  #looking = false;

  constructor({ files, home, raise }: FileWallOptions, ear: WallEar) {
    this.#files = files;
    this.#ear = ear;
    this.#folder = new RunFolder(`${home}/${crypto.randomUUID()}`);
    this.#wall = this.#raise(raise);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    Deno.unrefTimer(this.#timer);
  }

  send(order: Order, task?: Task): void {
    if (order[0] === "run" && task) {
      this.#runs.set(order[1], { task, made: [], state: "preparing" });
      return this.#do(this.#prepare(order));
    }
    const run = order[0] === "stop" || order[0] === "abandon" ? this.#runs.get(order[1]) : undefined;
    if (run?.state === "preparing") run.state = "unwanted";
    else this.#wall.send(order);
  }

  kill(death?: Death): void {
    this.#wall.kill(death);
  }

  close(): void {
    this.#wall.close();
  }

  #raise(raise: FileWallOptions["raise"]): Wall {
    const died: WallEar["died"] = (death, lastWords) => {
      clearInterval(this.#timer);
      this.#ear.died(death, lastWords);
      Promise.allSettled(this.#busy).then(() => this.#folder.remove());
    };
    try {
      this.#folder.create();
    } catch {
      const death: Death = {
        code: "worker_lost",
        message: "The runner did not start: no room for its files.",
      };
      setImmediate(() => died(death));
      return { send() {}, kill() {}, close() {} };
    }
    return raise(this.#folder, { heard: (reports) => this.#hear(reports), died });
  }

  #do(work: Promise<void>): void {
    this.#busy.add(work);
    work.finally(() => this.#busy.delete(work));
  }

  async #prepare(order: Extract<Order, ["run", ...unknown[]]>): Promise<void> {
    const key = order[1];
    const run = this.#runs.get(key)!;
    const { owner, input } = run.task;
    try {
      await this.#folder.begin(key);
      for (const id of new Set(filesNamedIn(JSON.parse(input)).map(({ id }) => id))) {
        const file = await this.#files.link(owner, id, this.#folder.given(key, id));
        if (file === undefined) return this.#end(["fail", key, missing(id)]);
        await this.#folder.describe(key, id, { name: undefined, ...file });
      }
    } catch (error) {
      return this.#end(["fail", key, failedBy(error)]);
    }
    if (run.state === "unwanted") return this.#end(["released", [key], "unstarted"]);
    run.state = "running";
    this.#wall.send(order);
  }

  #hear(reports: readonly Report[]): void {
    const passed: Report[] = [];
    for (const report of reports) {
      const run = typeof report[1] === "number" ? this.#runs.get(report[1]) : undefined;
      // It has said its last word.
      if (run?.state === "keeping") continue;
      if (report[0] === "made" && run) this.#note(run, report[2], report[3], report[4]);
      else if (report[0] === "done" && run && run.made.length > 0) {
        run.state = "keeping";
        this.#do(this.#keep(report, run));
      } else {
        passed.push(report);
        if (report[0] === "done" || report[0] === "fail") this.#forget(report[1]);
        else if (report[0] === "released") report[1].forEach((key) => this.#forget(key));
      }
    }
    if (passed.length > 0) this.#ear.heard(passed);
  }

  #note({ made }: Run, id: string, name: string | null, contentType: string): void {
    if (made.push({ id, name: name ?? undefined, contentType }) <= MADE_MAX) return;
    this.kill({ code: "protocol_violation", message: "Too many files." });
  }

  async #keep(done: Done, { task, made }: Run): Promise<void> {
    const [, key, result] = done;
    try {
      const pathOf = await this.#folder.take(key);
      if (pathOf === undefined) return this.#end(["fail", key, FAULTS["not-a-file"]]);
      for (const about of made) {
        // The others were for its own use.
        if (!result.includes(about.id)) continue;
        await this.#files.adopt(task.owner, pathOf(about.id), { ...about, task: task.id });
      }
      this.#end(done);
    } catch (error) {
      this.#end(["fail", key, failedBy(error)]);
    }
  }

  #end(report: Exclude<Report, ["condemned", ...unknown[]]>): void {
    if (report[0] === "released") report[1].forEach((key) => this.#forget(key));
    else if (typeof report[1] === "number") this.#forget(report[1]);
    this.#ear.heard([report]);
  }

  #forget(key: number): void {
    if (this.#runs.delete(key)) this.#do(this.#folder.remove(key));
  }

  /** Who fills the disk past its harness is ended, and with it its runner. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { fileMax } = this.#files;
    for (const [key, run] of this.#runs) {
      if (run.state !== "running" || !await this.#folder.exceeds(key, fileMax)) continue;
      // It may have ended meanwhile.
      if (this.#runs.get(key)?.state !== "running") continue;
      const message = `The task's files take more than ${fileMax} bytes.`;
      this.#forget(key);
      this.#ear.heard([
        ["fail", key, { code: "result_too_large", message, retryable: false }],
        ["condemned", "result_too_large", message, []],
      ]);
    }
    this.#looking = false;
  }
}

function missing(id: string): Failed {
  return {
    code: "file_missing",
    message: `The file ${id}, which the input names, is gone.`,
    retryable: false,
  };
}

const FAULTS: Readonly<Record<FileFault, Failed>> = {
  "too-large": {
    code: "result_too_large",
    message: "A file that the task has made is too large.",
    retryable: false,
  },
  "no-room": {
    code: "insufficient_storage",
    message: "There is no room for the task's files.",
    retryable: true,
  },
  "not-a-file": {
    code: "invalid_result",
    message: "What the task has made is not a plain file.",
    retryable: false,
  },
  // Nothing here removes files.
  "in-use": { code: "files_unavailable", message: "A file is in use.", retryable: true },
};

function failedBy(error: unknown): Failed {
  const { fault } = error as { fault?: FileFault };
  if (fault !== undefined) return FAULTS[fault];
  const stack = error instanceof Error ? error.stack : String(error);
  const message = "The task's files could not be read or kept.";
  return { code: "files_unavailable", message, retryable: true, stack: stack?.slice(0, 2_000) };
}
