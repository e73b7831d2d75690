import { type Answer, json, type Operation } from "./operation.ts";
import { CONTENT_DISPOSITION, IF_NONE_MATCH, IF_RANGE, RANGE } from "./parameters.ts";

/** Whatever it is. */
const BYTES = { "*/*": {} };

const PART: Answer = {
  description: "The bytes that were asked for.",
  headers: ["ETag", "Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Range"],
  content: BYTES,
};

const UNCHANGED: Answer = {
  description: "It is the one that one has.",
  headers: ["ETag", "Accept-Ranges", "Cache-Control"],
};

/** What the answers that a file can be given in have in common, besides the whole of it. */
export const DOWNLOAD = {
  parameters: [RANGE, IF_RANGE, IF_NONE_MATCH],
  answers: { 206: PART, 304: UNCHANGED },
  problems: ["range-not-satisfiable"],
} as const;

export const FILES: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/files",
    id: "uploadFile",
    tag: "files",
    summary: "Upload a file",
    description: "The raw bytes. An input names the file by its id; it is kept while a task uses it.",
    parameters: [CONTENT_DISPOSITION],
    body: { content: { "*/*": {} } },
    answers: { 201: { description: "It is kept.", headers: ["Location"], content: json("File") } },
    problems: [
      "request-timeout",
      "length-required",
      "body-too-large",
      "unsupported-media-type",
      "draining",
      "insufficient-storage",
    ],
  },
  {
    method: "get",
    path: "/v1/files/{id}",
    id: "getFile",
    tag: "files",
    summary: "Download a file, or a part of it",
    parameters: DOWNLOAD.parameters,
    answers: {
      200: {
        description: "All of it, as it was uploaded.",
        headers: ["ETag", "Accept-Ranges", "Cache-Control", "Content-Disposition"],
        content: BYTES,
      },
      ...DOWNLOAD.answers,
    },
    problems: ["file-not-found", ...DOWNLOAD.problems],
  },
  {
    method: "delete",
    path: "/v1/files/{id}",
    id: "deleteFile",
    tag: "files",
    summary: "Forget a file",
    answers: { 204: { description: "It is gone." } },
    problems: ["file-not-found", "file-in-use"],
  },
];
