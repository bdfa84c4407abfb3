"""Named tensors: what counts as photos, what a version gives, and batches that go wrong."""

import asyncio
import threading

import numpy as np
import pytest

from ninebrains.errors import BrainError, MissingError, PhotoError, RequestError
from ninebrains.serving.asking import Asker, Chosen
from ninebrains.serving.settings import Limits
from ninebrains.serving.tensors import (
    Signature,
    answer_tensors,
    photos_of,
    signature_at,
    signature_of,
)
from ninebrains.serving.wire import as_items, best_classes, dtype_of, pack, shape_of, unpack
from tests.brains.making import make_brain, photo
from tests.serving.http.conftest import jpeg, make_host

LIMITS = Limits(photos=4, photo_pixels=10_000)
PIXELS = np.arange(2 * 5 * 6 * 3).reshape(2, 5, 6, 3) % 256


def files(*items, shape=None):
    return as_items(items, shape or (len(items),))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = make_host(tmp_path_factory.mktemp("host"), limits={"photos": 4})
    host.open()
    yield host
    host.close()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (files(b"a", b"b"), [b"a", b"b"]),
        (files(b"a", b"b", shape=(2, 1)), [b"a", b"b"]),
        (files(b"a", shape=()), [b"a"]),
        (np.frombuffer(b"abc", np.uint8), [b"abc"]),
        (np.frombuffer(b"abcdef", np.uint8).reshape(2, 3), [b"abc", b"def"]),
    ],
)
@pytest.mark.parametrize("name", ["image", "input_1", "bytes"])
def test_files_are_told_by_their_type_whatever_they_are_called(name, array, expected):
    assert photos_of({name: array}, LIMITS) == expected


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "uint64", "float16", "float64", ">f4"])
def test_pixels_may_be_of_any_type_that_holds_them(dtype):
    small = PIXELS % 100
    found = photos_of({"data_0": small.astype(dtype)}, LIMITS)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, small)


def test_pixels_of_one_photo_need_no_axis_for_many():
    assert photos_of({"pixels": PIXELS[0].astype(np.uint8)}, LIMITS).shape == (1, 5, 6, 3)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (PIXELS + 0.5, "no whole numbers"),
        (PIXELS - 1, "no whole numbers"),
        (PIXELS + 100, "no whole numbers"),
        (np.full((1, 2, 2, 3), np.nan), "no whole numbers"),
        (np.full((1, 2, 2, 3), np.inf), "no whole numbers"),
        (np.full((1, 2, 2, 3), 1e300), "no whole numbers"),
        (PIXELS > 3, "holds bool"),
        (PIXELS.astype(complex), "holds complex"),
        (np.array(["a"]), "holds <U1"),
        (PIXELS.transpose(0, 3, 1, 2), "channels to the end"),
        (PIXELS[..., :1], "expected RGB pixels"),
        (np.float32(3.0), "expected RGB pixels"),
        (np.zeros((2, 3), np.float32), "expected RGB pixels"),
        (np.zeros((1, 1, 1, 1, 3), np.uint8), "expected RGB pixels"),
        (np.zeros((1, 0, 4, 3), np.uint8), "1 x 1"),
        (np.zeros((0, 4, 4, 3), np.uint8), "got 0 photos"),
        (np.zeros((5, 4, 4, 3), np.uint8), "got 5 photos"),
        (np.zeros((2, 100, 100, 3), np.uint8), "20,000 pixels"),
        (files(), "got 0 photos"),
        (files(*[b"a"] * 5), "got 5 photos"),
        (files(b"a", b"b", shape=(1, 2)), "shape"),
        (files("a"), "item 0"),
    ],
)
def test_what_is_no_photos_is_refused(array, why):
    with pytest.raises(RequestError, match=why):
        photos_of({"image": np.asarray(array)}, LIMITS)


@pytest.mark.parametrize("names", [(), ("image", "pixels")])
def test_exactly_one_input_is_expected(names):
    with pytest.raises(RequestError, match=f"got {len(names)} inputs"):
        photos_of({name: files(b"a") for name in names}, LIMITS)


def test_too_much_is_told_apart_from_nonsense():
    with pytest.raises(RequestError) as caught:
        photos_of({"image": files(*[b"a"] * 5)}, LIMITS)
    assert caught.value.status == 413


