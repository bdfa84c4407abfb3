"""`ninebrains doctor`: what is installed, what the processor can do, what would make it faster."""

from __future__ import annotations

import os
import platform
from importlib import metadata, util
from pathlib import Path
from typing import Annotated

import typer

_PACKAGES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "pillow",
    "simplejpeg",
    "pydantic",
    "typer",
    "rich",
    "jinja2",
    "platformdirs",
    "threadpoolctl",
    "pynacl",
)
_EXTRAS = {
    "pi_heif": ("heif", "reads HEIC photos from iPhones"),
    "cv2": ("video", "reads videos and cameras"),
    "openvino": ("openvino", "is often faster, most where the processor has bfloat16 (see tune)"),
}
_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI (fast int8)",
    "avx512_bf16": "bfloat16",
    "amx_int8": "AMX",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is installed, which processor features are used, and what would make it faster."""
    from ninebrains import __version__
    from ninebrains.cli.console import print_json
    from ninebrains.places import cache_folder, data_folder
    from ninebrains.workers import usable_cores

    found: dict[str, object] = {
        "ninebrains": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": {"cores": usable_cores(), "features": _processor_features()},
        "memory_bytes": _memory_bytes(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "extras": {
            extra: util.find_spec(module) is not None for module, (extra, _) in _EXTRAS.items()
        },
        "folders": {
            "data": {"path": str(data_folder()), "bytes": _size(data_folder())},
            "cache": {"path": str(cache_folder()), "bytes": _size(cache_folder())},
        },
        "trunks": _trunk_names(),
    }
    advice = _advice()
    if as_json:
        print_json({**found, "advice": advice})
        return
    _print(found, advice)


def _print(found: dict[str, object], advice: list[str]) -> None:
    for name in ("ninebrains", "python", "system"):
        typer.echo(f"{name:11} {found[name]}")
    processor = found["processor"]
    assert isinstance(processor, dict)
    features = ", ".join(processor["features"]) or "none known"
    typer.echo(f"{'processor':11} {processor['cores']} cores; {features}")
    memory = found["memory_bytes"]
    if isinstance(memory, int):
        typer.echo(f"{'memory':11} {memory / 1024**3:.1f} GiB")
    packages = found["packages"]
    assert isinstance(packages, dict)
    listed = ", ".join(f"{name} {version or 'MISSING'}" for name, version in packages.items())
    typer.echo(f"{'packages':11} {listed}")
    folders = found["folders"]
    assert isinstance(folders, dict)
    for kind, folder in folders.items():
        typer.echo(f"{kind:11} {folder['path']} ({folder['bytes'] / 1024**2:.1f} MiB)")
    trunks = found["trunks"]
    assert isinstance(trunks, list)
    typer.echo(f"{'trunks':11} {', '.join(trunks)}")
    for line in advice or ["nothing to improve"]:
        typer.echo(f"advice      {line}")


def _processor_features() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []  # not Linux: there is no portable way to ask
    words = set(text.split())
    return [shown for flag, shown in _FEATURES.items() if flag in words]


def _memory_bytes() -> int | None:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file())


def _trunk_names() -> list[str]:
    from ninebrains.trunks import list_trunks

    return [summary.name for summary in list_trunks()]


def _trunk_problems() -> list[str]:
    """Of every trunk; the embedded one is loaded, as everything begins with it."""
    from ninebrains.errors import TrunkError
    from ninebrains.trunks import DEFAULT_TRUNK, list_trunks, load_trunk

    problems = [f"trunk {one.name}: {one.problem}" for one in list_trunks() if one.problem]
    try:
        load_trunk(DEFAULT_TRUNK)
    except TrunkError as error:
        problems.append(str(error))
    return problems


def _advice() -> list[str]:
    from ninebrains.workers import usable_cores

    lines = _trunk_problems()
    for module, (extra, purpose) in _EXTRAS.items():
        if util.find_spec(module) is None:
            lines.append(f"pip install 'ninebrains[{extra}]' {purpose}")
    total = os.cpu_count() or 1
    if usable_cores() < total:
        lines.append(f"this process may use {usable_cores()} of {total} cores; allow it more")
    is_intel_linux = platform.machine() == "x86_64" and platform.system() == "Linux"
    if is_intel_linux and "AVX2" not in _processor_features():
        lines.append("the processor has no AVX2; networks run several times slower than usual")
    return lines
