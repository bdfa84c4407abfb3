"""A web page that answers photos on the device: installable, offline, private."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.exporting.web.networks import PRECISIONS, make_networks

_USAGE = """\
Put the folder on any host of static files, at any path, with HTTPS (browsers give cameras and
offline use to secure pages only). To try it on this machine:

    ninebrains export serve .

The page's modules also work in a page of your own, from the same host:

```html
<script type="module">
  import {{ openClient }} from "./app/client.mjs";
  import {{ fetchSite }} from "./app/files.mjs";

  const base = new URL("./", location.href); // of this folder
  const site = await fetchSite(base);
  const client = await openClient(base, "wasm");
  const photo = await (await fetch("photo.jpg")).blob();
  const {{ answers }} = await client.answerFile(photo, [0]); // brains by their place in site.json
  const {{ data }} = answers[0].{answer};
  console.log(site.brains[0].labels.map((label, place) => [label.name, data[place]]));
</script>
```

`answers[0]` holds {outputs}, each with `data` (Float32Array) and `dims`.
"""


class WebTarget:
    """See `exporting.target.Target`."""

    name = "web"
    title = "Web page (ONNX Runtime Web)"
    precisions: tuple[Precision, ...] = PRECISIONS
    efforts: tuple[str, ...] = ()
    runtime = None
    opsets = range(0)
    batch = 1  # the page asks about one photo at a time
    takes_several = True

    def require(self, precision: Precision) -> None:  # noqa: ARG002 - the same for all
        """Fetch the runtime for browsers, where it is not here yet.

        Raises:
            ExtraError: it cannot be had; the message says what to do.
        """
        from ninebrains.exporting.web.runtime import require_runtime

        require_runtime()

    def build(self, job: Job, folder: Path) -> Built:
        """Write the page, the networks and the runtime.

        Raises:
            BrainError: a brain cannot be split into trunk and head.
            ExtraError: the runtime cannot be had.
        """
        from ninebrains.exporting.web.runtime import PACKAGE, VERSION
        from ninebrains.exporting.web.writing import write_site

        networks = make_networks(job.brains, job.precision)
        size = write_site(folder, networks, _title(job.brains))
        return Built(
            outputs=job.brains[0].outputs,
            packages=("onnx",),
            notes=(
                f"The first visit downloads {size / 1e6:.1f} MB. After it the page works offline.",
                "No photo and no answer leaves the device.",
                f"It runs on {PACKAGE} {VERSION}.",
                "Its build for graphics processors is fetched only where it might be faster.",
            ),
            not_run=("The build for graphics processors (WebGPU).",),
            further=tuple(brain.outputs for brain in job.brains[1:]),
        )

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:
        """The page in a browser of this machine; where there is none, its networks alone.

        Raises:
            ExportError: the export does not run, or is not one of ours.
        """
        from ninebrains.exporting.web.browser import ask_browser, ask_networks

        found = ask_browser(folder, brain, photos)
        return ask_networks(folder, brain, photos) if found is None else found

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:  # noqa: ARG002
        """How to host the page, and how to ask its modules from a page of one's own."""
        answer = "values" if "values" in outputs else "scores"
        return _USAGE.format(answer=answer, outputs=", ".join(f"`{name}`" for name in outputs))


def _title(brains: tuple[Brain, ...]) -> str:
    others = len(brains) - 1
    return brains[0].name + (f" and {others} more" if others else "")


TARGET: Target = WebTarget()
