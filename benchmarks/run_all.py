"""All benchmarks, one after the other; `make bench` calls this.

Those that need the shared photos or a peer that is not installed say so and are passed over.
"""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "install_size",
    "large_head",
    "accuracy",
    "label_errors",
    "unfamiliar",
    "trunk_probe",
    "octo",
    "predict_vs_keras",
    "train_vs_keras",
    "mind",
    "serving",
    "export",
    "keras_to_onnx",
    "receipts",
    "studio",
)


def main() -> None:
    failed = [
        name
        for name in NAMES
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
