"""TensorFlow's tensors: every way to write one is read, and none costs memory that it cannot."""

import numpy as np
import pytest

from ninebrains.errors import RequestError
from ninebrains.serving.grpc.messages import message
from ninebrains.serving.grpc.tensor_protos import array_of, tensor_of

MOST = 10_000_000


def proto(dtype, shape=(), **fields):
    made = message("tensorflow.TensorProto")(dtype=dtype, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def objects(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


READ = {
    "content": (proto(1, (2,), tensor_content=b"\0\0\x80?\0\0\0@"), np.array([1, 2], "f4")),
    "floats": (proto(1, (2, 1), float_val=[1, 2]), np.array([[1], [2]], "f4")),
    "doubles": (proto(2, (1,), double_val=[0.1]), np.array([0.1])),
    "bytes as ints": (proto(4, (3,), int_val=[0, 7, 255]), np.array([0, 7, 255], "u1")),
    "one for all": (proto(4, (2, 2), int_val=[9]), np.full((2, 2), 9, "u1")),
    "last for the rest": (proto(3, (4,), int_val=[1, 2]), np.array([1, 2, 2, 2], "i4")),
    "a scalar": (proto(9, (), int64_val=[-5]), np.array(-5)),
    "negative bytes": (proto(6, (1,), int_val=[-128]), np.array([-128], "i1")),
    "half": (proto(19, (1,), half_val=[0x3C00]), np.array([1], "f2")),
    "bool": (proto(10, (2,), bool_val=[True, False]), np.array([True, False])),
    "unsigned": (proto(23, (1,), uint64_val=[2**64 - 1]), np.array([2**64 - 1], "u8")),
    "strings": (proto(7, (2,), string_val=[b"a", b"b"]), objects(b"a", b"b")),
    "one string": (proto(7, (), string_val=[b"a"]), objects(b"a").reshape(())),
    "nothing": (proto(4, (0, 3)), np.zeros((0, 3), "u1")),
}


@pytest.mark.parametrize("case", READ)
def test_every_way_to_write_a_tensor_is_read(case):
    sent, expected = READ[case]
    found = array_of("x", sent, MOST)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


HOSTILE = {
    "no type": (proto(0, (1,)), "data type 0"),
    "a type of no use": (proto(8, (1,)), "data type 8"),
    "a type from nowhere": (proto(-3, (1,)), "data type -3"),
    "a huge shape of one value": (proto(4, (2**40,), int_val=[0]), "at most"),
    "a shape that overflows": (proto(4, (2**62, 2**62), int_val=[0]), "at most"),
    "huge strings": (proto(7, (2**40,), string_val=[b""]), "at most"),
    "negative": (proto(4, (-1,), int_val=[0]), "negative"),
    "too many axes": (proto(4, (1,) * 9, int_val=[0]), "at most 8"),
    "short content": (proto(4, (5,), tensor_content=b"1234"), "needs 5"),
    "strings as content": (proto(7, (1,), tensor_content=b"1234"), "string_val"),
    "too many values": (proto(4, (1,), int_val=[0, 1]), "expected 1"),
    "no values": (proto(4, (1,)), "expected 1"),
    "values of another list": (proto(4, (1,), float_val=[0]), "expected 1"),
    "values that do not fit": (proto(4, (1,), int_val=[256]), "no uint8"),
    "half out of range": (proto(19, (1,), half_val=[-1]), "16 bits"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_makes_no_sense_is_refused_before_memory_is_taken(case):
    sent, said = HOSTILE[case]
    with pytest.raises(RequestError, match=said):
        array_of("x", sent, MOST)


def test_unknown_rank_is_refused():
    sent = proto(4, (1,), int_val=[0])
    sent.tensor_shape.unknown_rank = True
    with pytest.raises(RequestError, match="no shape"):
        array_of("x", sent, MOST)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="f4").reshape(2, 3),
        np.arange(70_000, dtype="f4"),
        np.array([1.5], "f2"),
        np.arange(4, dtype="i8"),
        objects(b"\xff\0", b""),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_what_is_written_is_read_again(array):
    wire = tensor_of(array).SerializeToString()
    found = array_of("x", message("tensorflow.TensorProto").FromString(wire), MOST)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
