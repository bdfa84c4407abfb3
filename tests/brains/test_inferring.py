"""Graphs over which ONNX's own inference aborts the process: here they are errors like any other.

Each is read in a process of its own, so that a test that fails leaves the others to run.
"""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from ninebrains.brains.checking import infer_shapes
from ninebrains.brains.graph import unpack
from ninebrains.brains.inferring import infer_safely
from ninebrains.errors import BrainError

from .making import make_brain, repacked

LISTS = {"zero": [0], "eight": [8], "two": [2], "back": [-1], "huge": [1 << 40]}
BODIES = {
    "max pool": "m = MaxPool <kernel_shape = [100, 1]> (x) y = Slice (m, zero, eight, two)",
    "average": "m = AveragePool <kernel_shape = [1, 99]> (x) y = Slice (m, zero, eight)",
    "convolution": "m = Conv (x, w) y = Slice (m, zero, eight, two)",
    "backwards": """
        m = MaxPool <kernel_shape = [100, 1]> (x) y = Slice (m, zero, eight, two, back)
    """,
    "pads": "m = Pad (x, less) y = Slice (m, zero, eight, two)",
    "lists as constants": """
        z = Constant <value_ints = [0]> () e = Constant <value = int64[1] {8}> ()
        a = Constant <value_ints = [2]> ()
        m = LpPool <kernel_shape = [100, 1]> (x) y = Slice (m, z, e, a)
    """,
    "after a good one": """
        s = Slice (x, zero, eight, two) m = MaxPool <kernel_shape = [50, 1]> (s)
        t = Slice (m, zero, eight, two) y = Relu (t)
    """,
    "results that are not named": "y, z, v = Split <axis = 1, num_outputs = 2> (x)",
    "batches that are not there": "y = GatherND <batch_dims = -100> (x, zero)",
    "no input": "y = EyeLike ()",
    "indices": "i = MaxPool <kernel_shape = [1, 100]> (x) y = GatherND (x, i)",
}
READ = """
import sys, onnx
from ninebrains.brains.inferring import infer_safely
from ninebrains.errors import BrainError
model = onnx.load(sys.argv[1])
try:
    infer_safely(model, strict=sys.argv[2] == "strict")
except BrainError as error:
    print("refused:", error)
"""


def model_of(body, opset=18):
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[1,3,32,32] x) => (float y)'
    model = parser.parse_model(f"{text} {{ {body} }}")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    lists = {**LISTS, "less": [0, 0, -20, 0, 0, 0, -20, 0]}
    for name, value in lists.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    weights = np.ones((4, 3, 40, 1), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return model


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("how", ["strict", "lenient"])
def test_what_would_abort_the_process_is_refused(tmp_path, body, how):
    onnx.save(model_of(BODIES[body]), tmp_path / "g.onnx")
    command = [sys.executable, "-c", READ, str(tmp_path / "g.onnx"), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")


def test_a_window_larger_than_its_photo_is_refused_where_nothing_is_cut():
    with pytest.raises(BrainError, match=r"\[1, 3, -67, 32\]"):
        infer_shapes(model_of("y = MaxPool <kernel_shape = [100, 1]> (x)"))


@pytest.mark.parametrize("opset", [10, 13, 18])
def test_slices_that_fit_keep_their_shapes(opset):
    body = """
        s = Shape (x) h = Slice (s, two, eight) c = Concat <axis = 0> (back, h)
        r = Reshape (x, c) q = Slice (r, zero, eight, two) y = Slice (q, back, zero, two, back)
    """
    model = model_of(body, opset)
    found = {value.name: value.type for value in infer_safely(model).value_info}
    if opset > 13:
        assert [size.dim_value for size in found["q"].tensor_type.shape.dim] == [3, 32, 8]
    plain = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    assert {value.name: value.type for value in plain.graph.value_info}.items() <= found.items()


def test_a_slice_of_thousands_of_axes_is_refused():
    model = model_of("y = Slice (x, many, many)")
    many = numpy_helper.from_array(np.zeros(10_000, np.int64), "many")
    model.graph.initializer.append(many)
    with pytest.raises(BrainError, match="more than 64 axes"):
        infer_safely(model)


def hostile(graph):
    """Put a window that is too large before the first operator's input, and cut its result."""
    lists = {"begin": [0], "end": [8], "which": [1]}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), name) for name, value in lists.items()
    )
    first = graph.node[0]
    added = [
        helper.make_node("Cast", [first.input[0]], ["h0"], to=TensorProto.FLOAT),
        helper.make_node("MaxPool", ["h0"], ["h1"], kernel_shape=[1000, 1000]),
        helper.make_node("Slice", ["h1", "begin", "end", "which"], ["h2"]),
        helper.make_node("Slice", ["h1", "begin", "end"], ["h3"]),
    ]
    nodes = [*graph.node]
    del graph.node[:]
    graph.node.extend([*added, *nodes])


@pytest.mark.parametrize(
    "command",
    [
        ["brain", "show", "bad.brain"],
        ["brain", "verify", "bad.brain"],
        ["predict", "bad.brain", "photo.png"],
        ["run", "--brains", "bad.brain", "--source", "photo.png"],
        ["run", "--brains", "bad.onnx", "--source", "photo.png"],
        ["trunk", "add", "bad.onnx", "--name", "bad", "--mean", "0,0,0", "--std", "1,1,1"],
    ],
)
def test_commands_end_with_an_error_over_such_files(tmp_path, command):
    from PIL import Image

    Image.new("RGB", (40, 40), (200, 30, 9)).save(tmp_path / "photo.png")
    bad = unpack(make_brain().graph)
    hostile(bad.graph)
    repacked(make_brain(), bad).save(tmp_path / "bad.brain")
    network = """
        m = MaxPool <kernel_shape = [100, 100]> (x) q = Slice (m, zero, eight, two)
        p = GlobalAveragePool (q) f = Flatten (p) y = Gemm (f, dense)
    """
    model = model_of(network)
    dense = numpy_helper.from_array(np.ones((3, 5), np.float32), "dense")
    model.graph.initializer.append(dense)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, tmp_path / "bad.onnx")
    done = subprocess.run(
        [sys.executable, "-c", "from ninebrains.cli import main; main()", *command],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Error" in done.stderr or "error" in done.stderr
    assert "Traceback" not in done.stderr
