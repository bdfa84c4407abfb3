// Asks an export's own modules about photos, and hands what they answer to the program that waits.
// Not part of any export. The address says what to do: ?photos=200&brain=0&outputs=scores,heatmap

import { openClient, whatIsMissing } from "../app/client.mjs";

const asked = new URLSearchParams(location.search);
const outputs = asked.get("outputs").split(",");

function post(path, body) {
  return fetch(path, { method: "POST", body });
}

async function check(client, place) {
  try {
    const photo = await (await fetch(`photo/${place}`)).blob();
    const { answers, ms } = await client.answerFile(photo, [Number(asked.get("brain"))]);
    const found = outputs.map((name) => answers[0][name]);
    const dims = found.map((value) => value.dims);
    const total = ms.decode + ms.prepare + ms.run;
    const head = JSON.stringify({ ms: total, run_ms: ms.run, dims });
    await post(`answer/${place}`, new Blob([head, "\n", ...found.map((value) => value.data)]));
  } catch (error) {
    await post(`error/${place}`, error.message);
  }
}

async function run() {
  const missing = whatIsMissing();
  if (missing) throw new Error(missing);
  const client = await openClient(new URL("..", location.href), asked.get("build"));
  for (let place = 0; place < Number(asked.get("photos")); place++) await check(client, place);
  return { threads: client.threads };
}

try {
  await post("done", JSON.stringify(await run()));
} catch (error) {
  await post("failed", error.message);
}
