import { json, type Operation, TEXT } from "./operation.ts";
import { IF_NONE_MATCH, type Parameter } from "./parameters.ts";

const HTML = { "text/html": TEXT };

const ACCEPT: Parameter = {
  name: "Accept",
  in: "header",
  description: "HTML, or JSON.",
  schema: TEXT,
  example: "application/json",
};

/** The routes that describe the others. */
export const DESCRIPTION: readonly Operation[] = [
  {
    method: "get",
    path: "/",
    id: "getIndex",
    tag: "description",
    summary: "Where to begin",
    parameters: [ACCEPT],
    answers: {
      200: { description: "Links.", headers: ["Link", "Vary"], content: { ...json("Index"), ...HTML } },
    },
  },
  {
    method: "get",
    path: "/openapi.json",
    id: "getOpenApi",
    tag: "description",
    summary: "This document",
    parameters: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "OpenAPI 3.1.",
        headers: ["ETag", "Cache-Control"],
        content: { "application/json": { type: "object" } },
      },
      304: { description: "It is still the one that one has.", headers: ["ETag", "Cache-Control"] },
    },
  },
  {
    method: "get",
    path: "/docs",
    id: "getDocs",
    tag: "description",
    summary: "This document, to read and to try out",
    answers: { 200: { description: "A page.", headers: ["Link"], content: HTML } },
  },
  {
    method: "get",
    path: "/docs/{asset}",
    id: "getDocsAsset",
    tag: "description",
    summary: "What the pages are made of",
    parameters: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "A style sheet or a script.",
        headers: ["ETag", "Cache-Control"],
        content: { "text/css": TEXT, "text/javascript": TEXT },
      },
      304: { description: "It is still the one that one has.", headers: ["ETag", "Cache-Control"] },
    },
    problems: ["not-found"],
  },
  {
    method: "get",
    path: "/problems",
    id: "listProblems",
    tag: "description",
    summary: "All problems",
    parameters: [ACCEPT],
    answers: {
      200: {
        description: "What each means.",
        headers: ["Link", "Vary"],
        content: { ...HTML, ...json("ProblemMeanings") },
      },
    },
  },
  {
    method: "get",
    path: "/problems/{code}",
    id: "getProblem",
    tag: "description",
    summary: "What a problem means, and what to do",
    parameters: [ACCEPT],
    answers: {
      200: {
        description: "In prose.",
        headers: ["Link", "Vary"],
        content: { ...HTML, ...json("ProblemMeaning") },
      },
    },
    problems: ["not-found"],
  },
];
