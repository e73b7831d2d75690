import type { Hono } from "hono";
import { z } from "zod";
import type { TaskType } from "../tasks/lib/registry.ts";
import type { AppDeps } from "./deps.ts";
import { reply, SERVICE_DESC } from "./reply.ts";

/** `GET /v1/types`: what can be submitted. Written once, and anew while a type is found not to run. */
export function mountTypes(app: Hono, { registry, admit, health }: AppDeps): void {
  const types = [...registry.values()].map(describe);
  const usual = JSON.stringify({ types });
  app.get("/v1/types", (c) => {
    admit(c.req.raw);
    const broken = health.broken?.();
    return reply(
      200,
      broken?.size ? JSON.stringify({ types: types.map(told(broken)) }) : usual,
      SERVICE_DESC,
    );
  });
}

type Description = ReturnType<typeof describe>;

const told = (broken: ReadonlyMap<string, string>) => (description: Description): Description => {
  const unavailable = broken.get(description.type);
  return unavailable === undefined ? description : { ...description, available: false, unavailable };
};

function describe({ type, definition, unavailable }: TaskType) {
  return {
    type,
    description: definition?.description,
    available: definition !== undefined && unavailable === undefined,
    unavailable,
    isolation: definition?.isolation,
    concurrency: definition?.concurrency,
    timeout: definition && durationText(definition.timeout),
    maxAttempts: definition?.maxAttempts,
    input: definition && jsonSchema(definition.input, "input"),
    result: definition?.result && jsonSchema(definition.result, "output"),
  };
}

/** A schema as clients read it. */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): unknown {
  try {
    return z.toJSONSchema(schema, { io, unrepresentable: "any" });
  } catch {
    // A schema that cannot be described is still one that can be used.
    return {};
  }
}

function durationText(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}
