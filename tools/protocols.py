"""Compile the .proto files of src/ninebrains/serving/grpc/protocols to the one file beside them.

python -m tools.protocols

What the running package needs is that one file: descriptors without comments or places in the
source, so that it depends on the messages alone.
"""

from __future__ import annotations

from pathlib import Path

from grpc_tools import protoc

FOLDER = Path(__file__).parents[1] / "src/ninebrains/serving/grpc/protocols"


def compile_protocols(target: Path, folder: Path = FOLDER) -> None:
    """Write a FileDescriptorSet of all .proto files in a folder.

    What they import of protobuf's own messages is left out: every protobuf brings its own.
    """
    known = Path(protoc.__file__).parent / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"--proto_path={folder}",
            f"--proto_path={known}",
            f"--descriptor_set_out={target}",
            *sorted(file.name for file in folder.glob("*.proto")),
        ]
    )
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    compile_protocols(FOLDER / "descriptors.binpb")
