// Exporting a brain: to where, how precisely, and what came out.

import { get, send } from "../core/api.js";
import { command, inside, quoted } from "../core/command.js";
import { choice, question } from "../core/dialogs.js";
import { attempt, fill, make, toast } from "../core/dom.js";
import { follow, isUnderWay } from "../core/project.js";

const USES = {
  onnx: "Servers and desktops: ONNX Runtime in any language.",
  litert: "Phones and small devices: LiteRT, once TensorFlow Lite.",
  saved_model: "TensorFlow Serving and what else reads SavedModels.",
  openvino: "Fast on Intel processors.",
  coreml: "Apple devices.",
  web: "A page that answers in the browser, offline too.",
};
const PRECISIONS = {
  fp32: "fp32: exactly as it learned",
  fp16: "fp16: half the size",
  "int8-weights": "int8-weights: a quarter of the size",
  int8: "int8: a quarter of the size, computed in 8 bits",
};

let known;

/** Where brains can go: some seconds when it is asked for the first time. */
async function targetsHere() {
  known ??= (await get("/api/targets")).targets;
  return known;
}

/** Ask how to export a brain, and do it. The pressed button says that it takes a moment. */
export async function showExport(brain, pressed) {
  pressed.disabled = true;
  pressed.textContent = "Looking …";
  const targets = await attempt(targetsHere);
  pressed.disabled = false;
  pressed.textContent = "Export";
  if (targets) await askAndExport(brain, targets);
}

async function askAndExport(brain, targets) {
  const [target, targetLine] = choice(
    "Where to",
    targets.map((each) => [each.name, each.title ?? each.name]),
    targets[0]?.name,
    { id: "export-target" },
  );
  const precisionPlace = make("div");
  const note = make("p.soft.small");
  const twin = make("div");
  let precision;
  const chosen = () => targets.find((each) => each.name === target.value);
  const paintTwin = () =>
    fill(
      twin,
      command(
        `ninebrains export ${quoted(inside(`brains/${brain.file}`))} --to ${target.value} --precision ${precision.value}`,
      ),
    );
  const paint = () => {
    const each = chosen();
    const [select, line] = choice(
      "Precision",
      each.precisions.map((name) => [name, PRECISIONS[name] ?? name]),
      each.precisions[0],
      { id: "export-precision" },
    );
    precision = select;
    select.addEventListener("change", paintTwin);
    fill(precisionPlace, line);
    note.textContent = each.missing || USES[each.name] || "";
    note.classList.toggle("problem", Boolean(each.missing));
    paintTwin();
  };
  target.addEventListener("change", paint);
  paint();
  const proof = make(
    "p",
    {},
    "The export then answers the photos kept for checking in a process of its own, and is compared with the brain. The result is its receipt.",
  );
  await question(
    `Export version ${brain.version}`,
    [targetLine, precisionPlace, note, proof, twin],
    "Export",
    {
      check: () => chosen().missing ?? "",
      act: async () => {
        const { job } = await send(`/api/brains/${brain.id}/export`, {
          target: target.value,
          precision: precision.value,
        });
        tellWhenDone(job);
      },
    },
  );
}

function tellWhenDone(id) {
  const end = follow("jobs", (job) => {
    if (job?.id !== id || isUnderWay(job)) return;
    end();
    const receipt = job.result?.receipts?.at(-1);
    if (job.state === "done")
      toast(`Exported: ${receipt?.verdict ?? "done"}. ${receipt?.reasons?.[0] ?? ""}`);
    else if (job.state === "failed") toast(job.error, { kind: "problem" });
  });
}
