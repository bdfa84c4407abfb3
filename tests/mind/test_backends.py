import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ninebrains.brains.graph import pack
from ninebrains.errors import BrainError, ExtraError
from ninebrains.mind.backends import BACKENDS, available, backend, release_memory, versions

NAMES = ("onnxruntime", "openvino")
WIDTH = 512


def layers(num_layers=3, seed=0):
    """A graph of square products, `x` float32[N, WIDTH] to `y`, and `x` to its double `z`."""
    rng = np.random.default_rng(seed)
    nodes = [helper.make_node("Add", ["x", "x"], ["z"])]
    weights = []
    for place in range(num_layers):
        product = (rng.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
        weights.append(onnx.numpy_helper.from_array(product, f"w{place}"))
        before = "x" if place == 0 else f"h{place - 1}"
        nodes.append(helper.make_node("MatMul", [before, f"w{place}"], [f"m{place}"]))
        nodes.append(helper.make_node("Relu", [f"m{place}"], [f"h{place}"]))
    nodes.append(helper.make_node("Identity", [f"h{num_layers - 1}"], ["y"]))
    kinds = {name: helper.make_tensor_value_info(name, 1, ["N", WIDTH]) for name in "xyz"}
    graph = helper.make_graph(nodes, "g", [kinds["x"]], [kinds["y"], kinds["z"]], weights)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    return pack(model), lambda x: _by_hand(x, weights)


def _by_hand(x, weights):
    for weight in weights:
        x = np.maximum(x @ onnx.numpy_helper.to_array(weight), 0)
    return x


def rows(count, seed=1):
    return np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_backend_computes_what_the_graph_says_in_the_order_asked_for(name):
    graph, expected = layers()
    run = backend(name).compile(graph, threads=1)
    for count in (1, 5, 2):
        x = rows(count)
        z, y = run({"x": x}, ["z", "y"])
        np.testing.assert_allclose(y, expected(x), atol=1e-4)
        np.testing.assert_array_equal(z, 2 * x)


@pytest.mark.parametrize("name", NAMES)
def test_no_later_call_changes_what_a_call_has_returned(name):
    graph, _ = layers()
    run = backend(name).compile(graph, threads=1)
    first = run({"x": rows(4)}, ["y"])[0]
    kept = first.copy()
    for seed in range(2, 6):
        run({"x": rows(4, seed)}, ["y"])
    np.testing.assert_array_equal(first, kept)
    del run
    release_memory()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_graph_may_be_called_from_many_threads_at_once(name):
    graph, expected = layers()
    run = backend(name).compile(graph, threads=1)
    wrong = []

    def call(seed):
        for count in (1, 7, 3):
            x = rows(count, seed)
            if not np.allclose(run({"x": x}, ["y"])[0], expected(x), atol=1e-4):
                wrong.append((seed, count))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_feeds_that_do_not_fit_are_refused_and_the_next_call_works(name):
    graph, expected = layers()
    run = backend(name).compile(graph, threads=1)
    run({"x": rows(1)}, ["y"])
    for feeds in (
        {},
        {"x": rows(1), "other": rows(1)},
        {"x": rows(1)[:, 1:]},
        {"x": rows(1)[0]},
        {"x": rows(1).astype(np.float64)},
        {"x": np.zeros((1, WIDTH + 1), np.float32)},
    ):
        with pytest.raises(BrainError, match="could not run"):
            run(feeds, ["y"])
    with pytest.raises(BrainError, match="could not run"):
        run({"x": rows(1)}, ["no such output"])
    np.testing.assert_allclose(run({"x": rows(1)}, ["y"])[0], expected(rows(1)), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_with_an_unknown_operator_is_refused(name):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    graph = helper.make_graph([helper.make_node("Dance", ["x"], ["y"])], "g", [value], [other])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(BrainError, match="refuses the graph"):
        backend(name).compile(pack(model))


@pytest.mark.parametrize("name", NAMES)
def test_every_precision_that_is_claimed_compiles_and_is_about_right(name):
    graph, expected = layers()
    x = rows(3)
    wanted = expected(x)
    claimed = backend(name).precisions()
    assert claimed[0] == "fp32"
    for precision in claimed:
        y = backend(name).compile(graph, threads=1, precision=precision)({"x": x}, ["y"])[0]
        assert np.linalg.norm(y - wanted) < 0.02 * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_a_precision_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(BrainError, match=r"no fp8 .* expected one of: fp32"):
        backend(name).compile(layers()[0], precision="fp8")


def test_bf16_is_claimed_where_the_processor_has_it():
    if "avx512_bf16" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("this processor has no bf16")
    assert "bf16" in backend("openvino").precisions()
    assert "bf16" not in backend("onnxruntime").precisions()


def test_a_network_quantised_to_int8_runs_and_both_backends_agree():
    """Weights and activations in eight bits, as QuantizeLinear and DequantizeLinear say."""
    rng = np.random.default_rng(0)
    product = rng.integers(-127, 128, (WIDTH, 64)).astype(np.int8)
    constants = {
        "w": product,
        "ws": np.float32(0.001),
        "wz": np.int8(0),
        "xs": np.float32(0.03),
        "xz": np.uint8(128),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", WIDTH])],
        [helper.make_tensor_value_info("y", 1, ["N", 64])],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    x = rows(3)
    wanted = np.clip(np.round(x / 0.03), -128, 127) * 0.03 @ (product * 0.001)
    for name in NAMES:
        y = backend(name).compile(pack(model), precision="int8")({"x": x}, ["y"])[0]
        np.testing.assert_allclose(y, wanted, atol=0.01 * np.abs(wanted).max())


@pytest.mark.parametrize("trunk_name", ["octo", "mobilenet_v2_100"])
def test_openvino_gives_the_features_of_onnx_runtime_on_real_photos(trunk_name, shared):
    from ninebrains.images import prepare
    from ninebrains.trunks import import_trunk, load_trunk

    if trunk_name == "octo":
        trunk = load_trunk("octo")
    else:
        trunk = import_trunk(shared / "models" / "mobilenet_v2_100_imagenet.onnx", "mobilenet")
    files = sorted((shared / "data").rglob("*.jpg"))[:4]
    photos = np.stack([prepare(file, trunk.contract) for file in files])
    for output in ("features", "feature_map"):
        ours, theirs = (
            backend(name).compile(trunk.graph, threads=1)({"photos": photos}, [output])[0]
            for name in NAMES
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_backend_of_ones_own_is_one_class_and_one_line(monkeypatch):
    """The example in the package's docstring, as it stands there."""
    import ninebrains.mind.backends as package
    from ninebrains.brains.graph import unpack

    source = package.__doc__.split("uses it wherever it was the fastest:\n\n")[1]
    source = "\n".join(line.removeprefix("    ") for line in source.splitlines())
    entries = {}
    exec(source, {"BACKENDS": entries, "unpack": unpack})
    monkeypatch.setitem(BACKENDS, "reference", entries["reference"])
    assert available() == ("onnxruntime", "openvino", "reference")
    graph, expected = layers()
    y = backend("reference").compile(graph)({"x": rows(2)}, ["y"])[0]
    np.testing.assert_allclose(y, expected(rows(2)), atol=1e-4)


def test_a_backend_that_is_not_installed_says_how_to_install_it(monkeypatch):
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "openvino" else find(name))
    assert available() == ("onnxruntime",)
    assert list(versions()) == ["onnxruntime"]
    with pytest.raises(ExtraError, match=r'pip install "ninebrains\[openvino\]"'):
        backend("openvino")


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(BrainError, match=r"'tpu'; expected one of: onnxruntime, openvino"):
        backend("tpu")


def test_asking_what_is_available_imports_no_runtime():
    code = (
        "import sys; from ninebrains.mind.backends import available, versions; "
        "print(available(), versions(), [m for m in ('onnxruntime', 'openvino', 'onnx') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip().endswith("[]")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only glibc can trim")
@pytest.mark.parametrize("name", NAMES)
def test_weights_are_held_once_also_while_compiling_and_not_at_all_after_freeing(name):
    """In a process of its own, so that nothing else takes or gives memory."""
    code = f"""
import gc
from ninebrains.mind.backends import backend, release_memory
from tests.mind.test_backends import layers, rows

def mebibytes(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

for graph in (layers(2)[0], layers(64)[0]):  # the first one warms up
    gc.collect(); release_memory()
    open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
    before = mebibytes("VmRSS")
    run = backend({name!r}).compile(graph, threads=1)
    compiled, peak = mebibytes("VmRSS"), mebibytes("VmHWM")
    run({{"x": rows(64)}}, ["y"])
    del run
    gc.collect(); release_memory()
weights = sum(map(len, graph.weights.values())) / 1024**2
print(weights, peak - before, compiled - before, mebibytes("VmRSS") - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    weights, peak, compiled, freed = map(float, done.stdout.split())
    assert weights == 64
    assert peak < 2 * weights
    assert compiled < 1.3 * weights
    assert freed < 0.2 * weights
