"""What the base install takes on disk: a new environment with nothing but the package.

    python -m benchmarks.install_size

Counts every file of the environment but pip and setuptools, with the bytecode that pip compiles.
"""

from __future__ import annotations

import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.running import ROOT, run, write_results

LIMIT_MB = 450


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "env"
        venv.create(folder, with_pip=False)
        run([sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", ROOT])
        packages = next(folder.glob("lib/python*/site-packages"))
        sizes: dict[str, int] = {}
        for path in packages.rglob("*"):
            if path.is_file():
                top = path.relative_to(packages).parts[0]
                sizes[top] = sizes.get(top, 0) + path.stat().st_size
    rows: list[dict[str, object]] = [
        {"what": "whole base install", "mb": round(sum(sizes.values()) / 1e6), "limit_mb": LIMIT_MB}
    ]
    for top, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
        rows.append({"what": top, "mb": round(size / 1e6), "limit_mb": ""})
    write_results("install_size", rows)


if __name__ == "__main__":
    main()
