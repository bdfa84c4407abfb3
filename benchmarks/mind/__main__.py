"""All benchmarks of the mind, one after the other, on one set of brains."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.mind.measuring import command_line

NAMES = ("equal", "many", "stream", "memory", "swap", "partial", "soak")


def main() -> None:
    failed = []
    with command_line("benchmarks.mind") as asked:
        for name in NAMES:
            told = ["--quick"] if asked.quick else []
            if name != "soak":
                told += ["--folder", str(asked.folder), "--trunks", ",".join(asked.trunks)]
            command = [sys.executable, "-m", f"benchmarks.mind.{name}", *told]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"not measured, or wrong: {', '.join(failed)}")


if __name__ == "__main__":
    main()
