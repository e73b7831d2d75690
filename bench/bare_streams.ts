/** The floor of what a stream costs: Deno.serve with a body that never ends, and nothing else. */
const hello = new TextEncoder().encode("retry: 2000\n\n");

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), onListen() {} }, ({ url }) => {
  if (!url.endsWith("/stream")) return new Response("ok");
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(hello) });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
});
