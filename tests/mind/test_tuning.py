import json

import numpy as np
import onnx
import pytest
from onnx import helper

from ninebrains.brains.graph import pack
from ninebrains.errors import BrainError
from ninebrains.mind.backends import BACKENDS, REFERENCE, backend
from ninebrains.mind.tuning.agreeing import ENOUGH_PHOTOS, compare
from ninebrains.mind.tuning.choices import Choice
from ninebrains.mind.tuning.trials import Trial, best
from ninebrains.mind.tuning.tuning import all_ways, tune
from ninebrains.workers import usable_cores
from tests.mind.test_backends import WIDTH, layers, rows

QUICK = 0.001  # seconds for a timing: the fewest rounds there are
HUGE = 12  # layers: a run takes thousands of times as long as looking an answer up


class Memory:
    """A backend that has seen everything before: instant, and right but for `change`."""

    name = "memory"
    change = staticmethod(lambda y: y)
    compiled = ()

    def precisions(self):
        return ("fp32",)

    def compile(self, graph, *, threads=None, precision="fp32"):
        run = backend(REFERENCE).compile(graph, threads=1)
        known = {}
        Memory.compiled += ((threads, precision),)

        def answer(feeds, outputs):
            key = feeds["x"].tobytes()
            if key not in known:
                values = run(feeds, ["y", "z"])
                known[key] = {"y": self.change(values[0]), "z": values[1]}
            return [known[key][name] for name in outputs]

        return answer


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setattr(Memory, "compiled", ())
    monkeypatch.setitem(BACKENDS, "memory", Memory)
    return Memory


def tuned(monkeypatch, change, *, count=8, num_layers=HUGE, **options):
    monkeypatch.setattr(Memory, "change", staticmethod(change))
    return tune(
        layers(num_layers)[0],
        {"x": rows(count)},
        ways=[Choice("memory", 1)],
        seconds=QUICK,
        batches=(1, 4),
        **options,
    )


def test_a_faster_way_that_agrees_is_chosen(memory, monkeypatch):
    found = tuned(monkeypatch, lambda y: y)
    assert (found.choice.backend, found.choice.threads, found.choice.precision) == (
        "memory",
        1,
        "fp32",
    )
    assert found.choice.batch in (1, 4)
    assert found.speedup > 2
    assert [(trial.choice.backend, trial.choice.batch) for trial in found.trials] == [
        (REFERENCE, 1),
        (REFERENCE, 4),
        ("memory", 1),
        ("memory", 4),
    ]
    reference, ours = found.trials[0], found.trials[2]
    assert (reference.ratio, reference.agreement) == (1.0, None)
    assert ours.objection is None
    assert ours.agreement.cosine == pytest.approx(1)
    assert ours.ms == pytest.approx(reference.ms / ours.ratio)


def noisy(y, size=0.1):
    return y + size * np.linalg.norm(y, axis=1, keepdims=True) / WIDTH**0.5 * np.sign(y - y.mean())


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (noisy, r"cosine 0\.99\d+ is below 0.999"),
        (lambda y: -y, r"cosine -1.0+ is below"),
        (lambda y: 1.2 * y, "values differ by 20.0%; 5% are allowed"),
        (lambda y: y * np.nan, "cosine nan is below"),
        (lambda y: y[:, :5], "cosine nan is below"),
        (np.zeros_like, r"cosine 0.0+ is below"),
    ],
    ids=["noise", "the opposite", "too long", "not a number", "another shape", "nothing"],
)
def test_a_faster_way_with_other_values_is_refused_and_says_why(
    memory, monkeypatch, change, objection
):
    found = tuned(monkeypatch, change)
    assert found.choice.backend == REFERENCE
    assert found.speedup == 1
    assert all(trial.objection is None for trial in found.trials[:2])
    for trial in found.trials[2:]:
        assert trial.ratio > 2
        with pytest.raises(AssertionError, match=objection):
            raise AssertionError(trial.objection)
    json.loads(json.dumps(found.to_dict(), allow_nan=False))


