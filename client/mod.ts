/** A client of Errand, made of web standards alone: for Deno, Node from 20, and browsers. */
export { Batch, type BatchEvent, type BatchView } from "./batch.ts";
export {
  type AnyEvent,
  type BatchOptions,
  createClient,
  ErrandClient,
  type ListOptions,
  type SubmitOptions,
} from "./client.ts";
export type { EventOptions } from "./events.ts";
export type { FileContent, UploadOptions } from "./files.ts";
export type { ClientOptions } from "./http.ts";
export { ErrandProblem } from "./problem.ts";
export { Task, UnsuccessfulTask } from "./task.ts";
export type {
  AnyTasks,
  BuiltInTasks,
  Draft,
  FileView,
  FinalView,
  InputOf,
  LogLine,
  Progress,
  ResultOf,
  Status,
  TaskEvent,
  TaskMap,
  TaskSettings,
  TaskView,
  TypeView,
} from "./types.ts";
export type { WaitOptions } from "./wait.ts";