def test_a_brain_that_measures_gives_values(host):
    signature = signature_at(host, Chosen("weight", 1, "stable"))
    assert signature.default == ("values", "unfamiliar")
    assert {output.name for output in signature.outputs} == {
        "values",
        "prediction_id",
        "unfamiliar",
        "features",
        "heatmap",
    }


def test_a_guest_gives_its_own_outputs(host):
    signature = signature_at(host, Chosen("guest", 1, "stable"))
    assert signature.default == ("output",)
    assert signature.scores is None


def test_an_output_that_a_brain_does_not_compute_is_not_promised():
    signature = signature_of(make_brain().manifest, ["scores"])
    assert signature.default == ("scores", "label")
    assert [output.name for output in signature.outputs][-1] == "prediction_id"


def test_the_outputs_of_a_signature_are_known_by_name(host):
    signature = signature_at(host, Chosen("pets", 1, "stable"))
    assert isinstance(signature, Signature)
    assert signature.names(["label", "scores", "label"]) == ("label", "scores")
    with pytest.raises(RequestError, match=r"no output 'nothing'.*scores, label"):
        signature.names(["nothing"])


def test_every_output_is_what_the_signature_says(host):
    signature = signature_at(host, Chosen("pets", 2, "stable"))
    names = [output.name for output in signature.outputs]
    answers = asyncio.run(answer_tensors(host, "pets", [jpeg(0), jpeg(1)], names))
    assert list(answers.outputs) == names
    for output in signature.outputs:
        found = answers.outputs[output.name]
        assert str(found.dtype) == {"bytes": "object"}.get(output.dtype, output.dtype)
        assert len(found.shape) == len(output.shape)
        assert found.shape[0] == 2
        assert all(size in (-1, have) for size, have in zip(output.shape, found.shape, strict=True))


def test_a_batch_is_answered_photo_by_photo_as_the_mind_answers(host):
    photos = np.stack([photo(seed) for seed in range(3)])
    answers = asyncio.run(answer_tensors(host, "pets@1", photos))
    assert answers.chosen == Chosen("pets", 1, "version")
    for index, one in enumerate(photos):
        expected = host.mind.run(one, "pets@1")["pets@1"]
        np.testing.assert_allclose(answers.outputs["scores"][index], expected.answers, rtol=1e-5)
        assert answers.outputs["label"][index] == (expected.answer or "").encode()
        assert answers.outputs["unfamiliar"][index] == pytest.approx(expected.unfamiliar)


def test_prediction_ids_are_those_of_each_photo(host):
    answers = asyncio.run(answer_tensors(host, "pets", [jpeg(0), jpeg(1)], ["prediction_id"]))
    opened = [host.seal.open(text.decode()) for text in answers.outputs["prediction_id"]]
    assert [one.labels[0] for one in opened] == [one.top.index for one in answers.inferences]
    assert opened[0].key != opened[1].key


def test_a_bad_photo_fails_the_batch_and_says_which(host):
    with pytest.raises(PhotoError, match="photo 1: not a photo"):
        asyncio.run(answer_tensors(host, "pets", [jpeg(), b"no photo", jpeg()]))
    with pytest.raises(PhotoError, match=r"^not a photo"):
        asyncio.run(answer_tensors(host, "pets", [b"no photo"]))


def choosing(monkeypatch, host, numbers, variant):
    """Let the traffic choose these versions of pets, one after another."""
    turns = iter(numbers)

    def choose(wanted, asker):
        return Chosen("pets", next(turns), variant)

    monkeypatch.setattr(host.traffic, "choose", choose)


def test_one_version_answers_all_photos_even_if_the_traffic_is_split(host, monkeypatch):
    choosing(monkeypatch, host, [1, 2] * 10, "canary")
    answers = asyncio.run(answer_tensors(host, "pets", [jpeg()] * 4))
    assert answers.chosen == Chosen("pets", 1, "canary")
    first = answers.outputs["scores"][0]
    np.testing.assert_array_equal(answers.outputs["scores"], np.tile(first, (4, 1)))


