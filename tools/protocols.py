"""Compile the .proto files of src/ninebrains/serving/grpc/protocols to the one file beside them.

python -m tools.protocols

What the running package needs is that one file: descriptors without comments or places in the
source, so that it depends on the messages alone.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc_tools

FOLDER = Path(__file__).parents[1] / "src/ninebrains/serving/grpc/protocols"


def compile_protocols(target: Path, folder: Path = FOLDER) -> None:
    """Write a FileDescriptorSet of all .proto files in a folder.

    What they import of protobuf's own messages is left out: every protobuf brings its own. The
    compiler runs in a process of its own: beside TensorFlow's protobuf it ends the process.
    """
    known = Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            f"--proto_path={folder}",
            f"--proto_path={known}",
            f"--descriptor_set_out={target}",
            *sorted(file.name for file in folder.glob("*.proto")),
        ],
        check=True,
    )


if __name__ == "__main__":
    compile_protocols(FOLDER / "descriptors.binpb")
