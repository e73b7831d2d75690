import assert from "node:assert/strict";
import fc from "fast-check";
import { NEVER, PRIVATE, reachOf } from "../../../tasks/lib/egress/address.ts";
import { AllowList, parseAllowList } from "../../../tasks/lib/egress/allow.ts";
import { parseRange, Ranges, without } from "../../../tasks/lib/egress/range.ts";
import { targetFlaw } from "../../../tasks/lib/egress/target.ts";

const dotted = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join(".");
const v4 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
const hex = (list: readonly number[]) => list.map((group) => group.toString(16)).join(":");

/** An address of a range, its further bits by chance. */
function within(text: string): fc.Arbitrary<string> {
  const { address, prefix } = parseRange(text)!;
  const start = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return fc.integer({ min: 0, max: 2 ** (32 - prefix) - 1 }).map((offset) => dotted(start + offset));
}

// By hand, from the registries, and not from the table that is tested.
const UNREACHABLE = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"],
  ...["192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "168.63.129.16/32"],
];

Deno.test("no address of a special range is public, nor any IPv6 address that leads to one", () => {
  for (const range of UNREACHABLE) {
    fc.assert(
      fc.property(within(range), (address) => {
        assert.notEqual(reachOf(address), "public", address);
        for (const start of ["::ffff:", "64:ff9b::"]) {
          assert.equal(reachOf(start + address), reachOf(address));
        }
      }),
      { numRuns: 50 },
    );
  }
});

Deno.test("the neighbours of special ranges are public", () => {
  for (
    const address of [
      ...[
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
      ],
      ...["169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0"],
      ...["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "8.8.8.8"],
      ...[
        "2001:200::1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2003::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
      ],
    ]
  ) assert.equal(reachOf(address), "public", address);
});

Deno.test("IPv6 addresses that are local, metadata, groups, reserved or hide another address are not public", () => {
  for (
    const address of [
      ...[
        "::",
        "::1",
        "::7f00:1",
        "::ffff:0:127.0.0.1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
      ],
      ...["fd00:ec2::254", "fd20:ce::254", "2001::1", "2001:0:4136:e378::1", "2001:db8::1", "2002:7f00:1::"],
      ...["2002:808:808::1", "3fff::1", "100::1", "64:ff9b:1::7f00:1", "5f00::1", "4000::1"],
      ...[
        "2606:4700::1111%eth0",
        "fe80::1%1",
        "fc00::1%lo",
        "",
        "localhost",
        "1.2.3",
        "010.0.0.1",
        "1.2.3.4 ",
      ],
    ]
  ) assert.notEqual(reachOf(address), "public", address);
});

Deno.test("outside of 2000::/3 no IPv6 address is public, unless it embeds a public IPv4 address", () => {
  fc.assert(fc.property(groups, ([first = 0, ...rest]) => {
    fc.pre(first < 0x2000 || first > 0x3fff);
    assert.notEqual(reachOf(hex([first, ...rest])), "public");
  }));
});

Deno.test("an IPv4 address is judged alike in whichever form a URL holds it", () => {
  const odd = UNREACHABLE.map(within);
  fc.assert(
    fc.property(fc.oneof(v4.map(dotted), ...odd), (address) => {
      const octets = address.split(".").map(Number) as [number, number, number, number];
      const [a, b, c, d] = octets;
      const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
      const forms = [
        ...[`${number}`, `0x${number.toString(16)}`, `0${number.toString(8)}`],
        ...[
          `${a}.${(b * 256 + c) * 256 + d}`,
          `${a}.${b}.${c * 256 + d}`,
          `0x${a.toString(16)}.${b}.${c}.${d}`,
        ],
        ...[octets.map((octet) => `0${octet.toString(8)}`).join("."), `${address}.`],
        ...[`[::ffff:${address}]`, `[64:ff9b::${address}]`, `[0:0:0:0:0:ffff:${address}]`],
        ...[
          address.replaceAll(".", "。"),
          address.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + +digit)),
        ],
        address.replace(/\d/, (digit) => `%3${digit}`),
      ];
      const plain = targetFlaw(`http://${address}/`, AllowList.NOTHING);
      assert.equal(plain === undefined, reachOf(address) === "public");
      for (const form of forms) assert.equal(targetFlaw(`https://${form}/x`, AllowList.NOTHING), plain, form);
    }),
    { numRuns: 500 },
  );
});

