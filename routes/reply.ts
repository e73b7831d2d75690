/** Where the API is described (RFC 8631); on answers where a few more bytes do not matter. */
export const SERVICE_DESC = { link: '</openapi.json>; rel="service-desc"' } as const;

/** A JSON answer. Built directly, since every detour counts where tasks are accepted. */
export function reply(status: number, json: string, headers?: Readonly<Record<string, string>>): Response {
  return new Response(json, {
    status,
    headers: { "content-type": "application/json", "x-content-type-options": "nosniff", ...headers },
  });
}

/** An answer without a body. */
export function replyEmpty(status: 204 | 304, headers?: Readonly<Record<string, string>>): Response {
  return new Response(null, { status, headers: { "x-content-type-options": "nosniff", ...headers } });
}
