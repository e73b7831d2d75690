import assert from "node:assert/strict";
import fc from "fast-check";
import { AllowList, deniedTargets, parseAllowList, target, targetFlaw } from "../../../tasks/mod.ts";

const NOTHING = AllowList.NOTHING;

Deno.test("URLs of public web servers have no flaw", () => {
  for (
    const url of [
      ...[
        "https://example.com/hook?x=1#y",
        "http://example.com",
        "https://bücher.example/",
        "HTTPS://EXAMPLE.COM:443/",
      ],
      ...[
        "http://example.com:8080/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "http://intranet/",
      ],
    ]
  ) assert.equal(targetFlaw(url, NOTHING), undefined, url);
});

const PRIVATE = /address that is not public/;
for (
  const [url, flaw] of [
    ["", /absolute URL/],
    ["/hook", /absolute URL/],
    ["https://", /absolute URL/],
    ["http://[fe80::1%25eth0]/", /absolute URL/],
    ["ftp://example.com/", /begin with/],
    ["file:///etc/passwd", /begin with/],
    ["data:text/plain,x", /begin with/],
    ["javascript:alert(1)", /begin with/],
    ["gopher://127.0.0.1:6379/_x", /begin with/],
    ["https://user@example.com/", /user or a password/],
    ["https://:secret@example.com/", /user or a password/],
    ["https://example.com@127.0.0.1/", /user or a password/],
    [`https://example.com/${"x".repeat(2_048)}`, /2048 characters/],
    ["http://localhost/", PRIVATE],
    ["http://LOCALHOST./", PRIVATE],
    ["http://any.localhost:8080/", PRIVATE],
    ["http://127.0.0.1/", PRIVATE],
    ["http://2130706433/", PRIVATE],
    ["http://0x7f.1/", PRIVATE],
    ["http://0177.0.0.1/", PRIVATE],
    ["http://0/", PRIVATE],
    ["http://①②⑦.0.0.1/", PRIVATE],
    ["http://169.254.169.254/latest/meta-data/", PRIVATE],
    ["http://[::1]/", PRIVATE],
    ["http://[::]/", PRIVATE],
    ["http://[::ffff:10.0.0.1]/", PRIVATE],
    ["http://[64:ff9b::169.254.169.254]/", PRIVATE],
    ["http://[2002:7f00:1::]/", PRIVATE],
    ["http://[2001:0:7f00:1::]/", PRIVATE],
    ["http://[fd00:ec2::254]/", PRIVATE],
    ["http://example.com:22/", /port/],
    ["http://example.com:25/", /port/],
    ["http://example.com:0/", /port/],
    ["https://example.com:6379/", /port/],
    ["https://example.com:11211/", /port/],
  ] as const
) {
  Deno.test(`a URL such as ${url.slice(0, 60) || "nothing"} is refused`, () => {
    assert.match(targetFlaw(url, NOTHING) ?? "no flaw", flaw);
  });
}

Deno.test("what EGRESS_ALLOW admits has no flaw, at any port", () => {
  const allow = parseAllowList("127.0.0.0/8, build.internal");
  for (
    const url of [
      "http://127.0.0.1:22/",
      "http://localhost:9/",
      "https://build.internal./",
      "http://0x7f.1:25",
    ]
  ) {
    assert.equal(targetFlaw(url, allow), undefined, url);
  }
  for (const url of ["http://10.0.0.1/", "http://[::1]/", "ftp://build.internal/", "http://u@localhost/"]) {
    assert.ok(targetFlaw(url, allow), url);
  }
});

Deno.test("whatever a URL is, judging it throws nothing", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.webUrl({ withQueryParameters: true }),
    fc.webAuthority(),
  );
  fc.assert(fc.property(text, (text) => {
    for (const url of [text, `http://${text}`]) {
      const flaw = targetFlaw(url, NOTHING);
      assert.ok(flaw === undefined ? /^https?:/.test(new URL(url).protocol) : flaw.startsWith("must "));
    }
  }));
});

Deno.test("the schema says what is wrong, and that it is the target", () => {
  const { error } = target.safeParse("http://127.0.0.1/");
  const [issue] = error!.issues;
  assert.match(issue!.message, PRIVATE);
  assert.deepEqual(issue!.code === "custom" && issue!.params, { problem: "target-not-allowed" });
});

/** Whether a runner with this `--deny-net` would open a connection there: asked of the runtime itself. */
async function denied(allow: AllowList, addresses: readonly string[]): Promise<string[]> {
  const code = `for (const hostname of ${JSON.stringify(addresses)}) {
    const { state } = await Deno.permissions.query({ name: "net", host: hostname.includes(":") ? "[" + hostname + "]" : hostname });
    if (state !== "granted") console.log(hostname);
  }`;
  const args = [
    "run",
    "--no-config",
    "--no-prompt",
    "--allow-net",
    `--deny-net=${deniedTargets(allow)}`,
    "-",
  ];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { stdout, stderr, success } = await child.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter(Boolean);
}

Deno.test("the second wall denies what is not public, and nothing that EGRESS_ALLOW admits", async () => {
  const own = ["127.0.0.1", "10.0.0.1", "10.1.2.3", "192.168.1.1", "172.31.0.1", "100.64.0.1", "::1"];
  const never = [
    "0.0.0.0",
    "169.254.169.254",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fd00:ec2::254",
  ];
  const open = ["8.8.8.8", "172.32.0.1", "2606:4700::1111"];
  const all = [...own, ...never, ...open];
  assert.deepEqual(await denied(NOTHING, all), [...own, ...never]);
  const range = parseAllowList("10.1.0.0/16,127.0.0.1,::1")!;
  assert.deepEqual(await denied(range, all), [
    ...["10.0.0.1", "192.168.1.1", "172.31.0.1", "100.64.0.1"],
    ...never,
  ]);
  // Whose addresses nobody knows.
  assert.deepEqual(await denied(parseAllowList("ci.example.org")!, all), never);
});
