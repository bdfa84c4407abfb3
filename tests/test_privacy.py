"""Nothing is kept about a user, and nothing leaves the machine, unless it was asked for."""

import os
import subprocess
import sys

from tests.brains.making import make_brain


def test_running_a_brain_leaves_no_trace_of_telemetry(tmp_path):
    """ONNX Runtime would write a device's identity, and events that wait to be sent."""
    make_brain().save(tmp_path / "pets.brain")
    code = (
        "import ninebrains as nb, numpy as np\n"
        "brain = nb.load('pets.brain')\n"
        "brain.run(np.zeros((40, 40, 3), np.uint8))\n"
        "with nb.Mind([brain]) as mind: mind.run(np.zeros((40, 40, 3), np.uint8))\n"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env={**kept, "HOME": str(home)},
        timeout=60,
    )
    found = [path.name for path in home.rglob("*") if path.is_file()]
    assert [name for name in found if "onnxruntime" in name or "deviceid" in name] == []