def test_a_version_that_goes_away_between_choosing_and_asking_is_replaced(host, monkeypatch):
    choosing(monkeypatch, host, [9, 9, 2], "stable")
    assert asyncio.run(answer_tensors(host, "pets", [jpeg()])).chosen.number == 2


def test_what_is_not_there_is_missing(host):
    with pytest.raises(MissingError):
        asyncio.run(answer_tensors(host, "nobody", [jpeg()]))


def test_others_are_called_off_when_one_fails(host, monkeypatch):
    """The photo that never gets an answer does not keep the failed call waiting."""
    real, called_off = host.answer, threading.Event()

    async def answer(given, *rest):
        if given == b"endless":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                called_off.set()
                raise
        return await real(given, *rest)

    monkeypatch.setattr(host, "answer", answer)
    with pytest.raises(PhotoError, match="photo 1"):
        asyncio.run(answer_tensors(host, "pets", [b"endless", b"no photo"]))
    assert called_off.is_set()


def test_a_call_that_is_cancelled_cancels_its_photos(host, monkeypatch):
    called_off = []

    async def answer(given, *rest):
        try:
            await asyncio.sleep(60)
        finally:
            called_off.append(given)

    monkeypatch.setattr(host, "answer", answer)

    async def run():
        task = asyncio.create_task(answer_tensors(host, "pets", [b"a", b"b"], asker=Asker()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert sorted(called_off) == [b"a", b"b"]


def test_the_mind_knows_no_outputs_of_strangers(host):
    with pytest.raises(BrainError, match="no 'nobody'"):
        host.mind.outputs("nobody")


@pytest.mark.parametrize(
    ("datatype", "array"),
    [
        ("UINT8", np.arange(6, dtype=np.uint8).reshape(2, 3)),
        ("FP32", np.array([[1.5, -2.0]], np.float32)),
        ("FP16", np.array([0.5], np.float16)),
        ("INT64", np.array([-1, 2**40])),
        ("BOOL", np.array([True, False])),
        ("BYTES", files(b"", b"abc", b"\x00" * 300)),
        ("BYTES", files(b"one", b"two", shape=(2, 1))),
    ],
)
def test_binary_data_comes_back_as_it_was(datatype, array):
    data = memoryview(pack(array))
    found = unpack(datatype, array.shape, data, LIMITS)
    assert found.shape == array.shape
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "why"),
    [
        ("UINT8", (2**30, 2**30, 2**30), b"1234", "takes"),
        ("FP32", (1,), b"123", "takes 4"),
        ("FP32", (0,), b"1234", "takes 0"),
        ("BYTES", (2**30,), b"1234", "photos in one request"),
        ("BYTES", (1,), b"123", "item 0"),
        ("BYTES", (1,), b"\xff\xff\xff\xff", "item 0"),
        ("BYTES", (2,), b"\x01\x00\x00\x00a\x02\x00", "item 1"),
        ("BYTES", (1,), b"\x01\x00\x00\x00ab", "goes on for 1 bytes"),
        ("BF16", (1,), b"12", "datatype"),
    ],
)
def test_sizes_that_lie_are_refused(datatype, shape, data, why):
    with pytest.raises(RequestError, match=why):
        unpack(datatype, shape, memoryview(data), LIMITS)


@pytest.mark.parametrize(
    "shape", [None, 3, "13", [-1], [2**62], [True], [1.0], ["1"], [1] * 9, {"a": 1}]
)
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(RequestError, match="shape"):
        shape_of(shape)


@pytest.mark.parametrize("datatype", [None, 3, [], "float32", "STRING"])
def test_what_is_no_datatype_is_refused(datatype):
    with pytest.raises(RequestError, match="datatype"):
        dtype_of(datatype)


def test_classes_are_the_largest_values_with_place_and_label():
    values = np.array([[0.25, 0.5, 0.25], [0, 0, 1]], np.float32)
    labels = make_brain().labels
    expected = [[b"0.500000:1:dog", b"0.250000:0:cat"], [b"1.000000:2:sofa", b"0.000000:0:cat"]]
    assert best_classes(values, 2, labels).tolist() == expected
    assert best_classes(values, 9, ())[1].tolist() == [b"1.000000:2", b"0.000000:0", b"0.000000:1"]
    with pytest.raises(RequestError, match="no numbers"):
        best_classes(files(b"a"), 1, ())
