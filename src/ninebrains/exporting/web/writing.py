"""The folder of a web export, file by file.

index.html, app/, style.css      the page, as written in `page/`
manifest.webmanifest, icons/     for installing it
sw.js                            keeps every file on the device; its version is a hash of them all
site.json                        which brains there are, and which files they need
brains/, runtime/                networks and runtime, packed with gzip and named by their content
licences/                        of what is not ours
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from ninebrains.exporting.web.icons import draw_icon
from ninebrains.exporting.web.networks import Network, Networks
from ninebrains.exporting.web.runtime import BUILDS, PACKAGE, VERSION, packed, runtime_files

PAGE = Path(__file__).parent / "page"

_ICONS = (192, 512)
_NOT_KEPT = ("licences/", "runtime/webgpu/")  # on the device only when they are asked for


@dataclass
class _Site:
    """Files on their way into a folder."""

    folder: Path
    kept: dict[str, bytes] = field(default_factory=dict)

    def write(self, path: str, data: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if not path.startswith(_NOT_KEPT):
            self.kept[path] = data

    def write_packed(self, folder: str, name: str, data: bytes, small: bytes) -> dict[str, Any]:
        """Write a file that was packed to `small`; what the page has to know of it."""
        path = f"{folder}/{name.replace('#', hashlib.sha256(data).hexdigest()[:16])}.gz"
        self.write(path, small)
        return {"path": path, "bytes": len(small), "unpacked_bytes": len(data)}


def write_site(folder: Path, networks: Networks, title: str) -> int:
    """Write the whole export.

    Args:
        folder: empty.
        networks: what to run.
        title: of the page.

    Returns:
        The size of the first download in bytes: everything that works offline afterwards.

    Raises:
        ExtraError: the runtime is not here and cannot be had.
    """
    site = _Site(folder)
    licences = _licences()
    for path, text in licences.items():
        site.write(path, text)
    facts = {
        "title": title,
        "runtime": f"{PACKAGE} {VERSION}",
        "has_third_party": len(licences) > 1,
        "runtimes": _write_runtimes(site),
        "trunks": [_trunk(site, trunk) for trunk in networks.trunks],
        "brains": [_brain(site, brain) for brain in networks.heads],
    }
    _write_page(site, title)
    facts["first_download_bytes"] = sum(len(data) for data in site.kept.values())
    site.write("site.json", _json(facts))
    site.write("sw.js", _service_worker(site.kept))
    return sum(len(data) for data in site.kept.values())


def _write_runtimes(site: _Site) -> dict[str, Any]:
    found = runtime_files()
    runtimes = {}
    for name, build in BUILDS.items():
        module = f"runtime/{name}/{build.module}"
        site.write(module, found[build.module])
        program = found[build.wasm]
        wasm = site.write_packed(
            f"runtime/{name}", f"{Path(build.wasm).stem}-#.wasm", program, packed(program)
        )
        runtimes[name] = {"module": module, "wasm": wasm}
    return runtimes


def _licences() -> dict[str, bytes]:
    """ONNX Runtime's licence, and those of what it is made of where its Python package has them."""
    texts = {"licences/onnxruntime-web.txt": (PAGE / "onnxruntime-web-licence.txt").read_bytes()}
    try:
        parts = files("onnxruntime") or ()
    except PackageNotFoundError:
        parts = ()
    notices = [file for file in parts if file.name == "ThirdPartyNotices.txt"]
    for notice in notices:
        path = Path(str(notice.locate()))
        if path.is_file():
            texts["licences/onnxruntime-third-party.txt"] = path.read_bytes()
    return texts


def _trunk(site: _Site, trunk: Network) -> dict[str, Any]:
    return {"file": _write_network(site, "trunk-#.onnx", trunk.data), **trunk.facts}


def _brain(site: _Site, head: Network) -> dict[str, Any]:
    return {"head": _write_network(site, f"{head.name}-#.onnx", head.data), **head.facts}


def _write_network(site: _Site, name: str, data: bytes) -> dict[str, Any]:
    return site.write_packed("brains", name, data, gzip.compress(data, 9, mtime=0))


def _write_page(site: _Site, title: str) -> None:
    sources: Sequence[Path] = sorted((PAGE / "app").glob("*.mjs"))
    for source in sources:
        site.write(f"app/{source.name}", source.read_bytes())
    for name in ("style.css", "index.html"):
        site.write(name, (PAGE / name).read_bytes())
    for side in _ICONS:
        site.write(f"icons/{side}.png", draw_icon(side))
        site.write(f"icons/{side}-maskable.png", draw_icon(side, is_maskable=True))
    site.write("manifest.webmanifest", _json(_manifest(title)))


def _manifest(title: str) -> dict[str, Any]:
    icons = [
        {
            "src": f"icons/{side}{ending}.png",
            "sizes": f"{side}x{side}",
            "type": "image/png",
            "purpose": purpose,
        }
        for side in _ICONS
        for ending, purpose in (("", "any"), ("-maskable", "maskable"))
    ]
    return {
        "id": "./",
        "name": title,
        "short_name": title[:12].rstrip(),
        "description": "Photos answered on this device.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f6f4ef",
        "theme_color": "#1f3a3d",
        "icons": icons,
    }


def _service_worker(kept: Mapping[str, bytes]) -> bytes:
    """The service worker with the list of what it keeps; another file means another version."""
    listed = {
        path: "" if path.endswith(".gz") else _integrity(data)
        for path, data in sorted(kept.items())
    }
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in kept.items()}
    version = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]
    text = (PAGE / "sw.js").read_text(encoding="utf-8")
    text = text.replace('"VERSION"', json.dumps(version))
    return text.replace('"FILES"', json.dumps(listed, indent=2)).encode()


def _integrity(data: bytes) -> str:
    """As in https://www.w3.org/TR/SRI/."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
