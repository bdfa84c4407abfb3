"""All benchmarks of serving, one after the other, on one set of brains."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.mind.measuring import command_line

NAMES = ("overhead", "throughput", "overload", "swap")


def main() -> None:
    failed = []
    with command_line("benchmarks.serving") as asked:
        for name in NAMES:
            told = ["--folder", str(asked.folder), "--trunks", ",".join(asked.trunks)]
            told += ["--quick"] if asked.quick else []
            command = [sys.executable, "-m", f"benchmarks.serving.{name}", *told]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"not measured, or wrong: {', '.join(failed)}")


if __name__ == "__main__":
    main()
