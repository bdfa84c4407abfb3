"""Brains answer photos: in every form, one or many, and never with nonsense."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from PIL import Image

from ninebrains.brains import Inference
from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError, PhotoError

from .making import CHANNELS, SIDE, make_brain, photo, repacked


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_form_of_a_photo_gives_the_same_answer(tmp_path):
    brain, pixels = make_brain(), photo()
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    file = io.BytesIO(png(pixels))
    forms = [path, str(path), png(pixels), file, Image.fromarray(pixels), pixels]
    answers = [brain.run(form) for form in forms]
    assert len({tuple(item.instances) for item in answers}) == 1
    assert answers[0].photo_size == (48, 40)
    assert answers[0].brain == "pets@1"


def test_a_classifier_gives_every_label_surest_first_with_scores_that_sum_to_one():
    answer = make_brain().run(photo())
    scores = [instance.score for instance in answer.instances]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert {instance.label_id for instance in answer.instances} == {"id-cat", "id-dog", "id-sofa"}
    assert answer.top == answer.instances[0]
    assert answer.features.shape == (CHANNELS,)
    assert len(make_brain().run(photo(), top=2).instances) == 2


def test_a_heat_map_explains_the_raw_score_of_its_label():
    brain = make_brain("regress")
    answer = brain.run(photo())
    bias = next(
        numpy_helper.to_array(item)
        for item in unpack(brain.graph).graph.initializer
        if item.name == "bias"
    )
    assert answer.heatmap().shape == (SIDE // 4, SIDE // 4)
    assert answer.heatmap().mean() + bias[0] == pytest.approx(answer.top.value, rel=1e-4)


def test_heat_maps_are_found_by_name_id_and_index():
    answer = make_brain().run(photo())
    for wanted in ("dog", "id-dog", 1):
        np.testing.assert_array_equal(answer.heatmap(wanted), answer.heatmaps[1])
    with pytest.raises(BrainError, match=r"no label 'cow'.*cat, dog, sofa"):
        answer.heatmap("cow")
    with pytest.raises(BrainError, match="without"):
        make_brain().run(photo(), heatmaps=False).heatmap()


def test_multilabel_scores_are_independent_and_regression_gives_a_value():
    several = make_brain("multilabel").run(photo())
    assert sum(instance.score for instance in several.instances) > 1
    assert len(several.at_least(0.8)) == 2
    one = make_brain("regress").run(photo())
    assert (len(one.instances), one.top.score) == (1, 1.0)
    assert one.to_dict()["instances"][0]["value"] == one.top.value


def test_an_unfamiliar_photo_has_no_answer_but_a_nearest_label():
    brain = make_brain()
    strange, usual = brain.run(photo()), brain.run(np.zeros((40, 40, 3), np.uint8))
    assert strange.unfamiliar > 1
    assert strange.answer is None
    assert strange.top.label == "cat"
    assert usual.unfamiliar <= 1
    assert usual.answer == usual.top.label


def test_outputs_beside_the_answer_are_optional():
    brain = make_brain()
    model = unpack(brain.graph)
    del model.graph.output[1:]
    answer = repacked(brain, model).run(photo())
    assert answer.unfamiliar is None
    assert answer.features is None
    assert answer.answer == answer.top.label


def test_many_photos_give_the_answers_of_single_ones_in_their_order():
    brain = make_brain()
    photos = [photo(seed, width=40 + seed) for seed in range(23)]
    many = list(brain.run_many(photos, batch=5))
    assert [item.photo_size[0] for item in many] == list(range(40, 63))
    for item, pixels in zip(many, photos, strict=True):
        single = brain.run(pixels)
        assert item.top.label == single.top.label
        assert item.top.score == pytest.approx(single.top.score, rel=1e-5)
    assert many[0].heatmaps is None
    assert next(brain.run_many(photos, heatmaps=True)).heatmap().shape == (8, 8)


def test_a_bad_photo_stops_the_rest_only_if_asked_to():
    brain, photos = make_brain(), [photo(0), b"no photo", photo(2), b"", photo(4)]
    found = list(brain.run_many(photos, batch=2, on_error="yield"))
    assert [type(item) for item in found] == [
        *(Inference, PhotoError, Inference, PhotoError, Inference)
    ]
    before = []
    with pytest.raises(PhotoError, match="not a photo"):
        before.extend(brain.run_many(photos, batch=4))
    assert not before or len(before) == 1
    stream = brain.run_many(photos, batch=4)
    assert next(stream).top.label == found[0].top.label


def test_an_endless_stream_of_photos_is_read_only_as_needed():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield photo(len(taken))

    stream = make_brain().run_many(endless(), batch=4)
    for _ in range(9):
        next(stream)
    stream.close()
    assert len(taken) <= 9 + 4 * 4


@pytest.mark.parametrize(("batch", "on_error"), [(0, "raise"), (4, "skip")])
def test_settings_out_of_range_are_refused_at_once(batch, on_error):
    with pytest.raises(ValueError, match="batch"):
        make_brain().run_many([], batch=batch, on_error=on_error)


@pytest.mark.parametrize(
    "wrong",
    [
        *("cat.jpg", b"x", bytearray(b"x"), Path("cat.jpg"), io.BytesIO(b"x"), None, 7),
        *(Image.new("RGB", (4, 4)), photo(), photo()[:, :, 0]),
    ],
)
def test_one_photo_in_place_of_many_is_refused_at_once(wrong):
    with pytest.raises(PhotoError, match=r"run_many got one .* expected a list"):
        make_brain().run_many(wrong)


def test_an_array_of_photos_is_many_photos():
    assert len(list(make_brain().run_many(np.stack([photo(0), photo(1)])))) == 2


def test_many_threads_share_one_compiled_network(monkeypatch):
    brain, sessions, answers = make_brain(), [], []

    def work(seed):
        sessions.append(brain.session)
        answers.append((seed, brain.run(photo(seed)).top))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(session) for session in sessions}) == 1
    assert all(brain.run(photo(seed)).top == top for seed, top in answers)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, SIDE, SIDE, 3), np.float32),
        np.zeros((SIDE, SIDE, 3), np.uint8),
        np.zeros((1, SIDE, SIDE + 1, 3), np.uint8),
    ],
)
def test_pixels_that_do_not_fit_the_contract_are_refused(pixels):
    with pytest.raises(BrainError, match=r"takes uint8\['N', 32, 32, 3\]"):
        make_brain().compute(pixels, ["scores"])


def test_values_that_are_not_numbers_are_no_answer():
    brain = make_brain()
    model = unpack(brain.graph)
    for tensor in model.graph.initializer:
        if tensor.name == "bias":
            nan = np.full(3, np.nan, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(nan, "bias"))
    with pytest.raises(BrainError, match="not numbers"):
        repacked(brain, model).run(photo())


def test_a_network_that_gives_another_shape_than_it_says_is_caught():
    brain = make_brain()
    four = make_brain(names=("a", "b", "c", "d"))
    with pytest.raises(BrainError, match="a column for each label"):
        repacked(brain, unpack(four.graph)).run(photo())


def test_a_network_that_fails_says_which_brain_it_was():
    with pytest.raises(BrainError, match="network of pets failed"):
        make_brain().compute(np.zeros((1, SIDE, SIDE, 3), np.uint8), ["no_such_output"])


def test_a_graph_that_cannot_be_compiled_is_an_error_and_nothing_is_printed(capfd):
    brain = make_brain()
    model = unpack(brain.graph)
    model.graph.node[3].op_type = "NoSuchOperator"
    with pytest.raises(BrainError, match=r"ONNX Runtime refuses the graph.*NoSuchOperator"):
        repacked(brain, model).run(photo())
    assert capfd.readouterr() == ("", "")


def test_renaming_a_label_keeps_id_index_and_answers():
    brain = make_brain()
    renamed = brain.rename_label("cat", "Katze")
    assert [label.name for label in renamed.labels] == ["Katze", "dog", "sofa"]
    assert renamed.labels[0].id == "id-cat"
    assert renamed.run(photo()).top.label == "Katze"
    assert renamed.graph is brain.graph
    assert renamed != brain
    assert renamed.rename_label("id-cat", "cat") == brain


@pytest.mark.parametrize(
    ("label", "name", "reason"),
    [
        ("cow", "calf", "no label 'cow'"),
        ("cat", "dog", "used twice"),
        ("cat", "", "at least 1"),
        ("cat", "\x1b]0;pwn\x07", r"control or format character U\+001B"),
        ("cat", "a\nb", r"U\+000A"),
        ("cat", "a\u202eb", r"U\+202E"),
        ("cat", "x" * 201, "at most 200"),
    ],
)
def test_labels_that_cannot_be_renamed_say_why(label, name, reason):
    with pytest.raises(BrainError, match=reason):
        make_brain().rename_label(label, name)