@pytest.mark.parametrize(
    ("num_photos", "num_other", "chosen"),
    [
        (ENOUGH_PHOTOS, 0, "memory"),
        (ENOUGH_PHOTOS, 1, "memory"),  # half a percent
        (ENOUGH_PHOTOS, 2, REFERENCE),
        (ENOUGH_PHOTOS - 1, 0, "memory"),
        (ENOUGH_PHOTOS - 1, 1, REFERENCE),  # too few to tell: all must agree
    ],
)
def test_what_brains_say_first_may_differ_on_half_a_percent_of_enough_photos(
    memory, monkeypatch, num_photos, num_other, chosen
):
    """A brain asks whether a sum is above what it is for the photos in question."""
    reference = backend(REFERENCE).compile(layers(HUGE)[0], threads=1)
    first = reference({"x": rows(num_photos)}, ["y"])[0].sum(axis=1)
    limits = np.full(num_photos, 1e9)
    limits[:num_other] = first[:num_other] * (1 + 5e-4)

    def top(outputs):
        return {
            "same": np.zeros(num_photos, int),
            "fickle": (outputs["y"].sum(axis=1) > limits).astype(int),
        }

    found = tuned(monkeypatch, lambda y: y * 1.001, count=num_photos, top=top)
    assert found.choice.backend == chosen
    agreement = found.trials[2].agreement
    assert agreement.same_top == pytest.approx(1 - num_other / num_photos)
    assert agreement.num_photos == num_photos
    is_noted = any("too few" in note for note in found.notes)
    assert is_noted == (num_photos < ENOUGH_PHOTOS)
    if chosen == REFERENCE:
        assert "top-1 agrees on" in found.trials[2].objection


def test_a_way_that_cannot_run_is_a_row_with_its_reason(memory, monkeypatch):
    found = tune(
        layers()[0],
        {"x": rows(3)},
        ways=[Choice(REFERENCE, 1, None, "fp8"), Choice("memory", 1)],
        seconds=QUICK,
        batches=(1,),
    )
    broken = found.trials[1]
    assert (broken.choice.batch, broken.ms, broken.ratio) == (None, None, None)
    assert "no fp8" in broken.objection
    assert found.trials[2].choice.backend == "memory"


def test_int8_is_tried_where_there_is_a_variant_made_for_it_and_only_there(memory):
    graph, _ = layers(2)
    assert all(way.precision != "int8" for way in all_ways())
    assert any(way.precision == "int8" for way in all_ways(["int8"]))
    x = rows(6)
    ways = [Choice(name, 1, None, "int8") for name in (REFERENCE, "openvino")]
    found = tune(
        graph,
        {"x": x},
        variants={"int8": quantised(2)},
        ways=ways,
        seconds=QUICK,
        batches=(1,),
    )
    for trial in found.trials[1:]:
        assert trial.choice.precision == "int8"
        # The variant was run: eight bits are close, and closer than chance, but not the same.
        assert 0.99 < trial.agreement.cosine < 0.999999


def quantised(num_layers):
    """`layers` with weights and what they are multiplied with in eight bits."""
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("Add", ["x", "x"], ["z"])]
    constants = {"xz": np.uint8(128), "wz": np.int8(0)}
    before = "x"
    for place in range(num_layers):
        product = (rng.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
        scale = np.abs(product).max() / 127
        constants |= {
            f"w{place}": np.round(product / scale).astype(np.int8),
            f"ws{place}": np.float32(scale),
            f"xs{place}": np.float32(4 / 127),
        }
        steps = [
            ("QuantizeLinear", [before, f"xs{place}", "xz"], f"q{place}"),
            ("DequantizeLinear", [f"q{place}", f"xs{place}", "xz"], f"d{place}"),
            ("DequantizeLinear", [f"w{place}", f"ws{place}", "wz"], f"v{place}"),
            ("MatMul", [f"d{place}", f"v{place}"], f"m{place}"),
            ("Relu", [f"m{place}"], "y" if place == num_layers - 1 else f"h{place}"),
        ]
        nodes += [helper.make_node(kind, given, [made]) for kind, given, made in steps]
        before = f"h{place}"
    values = {name: helper.make_tensor_value_info(name, 1, ["N", WIDTH]) for name in "xyz"}
    graph = helper.make_graph(
        nodes,
        "g",
        [values["x"]],
        [values["y"], values["z"]],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return pack(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]))


def test_by_default_every_backend_thread_count_and_precision_is_tried_but_the_reference(memory):
    ways = list(all_ways())
    assert Choice(REFERENCE, usable_cores()) not in ways
    assert len(set(ways)) == len(ways)
    assert {way.backend for way in ways} >= {"openvino", "memory"}
    assert {way.threads for way in ways} >= {1, usable_cores()}
    for way in ways:
        assert way.precision in backend(way.backend).precisions()


