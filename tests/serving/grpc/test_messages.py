"""The committed descriptors are those of the .proto files beside them, and clash with nobody's."""

from google.protobuf import descriptor_pool
from tools.protocols import FOLDER, compile_protocols

from ninebrains.serving.grpc.messages import message


def test_descriptors_are_those_of_the_proto_files(tmp_path):
    compile_protocols(tmp_path / "made.binpb")
    made, committed = tmp_path / "made.binpb", FOLDER / "descriptors.binpb"
    assert made.read_bytes() == committed.read_bytes(), "make protocols"


def test_messages_survive_their_own_wire():
    tensor = message("tensorflow.TensorProto")(dtype=7, string_val=[b"photo"])
    again = message("tensorflow.TensorProto").FromString(tensor.SerializeToString())
    assert list(again.string_val) == [b"photo"]


def test_messages_are_in_no_pool_that_other_packages_use():
    message("tensorflow.TensorProto")
    try:
        descriptor_pool.Default().FindFileByName("tensorflow.proto")
    except KeyError:
        return
    raise AssertionError("another package's tensorflow.proto would clash with ours")
