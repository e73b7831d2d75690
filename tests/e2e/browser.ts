/** A real Chromium, for tests of what the service shows to people. */
import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";

const CHROMIUM = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
/** Without a sandbox, as tests may run as root; without talks to its maker. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Visitor implements AsyncDisposable {
  /** All that pages complained of: violations of their policy, errors, requests to other servers or in vain. */
  readonly complaints: string[] = [];

  private constructor(readonly browser: Browser, readonly page: Page, readonly origin: string) {
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("requestfailed", (request) => this.complaints.push(`failed: ${request.url()}`));
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()}: ${response.url()}`);
    });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:" && origin !== this.origin) this.complaints.push(`elsewhere: ${request.url()}`);
    });
  }

  static async start(origin: string): Promise<Visitor> {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.addInitScript(
      `addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        console.error("policy: " + violatedDirective + " " + blockedURI))`,
    );
    return new Visitor(browser, page, origin);
  }

  /** @returns the page's status */
  async open(path: string): Promise<number> {
    const response = await this.page.goto(this.origin + path);
    return response!.status();
  }

  /** What the style of the first such element comes to, as the browser writes it. */
  async style(selector: string, property: string): Promise<string> {
    const element = `document.querySelector(${JSON.stringify(selector)})`;
    return await this.page.evaluate(`getComputedStyle(${element})[${JSON.stringify(property)}]`);
  }

  /** Fails where anything was complained of. */
  content(): void {
    assert.deepEqual(this.complaints, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }
}
