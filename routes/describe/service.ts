import { json, type Operation } from "./operation.ts";

export const SERVICE: readonly Operation[] = [
  {
    method: "get",
    path: "/v1/types",
    id: "listTypes",
    tag: "service",
    summary: "The task types, with their schemas",
    answers: {
      200: { description: "All, the unavailable ones too.", headers: ["Link"], content: json("Types") },
    },
  },
  {
    method: "get",
    path: "/v1/stats",
    id: "getStats",
    tag: "service",
    summary: "How many tasks there are",
    answers: { 200: { description: "Counts.", headers: ["Cache-Control"], content: json("Stats") } },
  },
  {
    method: "get",
    path: "/livez",
    id: "isAlive",
    tag: "service",
    summary: "Whether the process answers",
    answers: { 200: { description: "It does.", headers: ["Cache-Control", "Link"], content: json("Alive") } },
  },
  {
    method: "get",
    path: "/readyz",
    id: "isReady",
    tag: "service",
    summary: "Whether work should be sent here",
    answers: {
      200: { description: "It should.", headers: ["Cache-Control"], content: json("Readiness") },
      503: {
        description: "It should not: the service is draining, or cannot run tasks.",
        headers: ["Cache-Control"],
        content: json("Readiness"),
      },
    },
  },
];
