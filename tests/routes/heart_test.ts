import assert from "node:assert/strict";
import { mock } from "node:test";
import { Heart } from "../../routes/events/heart.ts";
import { Reader } from "../../routes/events/reader.ts";

/** Counts what is sent to it. */
class Counted extends Reader {
  sent: string[] = [];

  constructor() {
    super(() => {});
  }

  override send(bytes: Uint8Array): void {
    this.sent.push(new TextDecoder().decode(bytes));
  }
}

Deno.test("every reader hears a comment every 15 seconds, and never many of them at once", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const heart = new Heart();
    const readers = Array.from({ length: 600 }, () => new Counted());
    const ends = readers.map((reader) => heart.add(reader));
    assert.equal(heart.size, 600);
    const sent = () => readers.reduce((sum, { sent }) => sum + sent.length, 0);
    for (let turn = 1; turn <= 60; turn++) {
      mock.timers.tick(250);
      assert.equal(sent(), turn * 10);
    }
    for (const reader of readers) assert.deepEqual(reader.sent, [":\n\n"]);
    for (const end of ends) end();
    mock.timers.tick(15_000);
    assert.deepEqual([heart.size, sent()], [0, 600]);
  } finally {
    mock.timers.reset();
  }
});
