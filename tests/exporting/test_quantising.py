"""Int8: what is written, what mends it, and what is refused."""

import numpy as np
import pytest
from onnx import numpy_helper

from ninebrains.errors import BrainError
from ninebrains.exporting.quantising import (
    EFFORTS,
    bias_shifts,
    channel_peaks,
    choose_photos,
    equalise,
    equalised,
    find_layers,
    measure_ranges,
    mended,
    quantise,
    quantise_with,
    rank_layers,
    spread_photos,
    values_with_grids,
    with_biases,
    write,
)
from ninebrains.exporting.quantising.entering import enter_as_bytes
from ninebrains.exporting.runners import onnx as runner
from ninebrains.exporting.target import Job
from ninebrains.exporting.targets import target
from ninebrains.images import prepare
from ninebrains.training.training import fit
from tests.exporting.networks import SIDE, Sketch, mobile_network, pictures, residual_network, run

NETWORKS = {"mobile": mobile_network, "residual": residual_network}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


@pytest.fixture(scope="module")
def photos():
    return pictures(60)


def error(model, other, pixels):
    """Of the features, as a share."""
    wanted, given = (run(each, pixels)[1] for each in (model, other))
    return np.linalg.norm(given - wanted) / np.linalg.norm(wanted)


@pytest.fixture(scope="module")
def octo(tmp_path_factory, pets):
    """A brain on the embedded trunk, and its training photos as it sees them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(tmp_path_factory.mktemp("octo")))
        brain = fit(pets, trunk="octo").brain
    return brain, np.stack([prepare(path, brain.contract) for path in sorted(pets.rglob("*.jpg"))])


def kinds(model):
    return [node.op_type for node in model.graph.node]


def constants(model):
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def test_the_quantised_network_answers_much_as_in_float(network, photos):
    quantised = quantise(network, photos)
    scores, _ = run(network, pictures(200, 1))
    given, _ = run(quantised, pictures(200, 1))
    assert (scores.argmax(1) == given.argmax(1)).mean() >= 0.9
    assert error(network, quantised, pictures(200, 1)) < 0.2


def test_an_onnx_export_in_int8_answers_like_the_brain_at_a_quarter_of_the_size(octo, tmp_path):
    brain, pixels = octo
    sizes, answers = {}, {}
    for precision in ("fp32", "int8"):
        folder = tmp_path / precision
        folder.mkdir()
        built = target("onnx").build(Job((brain,), precision, pixels), folder)
        assert set(built.outputs) == set(brain.outputs)
        sizes[precision] = (folder / "model.onnx").stat().st_size
        ready = runner.open_model(folder, {"outputs": list(built.outputs)}, 1)
        answers[precision] = ready(pixels)
    assert sizes["int8"] < 0.27 * sizes["fp32"]
    for name, values in answers["fp32"].items():
        off = np.linalg.norm(answers["int8"][name] - values) / np.linalg.norm(values)
        assert off < 0.1, name
    same = answers["fp32"]["scores"].argmax(1) == answers["int8"]["scores"].argmax(1)
    assert same.mean() >= 0.97


def test_all_of_the_trunk_and_nothing_of_the_head_is_in_8_bits(network, photos):
    quantised = quantise(network, photos)
    values = constants(quantised)
    for layer in find_layers(network):
        assert values[f"{layer.name}/weights/steps"].dtype == np.int8
        assert values[f"{layer.name}/bias/steps"].dtype == np.int32
    assert values["head/weights"].dtype == np.float32
    assert not {"Cast", "Sub", "Clip"} & set(kinds(quantised))
    # Only the head's input leaves 8 bits: nothing in the trunk is a float that 8 bits do not hold.
    assert (
        kinds(quantised).count("QuantizeLinear")
        == len(values_with_grids(network, find_layers(network))) - 1
    )


def test_onnx_runtime_fuses_every_layer(network, photos, tmp_path):
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 4
    quantised = quantise_with(network, photos, 2).model
    onnxruntime.InferenceSession(
        quantised.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fused = kinds(onnx.load(tmp_path / "fused.onnx"))
    assert fused.count("QLinearConv") == len(find_layers(network))
    assert not {"Conv", "FusedConv", "Relu", "Min", "QuantizeLinear"} & set(fused)


def test_no_photo_can_bring_sums_of_two_products_out_of_16_bits(network, photos):
    values = constants(quantise(network, photos))
    for layer in find_layers(network):
        steps = np.abs(values[f"{layer.name}/weights/steps"].astype(int))
        if layer.is_depthwise:
            assert steps.max() == 127
            continue
        for order in ((0, 1, 2, 3), (0, 2, 3, 1)):
            flat = steps.transpose(order).reshape(len(steps), -1)
            # Rounding up both of a pair may add one step.
            assert (255 * (flat[:, :-1] + flat[:, 1:])).max() <= 32767
        assert steps.reshape(len(steps), -1).max(axis=1).min() >= 63


def test_the_same_photos_give_the_same_bytes(network, photos):
    first, second = (quantise_with(network, photos, 2).model for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )


def test_the_network_given_is_left_alone(network, photos):
    before = network.SerializeToString(deterministic=True)
    quantise_with(network, photos, len(EFFORTS) - 1)
    assert network.SerializeToString(deterministic=True) == before


def test_equalising_changes_nothing_in_float(network, photos):
    for equal in (equalise(network), equalised(network, photos)):
        assert equal.SerializeToString() != network.SerializeToString()
        for wanted, given in zip(
            run(network, pictures(100, 2)), run(equal, pictures(100, 2)), strict=True
        ):
            np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


def test_equalising_evens_out_what_shares_a_grid():
    network, pixels = mobile_network(), pictures(40)
    before = channel_peaks(network, pixels, ["wide1/relu6"])["wide1/relu6"]
    after = channel_peaks(equalised(network, pixels), pixels, ["wide1/relu6"])["wide1/relu6"]
    assert np.median(after) / after.max() > 2 * np.median(before) / before.max()
    assert after.max() <= 6.0001


def test_relu6_is_kept_where_a_channel_reaches_it():
    """Scaling a channel up must not move where it is cut off, even far outside of what was seen."""
    network, dim = mobile_network(), (pictures(30).astype(int) // 4 + 90).astype(np.uint8)
    equal = equalised(network, dim)
    hard = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (50, SIDE, SIDE, 3))
    np.testing.assert_allclose(run(equal, hard)[1], run(network, hard)[1], rtol=1e-4, atol=1e-4)


def test_each_effort_mends_what_the_usual_way_breaks(photos):
    network, pixels = mobile_network(), pictures(200, 3)
    usual, _, careful, most = (
        quantise_with(network, photos, effort) for effort in range(len(EFFORTS))
    )
    broken = error(network, usual.model, pixels)
    assert error(network, careful.model, pixels) < 0.8 * broken
    assert error(network, most.model, pixels) < 0.8 * broken
    assert usual.in_float == () == careful.in_float
    assert len(most.in_float) == 1
    assert most.in_float[0] in most.notes[1]


def test_corrected_biases_give_the_means_of_the_float_network(network, photos):
    entered = enter_as_bytes(network)
    layers = find_layers(entered)
    ranges = measure_ranges(entered, photos, values_with_grids(entered, layers), "extremes")
    plain = write(entered, layers, ranges, {})
    shifts = bias_shifts(entered, plain, photos)
    assert set(shifts) == {layer.name for layer in layers}
    corrected = write(entered, layers, ranges, shifts)
    wanted = run(network, photos)[1].mean(axis=0)
    off = [np.abs(run(each, photos)[1].mean(axis=0) - wanted).sum() for each in (plain, corrected)]
    assert off[1] < 0.5 * off[0]


def test_corrected_biases_can_go_into_a_float_network_for_other_quantisers(photos):
    network = residual_network()
    shifts = {"first": np.full(16, 0.25, np.float32)}
    bias = constants(with_biases(network, shifts))["first/corrected_bias"]
    np.testing.assert_allclose(bias, constants(network)["first/b"] + 0.25)
    ready = mended(network, photos)
    assert "QuantizeLinear" not in kinds(ready)
    assert 0 < error(network, ready, photos) < 0.2


def test_layers_are_ranked_by_what_they_cost(network, photos):
    layers = find_layers(network)
    ranges = measure_ranges(network, photos, values_with_grids(network, layers), "extremes")
    ranked = rank_layers(network, photos[:16], ranges, {})
    assert {name for name, _ in ranked} == {layer.name for layer in layers}
    gains = [gain for _, gain in ranked]
    assert gains == sorted(gains, reverse=True)
    best, worst = (
        np.square(
            np.log(run(quantise(network, photos, keep_float=[name]), photos[:16])[0])
            - np.log(run(network, photos[:16])[0])
        ).mean()
        for name in (ranked[0][0], ranked[-1][0])
    )
    assert best < worst


def test_layers_can_be_left_in_float(network, photos):
    layers = find_layers(network)
    kept = layers[1].name
    quantised = quantise(network, photos, keep_float=[kept])
    assert f"{kept}/weights/steps" not in constants(quantised)
    assert f"{layers[0].name}/weights/steps" in constants(quantised)
    everything = quantise(network, photos, keep_float=[layer.name for layer in layers])
    assert "QuantizeLinear" not in kinds(everything)
    assert error(network, everything, photos) < 1e-2  # the border of the photo


@pytest.mark.parametrize("method", ["extremes", "percentile", "least error"])
def test_ranges_hold_zero_and_lie_within_what_was_seen(method, photos):
    network = residual_network()
    (whole,) = measure_ranges(network, photos, ["first"], "extremes").values()
    ((low, high),) = measure_ranges(network, photos, ["first"], method).values()
    assert whole[0] <= low <= 0 <= high <= whole[1]
    assert (low, high) == whole or method != "extremes"


def test_rare_large_values_are_cut_off_where_that_costs_least():
    from ninebrains.exporting.quantising.calibrating import _Histogram, _least_error

    counts = np.zeros(2048, np.int64)
    counts[:100], counts[-1] = 10_000, 1
    low, high = _least_error(_Histogram(counts, 0.0, 100.0))
    assert low == 0
    assert high < 50


def test_chosen_photos_are_unlike_each_other():
    network = residual_network()
    same, others = np.repeat(pictures(1, 5), 50, axis=0), pictures(10, 6)
    chosen = choose_photos(network, np.concatenate([same, others]), 11)
    found = {photo.tobytes() for photo in chosen}
    assert len(chosen) == 11
    assert {photo.tobytes() for photo in others} <= found
    assert len(choose_photos(network, others, 20)) == 10


def test_photos_are_spread_over_all_that_there_are():
    assert spread_photos(np.arange(10).repeat(10), 10).tolist() == list(range(10))


def test_older_operator_sets_are_brought_up_to_date(photos):
    quantised = quantise(mobile_network(opset=12), photos)
    assert error(mobile_network(), quantised, pictures(50, 1)) < 0.2


def test_a_channel_of_zeros_does_no_harm(photos):
    network = residual_network()
    for tensor in network.graph.initializer:
        if tensor.name == "first/w":
            weights = numpy_helper.to_array(tensor).copy()
            weights[3] = 0
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    for effort in (0, 2):
        assert error(network, quantise_with(network, photos, effort).model, photos) < 0.2


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (None, "without photos to calibrate on"),
        (pictures(2), "got 2 photos to calibrate on; expected at least 10"),
        (pictures(20, side=16), r"uint8\[20, 16, 16, 3\]"),
        (pictures(20).astype(np.float32), "float32"),
    ],
)
def test_photos_that_cannot_be_calibrated_on_are_refused(pixels, told):
    with pytest.raises(BrainError, match=told):
        quantise_with(residual_network(), pixels, 0)


def test_a_network_of_other_layers_is_refused(photos):
    sketch = Sketch()
    value = sketch.conv("centred", "stem", 3, 8, stride=2)
    sketch.constant("large", np.zeros((16, 16), np.float32))
    value = sketch.node("MatMul", [value, "large"], "mixed")
    with pytest.raises(BrainError, match="int8 takes convolutions; they hold 216 of"):
        quantise_with(sketch.finish(value, 8, SIDE), photos, 0)


def test_values_that_are_not_finite_are_told(photos):
    network = residual_network()
    for tensor in network.graph.initializer:
        if tensor.name == "first/b":
            tensor.CopyFrom(numpy_helper.from_array(np.full(16, np.inf, np.float32), tensor.name))
    with pytest.raises(BrainError, match="not finite"):
        quantise_with(network, photos, 0)


def test_an_unknown_effort_is_refused(photos):
    with pytest.raises(BrainError, match="got the effort 4; expected 0 to 3"):
        quantise_with(residual_network(), photos, 4)
