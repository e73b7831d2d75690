import { z } from "zod";
import { letter, Letters, personOf, recipient } from "./lib/bulk/letters.ts";
import { inFile, listed, PEOPLE_MAX, survey } from "./lib/bulk/people.ts";
import { Round } from "./lib/bulk/round.ts";
import { openPost, postPermissions } from "./lib/post.ts";
import { skipped } from "./lib/table/skipped.ts";
import { defineTask } from "./mod.ts";

export default defineTask({
  description:
    "Sends one e-mail to many, each with their own words in its places; resumes where it was interrupted.",
  input: letter.extend({
    recipients: z.array(recipient).min(1).max(PEOPLE_MAX).optional(),
    /** Instead: CSV with a column `address`, and perhaps `name`; each column fills the places of its name. */
    file: z.uuid().optional(),
    /** Mails a second at most. */
    perSecond: z.number().min(0.1).max(10_000).optional(),
  }).superRefine(({ recipients, file, ...common }, { addIssue }) => {
    const issue = (path: (string | number)[], message: string) => addIssue({ code: "custom", path, message });
    if ((recipients === undefined) === (file === undefined)) {
      issue(["recipients"], "must be given, or else file");
    }
    if (common.text === undefined && common.html === undefined) {
      issue(["text"], "must be given, where html is not");
    }
    const letters = new Letters(common);
    for (const [index, recipient] of (recipients ?? []).entries()) {
      const flaw = letters.flaw(personOf(recipient));
      if (flaw) issue(["recipients", index, flaw.path], flaw.message);
    }
  }).meta({
    examples: [{
      subject: "Your order, {{name}}",
      text: "Hello {{name|there}}, order {{order}} is on its way.",
      recipients: [{ address: "ada@example.com", name: "Ada", data: { order: 1815 } }],
      perSecond: 50,
    }],
  }),
  result: z.strictObject({
    /** That were accepted. */
    sent: z.int(),
    /** The first of those that were not. */
    rejected: z.array(z.strictObject({ address: z.string(), smtpCode: z.int(), message: z.string() })),
    rejectedCount: z.int(),
    /** They were sent the mail twice, because an attempt died while it was on its way: they may have two. */
    repeated: z.array(z.string()),
    /** The mail was handed over and not answered for: they may have it, or not. */
    unknown: z.array(z.string()),
    ...skipped.shape,
    /** Where nothing was sent: the mails are files in `DATA_DIR/outbox`. */
    outbox: z.literal(true).optional(),
  }),
  permissions: ({ env }) => postPermissions(env),
  files: true,
  isolation: "process",
  // They mostly wait, for the server or for their turn; one that lasts for hours keeps no other from being sent.
  concurrency: 4,
  memory: 512,
  timeout: "48h",
  maxAttempts: 10,
  // Whoever has the mail is in the checkpoint, and does not get it again.
  onCrash: "retry",
  setup: ({ signal }) => openPost(signal),
  async run({ recipients, file, perSecond, ...common }, context) {
    const { id, signal, log, progress, checkpoint, setup: post } = context;
    const letters = new Letters(common);
    const people = () => recipients ? listed(recipients) : inFile(file!, context.files);
    const surveyed = await survey(people, letters, signal);
    if (surveyed.skipped.count > 0) log.warn(`${surveyed.skipped.count} recipients were skipped.`);
    const round = new Round({
      id,
      post,
      letters,
      people,
      survey: surveyed,
      perSecond,
      checkpoint,
      log,
      signal,
      progress,
    });
    await round.walk();
    const { ledger, named, answers, outbox } = round;
    if (outbox) log.info("SMTP_URL is not set: nothing was sent. The mails are in outbox/");
    const addresses = (places: Iterable<number>) =>
      [...places].map((place) => named.get(place) ?? `row ${place + 1}`);
    return {
      sent: ledger.sent,
      rejected: [...ledger.rejected].map(([place, smtpCode]) => ({
        address: named.get(place) ?? "",
        smtpCode,
        // What an earlier attempt was told is not kept.
        message: answers.get(place) ?? `${smtpCode}`,
      })),
      rejectedCount: ledger.refused,
      repeated: addresses(ledger.repeated),
      unknown: addresses(ledger.unknown),
      ...surveyed.skipped.view,
      ...(outbox && { outbox: true as const }),
    };
  },
});
