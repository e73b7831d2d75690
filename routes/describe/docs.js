/* The page /docs, in the browser. The script before this one defines SwaggerUIBundle. */
globalThis.SwaggerUIBundle({
  dom_id: "#docs",
  // Absolute: of a relative one it resolves no references within the document.
  url: new URL("openapi.json", location.href).href,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // It would ask a server on the internet.
  validatorUrl: null,
});
