"""Small files that ask for absurd amounts of work are refused before any of it is done."""

import numpy as np
import onnx
import pytest

from ninebrains.errors import TrunkError
from ninebrains.trunks import InputOverrides, import_trunk
from tests.trunks import networks

GIVEN = InputOverrides(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def _classifier(change, **form):
    """A network whose `middle` comes from its convolutions' `plain` as `change` says."""
    net = networks.Net(**form)
    net.body("x")
    net.nodes[-1].output[0] = "plain"
    change(net)
    net.node("Relu", ["middle"], "map")
    net.node("GlobalAveragePool", ["map"], "pooled")
    net.node("Flatten", ["pooled"], "flat", axis=1)
    net.linear("flat")
    return net.model()


def _adding(make):
    """`make(net)` names constants, whose mean is added to the map."""

    def change(net):
        net.node("Cast", [make(net)], "numbers", to=1)
        net.node("ReduceMean", ["numbers"], "mean", keepdims=0)
        net.node("Add", ["plain", "mean"], "middle")

    return change


def _long_range(net):
    numbers = [
        net.constant(name, np.array(n)) for name, n in zip("abc", (0, 10**13, 1), strict=True)
    ]
    return net.node("Range", numbers, "range")


def _doubling(times):
    def make(net):
        net.node("Shape", ["x"], "d0")
        for step in range(times):
            net.node("Concat", [f"d{step}", f"d{step}"], f"d{step + 1}", axis=0)
        return f"d{times}"

    return make


def _hidden_size(net):
    """A square whose side is only known when another value has been computed."""
    numbers = [
        net.constant(name, np.array(n)) for name, n in zip("abc", (1, 100_001, 1), strict=True)
    ]
    net.node("NonZero", [net.node("Range", numbers, "range")], "places")
    net.node("Size", ["places"], "size")
    net.node("Reshape", ["size", net.constant("one", np.array([1]))], "side")
    return net.node("ConstantOfShape", [net.node("Concat", ["side", "side"], "s", axis=0)], "big")


def _products_of_constants(net):
    net.node("ConstantOfShape", [net.constant("side", np.array([3000, 3000]))], "square")
    return net.node("MatMul", ["square", "square"], "product")


def _pooling(kernel, pad):
    def change(net):
        sizes = {"kernel_shape": [kernel] * 2, "pads": [pad] * 4}
        net.node("MaxPool", ["plain"], "middle", **sizes)

    return change


def _resizing(factor):
    def change(net):
        scales = net.constant("scales", np.array([1, 1, factor, factor], np.float32))
        net.node("Resize", ["plain", "", scales], "middle", mode="cubic")

    return change


def _cropping(net):
    pads = net.constant("pads", np.array([0, 0, 0, 0, 0, 0, -100, -100]))
    net.node("Pad", ["plain", pads], "middle")


def _many_maps(net):
    scales = net.constant("scales", np.array([1, 1, 500, 500], np.float32))
    net.node("Resize", ["plain", "", scales], "m0", mode="nearest")
    for step in range(20):
        net.node("Relu", [f"m{step}"], f"m{step + 1}")
    net.node("MaxPool", ["m20"], "middle", kernel_shape=[500, 500], strides=[500, 500])


def _wide_window(net):
    net.node("LRN", ["plain"], "middle", size=2**31 - 1)


ABSURD = {
    "a long range": (lambda: _classifier(_adding(_long_range)), "10,000,000,000,000 values"),
    "lists that double": (
        lambda: _classifier(_adding(_doubling(40)), shape=(1, 3, 16, 16)),
        "hold 4,398,046,511,104|lists of [0-9,]+ sizes",
    ),
    "lists that double for any batch": (
        lambda: _classifier(_adding(_doubling(21))),
        "lists of [0-9,]+ sizes",
    ),
    "a size found by selecting": (
        lambda: _classifier(_adding(_hidden_size)),
        "'big' would hold 10,000,000,000 values",
    ),
    "products of constants": (
        lambda: _classifier(_adding(_products_of_constants)),
        "multiplications from constants alone, longest in the operator 'MatMul'",
    ),
    "a huge window": (
        lambda: _classifier(_pooling(2**31, 2**30)),
        "multiplications for a batch of 1, longest in the operator 'MaxPool'",
    ),
    "a huge window in the channels": (lambda: _classifier(_wide_window), "'LRN'"),
    "fewer than no places": (lambda: _classifier(_cropping), "'Pad'.* cannot be told beforehand"),
    "a map larger than the photo": (
        lambda: _classifier(_resizing(10.0)),
        "80x80 places for photos of 16x16 pixels",
    ),
    "an enormous map": (lambda: _classifier(_resizing(2000.0)), "3,072,000,000 values"),
    "many large maps": (
        lambda: _classifier(_many_maps),
        "2,[0-9]{3},[0-9]{3},[0-9]{3} values up to",
    ),
    "a batch of too many": (
        lambda: networks.torchvision(shape=(100_000, 3, 16, 16)).model(),
        "batches of 100,000 photos; the limit is 1,024",
    ),
}


@pytest.mark.parametrize("case", ABSURD)
def test_absurd_work_is_refused_with_what_was_asked_and_what_is_allowed(tmp_path, case):
    make, message = ABSURD[case]
    onnx.save(make(), tmp_path / "net.onnx")
    with pytest.raises(TrunkError, match=message):
        import_trunk(tmp_path / "net.onnx", "net", GIVEN)


MODEST = {
    "lists": lambda: _classifier(_adding(_doubling(3)), shape=(1, 3, 16, 16)),
    "a window": lambda: _classifier(_pooling(3, 1)),
    "a larger map": lambda: _classifier(_resizing(2.0)),
    "a batch": lambda: networks.torchvision(shape=(8, 3, 16, 16)).model(),
}


@pytest.mark.parametrize("case", MODEST)
def test_the_same_in_modest_amounts_is_taken(tmp_path, case):
    onnx.save(MODEST[case](), tmp_path / "net.onnx")
    assert import_trunk(tmp_path / "net.onnx", "net", GIVEN).num_features == networks.FEATURES


def test_what_is_wrong_with_a_file_is_said_in_a_sentence(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network at all")
    with pytest.raises(TrunkError, match=r"is not an ONNX model: .*[^.]\.$"):
        import_trunk(tmp_path / "net.onnx", "net", GIVEN)