def test_openvino_agrees_on_photos_with_the_embedded_trunk(shared):
    from ninebrains.images import prepare
    from ninebrains.trunks import load_trunk

    trunk = load_trunk("octo")
    files = sorted((shared / "data").rglob("*.jpg"))[:6]
    photos = np.stack([prepare(file, trunk.contract) for file in files])
    seen = []
    found = tune(
        trunk.graph,
        {"photos": photos},
        ways=[Choice("openvino", 1)],
        seconds=QUICK,
        batches=(1, 4),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 1), (1, 1)]
    assert found.num_photos == 6
    for trial in found.trials[2:]:
        assert trial.objection is None
        assert trial.agreement.cosine > 0.99999
        assert trial.agreement.same_top is None  # nobody was on it


@pytest.mark.parametrize("feeds", [{}, {"x": rows(0)}, {"x": rows(2), "more": rows(3)}])
def test_without_photos_there_is_nothing_to_compare_on(feeds):
    with pytest.raises(BrainError, match="calibration photos are missing"):
        tune(layers()[0], feeds)


@pytest.mark.parametrize(
    ("ours", "reference", "cosine", "difference"),
    [
        ([[3, 4]], [[3, 4]], 1, 0),
        ([[6, 8]], [[3, 4]], 1, 1),
        ([[4, -3]], [[3, 4]], 0, 2**0.5),
        ([[3, 4], [0, 0]], [[3, 4], [0, 0]], 1, 0),
        ([[3, 4], [0, 1]], [[3, 4], [0, 0]], 0, np.inf),
        ([[3, 4], [0, 0]], [[3, 4], [0, 2]], 0, 1),
        ([[[1], [0]]], [[[0], [1]]], 0, 2**0.5),
        ([2], [2], 1, 0),
    ],
)
def test_outputs_are_compared_photo_by_photo_and_the_worst_counts(
    ours, reference, cosine, difference
):
    ours, reference = ({"y": np.array(value, np.float32)} for value in (ours, reference))
    found = compare(ours, reference, our_top={}, their_top={})
    assert found.cosine == pytest.approx(cosine)
    assert found.difference == pytest.approx(difference)
    assert found.same_top is None


def trial(backend, threads, batch, ms, precision="fp32", objection=None):
    return Trial(Choice(backend, threads, batch, precision), ms, 1.0, None, objection)


REFERENCE_TRIALS = [trial(REFERENCE, 2, 1, 10.0), trial(REFERENCE, 2, 4, 8.0)]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], (REFERENCE, 2, 4, "fp32")),
        # Much faster, but not allowed.
        (
            [
                trial("openvino", 2, 1, 1.0, objection="no"),
                trial("openvino", 2, 4, 1.0, objection="no"),
            ],
            None,
        ),
        # A little faster may be chance.
        ([trial("openvino", 2, 1, 9.8), trial("openvino", 2, 4, 7.8)], None),
        ([trial("openvino", 2, 1, 5.0), trial("openvino", 2, 4, 4.0)], ("openvino", 2, 4, "fp32")),
        # A larger batch that gains nothing is not worth its wait.
        ([trial("openvino", 2, 1, 4.0), trial("openvino", 2, 4, 4.1)], ("openvino", 2, 1, "fp32")),
        # Fast in full batches alone is not enough: 40 and 2 are as good as 9 and 9.
        ([trial("openvino", 2, 1, 40.0), trial("openvino", 2, 4, 2.0)], None),
        # Of two that are equally fast the plainer one: fp32, then fewer threads.
        (
            [
                trial("openvino", 2, 1, 4.0, "bf16"),
                trial("openvino", 2, 4, 3.0, "bf16"),
                trial("openvino", 2, 1, 4.1),
                trial("openvino", 2, 4, 3.1),
                trial("openvino", 1, 1, 4.1),
                trial("openvino", 1, 4, 3.1),
            ],
            ("openvino", 1, 4, "fp32"),
        ),
        # What did not run has no times.
        ([Trial(Choice("openvino", 1), None, None, None, "refused")], None),
    ],
)
def test_the_best_way_is_the_one_that_serves_single_photos_and_batches(others, expected):
    backend_name, threads, batch, precision = expected or (REFERENCE, 2, 4, "fp32")
    choice, speedup = best([*REFERENCE_TRIALS, *others])
    assert choice == Choice(backend_name, threads, batch, precision)
    assert (speedup > 1) == (choice.backend != REFERENCE)
