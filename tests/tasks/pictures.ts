/** Pictures, compared with stored ones. `UPDATE_PICTURES=1` stores them anew: look at them before you commit them. */
import assert from "node:assert/strict";
import sharp from "sharp";

/** Of 255, on average: what another version of poppler draws differently at the edges of letters is far less. */
const MEAN_MAX = 2;
/** Of 255, anywhere, after both were blurred. */
const WORST_MAX = 70;

/** @param name of the picture in `tests/tasks/pictures/` */
export async function assertLooksLike(name: string, png: Uint8Array): Promise<void> {
  const path = new URL(`pictures/${name}.png`, import.meta.url);
  if (Deno.env.get("UPDATE_PICTURES")) {
    Deno.writeFileSync(
      path,
      await sharp(png).png({ palette: true, colours: 64, compressionLevel: 9 }).toBuffer(),
    );
    return;
  }
  const [is, was] = await Promise.all([pixels(png), pixels(Deno.readFileSync(path))]);
  assert.deepEqual([is.info.width, is.info.height], [was.info.width, was.info.height], `the size of ${name}`);
  let sum = 0;
  let worst = 0;
  is.data.forEach((value, i) => {
    const difference = Math.abs(value - was.data[i]!);
    sum += difference;
    worst = Math.max(worst, difference);
  });
  const mean = sum / is.data.length;
  assert.ok(
    mean <= MEAN_MAX && worst <= WORST_MAX,
    `${name} looks different: mean ${mean}, at most ${worst}`,
  );
}

async function pixels(png: Uint8Array) {
  return await sharp(png).flatten({ background: "white" }).blur(1.5).removeAlpha().raw()
    .toBuffer({ resolveWithObject: true });
}
