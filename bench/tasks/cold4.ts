/** A type of its own, so that its first task finds no runner. */
export { default } from "./noop.ts";