Deno.test("ranges: what is left of one without others is exactly that, in pieces that do not overlap", () => {
  // Few bits that differ, so that ranges often meet.
  const bits = fc.integer({ min: 16, max: 30 });
  const range = fc.tuple(fc.integer({ min: 0, max: 2 ** 16 - 1 }), bits)
    .map(([low, prefix]) => ({ address: dotted(10 * 2 ** 24 + low), prefix }));
  fc.assert(fc.property(range, fc.array(range, { maxLength: 4 }), fc.array(range), (whole, holes, probes) => {
    const left = without(whole, holes).map((piece) => new Ranges([piece]));
    const [inside, outside] = [new Ranges([whole]), new Ranges(holes)];
    for (const { address } of [...probes, whole, ...holes]) {
      const pieces = left.filter((piece) => piece.has(address)).length;
      assert.equal(pieces, inside.has(address) && !outside.has(address) ? 1 : 0, address);
    }
  }));
});

Deno.test("ranges: an IPv4 range holds the addresses of IPv6 that lead into it, and no others", () => {
  const [ten] = [new Ranges([parseRange("10.1.0.0/16")!])];
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "64:ff9b::a01:203"]) {
    assert.ok(ten.has(address), address);
  }
  for (
    const address of ["10.2.0.0", "::ffff:10.2.0.0", "64:ff9b::a02:0", "::10.1.2.3", "64:ff9b:1::a01:203"]
  ) {
    assert.ok(!ten.has(address), address);
  }
});

Deno.test("EGRESS_ALLOW is a list of addresses, ranges and names", () => {
  const allow = parseAllowList(" 10.1.0.0/16, fd12::/16,192.168.1.7 , CI.example.org,localhost,db_1")!;
  assert.deepEqual(allow.names, ["ci.example.org", "localhost", "db_1"]);
  for (const address of ["10.1.255.255", "fd12::9", "192.168.1.7"]) {
    assert.ok(allow.admits("x", address), address);
  }
  for (const address of ["10.2.0.1", "fd13::9", "192.168.1.8", "10.1.0.1%1"]) {
    assert.ok(!allow.admits("x", address));
  }
  for (
    const wrong of [
      "",
      ",",
      "10.0.0.0/33",
      "10.0.0/8",
      "fd::/129",
      "http://x",
      "x:80",
      "*.x",
      "1.2.3.256",
      "a b",
    ]
  ) {
    assert.equal(parseAllowList(wrong), undefined, wrong);
  }
});

Deno.test("a name that is admitted may lead to private addresses, but never to metadata", () => {
  const allow = parseAllowList("ci.example.org")!;
  assert.ok(allow.admits("ci.example.org", "10.0.0.1"));
  assert.ok(allow.admits("ci.example.org", "127.0.0.1"));
  assert.ok(!allow.admits("other.example.org", "10.0.0.1"));
  for (
    const address of [
      "169.254.169.254",
      "100.100.100.200",
      "fd00:ec2::254",
      "::ffff:169.254.169.254",
      "0.0.0.0",
    ]
  ) {
    assert.ok(!allow.admits("ci.example.org", address), address);
  }
  assert.ok(
    parseAllowList("169.254.169.254")!.admits("x", "169.254.169.254"),
    "a range says exactly what it means",
  );
});

Deno.test("the tables are ranges, each entry of them", () => {
  for (const { address, prefix } of [...NEVER, ...PRIVATE]) {
    assert.deepEqual(parseRange(`${address}/${prefix}`), { address, prefix });
  }
});
