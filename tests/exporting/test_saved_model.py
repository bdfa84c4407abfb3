"""SavedModels: the brain's answers for arrays and for photo files; nothing left of training."""

import io

import numpy as np
import pytest
from PIL import Image

import ninebrains as nb
from ninebrains.exporting.saved_model.photos import decoder
from tests.exporting.artefacts import Artefact
from tests.making import jpeg, photo


@pytest.fixture(scope="session")
def artefacts(small_brain, tmp_path_factory):
    """The small brain in both precisions."""
    folder = tmp_path_factory.mktemp("saved_model")
    return {
        precision: Artefact("saved_model", small_brain, precision, folder / precision)
        for precision in ("fp32", "fp16")
    }


@pytest.fixture(scope="session")
def loaded(artefacts):
    """The model in 32 bits, as TensorFlow loads it."""
    import tensorflow

    return tensorflow.saved_model.load(str(artefacts["fp32"].folder / "1"))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 0.01)])
def test_gives_the_brains_answers(artefacts, small_brain, small_pixels, precision, tolerance):
    expected = small_brain.compute(small_pixels, small_brain.outputs)
    for row, given in enumerate(artefacts[precision].ask(small_pixels)):
        assert set(given) == set(small_brain.outputs)
        for name, values in given.items():
            one = expected[name][row : row + 1]
            assert values.shape == one.shape
            assert np.abs(values - one).max() < tolerance * max(1.0, np.abs(one).max())


def test_takes_many_arrays_at_once(loaded, small_brain, small_pixels):
    found = loaded.signatures["serving_default"](photos=small_pixels)
    expected = small_brain.compute(small_pixels, small_brain.outputs)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values, atol=1e-4)


def test_takes_photo_files_of_any_size_at_once(loaded, small_brain):
    files = [jpeg("cat", 200), jpeg("dog", 201, size=(640, 300)), png(photo("bird", 3))]
    found = loaded.signatures["serving_bytes"](photo_bytes=files)["scores"].numpy()
    pixels = np.stack([nb.prepare(file, small_brain.contract) for file in files])
    expected = small_brain.compute(pixels, ["scores"])["scores"]
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_holds_constants_only_and_16_bits_take_half_the_room(artefacts, loaded):
    assert not getattr(loaded, "variables", ())
    graph = loaded.signatures["serving_default"].graph.as_graph_def()
    kinds = {node.op for part in (graph, *graph.library.function) for node in nodes(part)}
    assert not [kind for kind in kinds if "Variable" in kind or "VarHandle" in kind]
    sizes = [
        (artefacts[precision].folder / "1/saved_model.pb").stat().st_size
        for precision in ("fp32", "fp16")
    ]
    weights = 4 * (24 * 3 * 25 + 48 * 24 * 25)
    assert weights < sizes[0] < weights + 220_000  # the rest reads photo files
    assert sizes[0] - sizes[1] > 0.45 * weights


def nodes(part):
    return part.node if hasattr(part, "node") else part.node_def


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def turned(orientation, endian="II"):
    """A JPEG whose rows are stored as EXIF's orientation says."""
    exif = Image.Exif()
    exif.endian = ">" if endian == "MM" else "<"
    exif[0x010F] = "Ninebrains"
    exif[0x0112] = orientation
    out = io.BytesIO()
    photo("cat", 7, size=(300, 200)).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


FILES = {
    "a JPEG": jpeg("cat", 1),
    "a large JPEG": jpeg("dog", 2, size=(1500, 1200)),
    "a tall JPEG": jpeg("dog", 3, size=(50, 400)),
    "a PNG": png(photo("bird", 4)),
    "a grey PNG": png(photo("bird", 5).convert("L")),
    "a PNG with a palette": png(photo("bird", 6).convert("P")),
    "a PNG that is half transparent": png(
        Image.merge("RGBA", (*photo("bird", 7).split(), photo("fish", 8).convert("L")))
    ),
    **{f"orientation {number}": turned(number) for number in range(1, 9)},
    "orientation 6, other byte order": turned(6, "MM"),
    "orientation of no sense": turned(77),
}


@pytest.fixture(scope="session", params=["crop", "pad", "stretch"])
def twin(request):
    """A contract, and its twin in TensorFlow."""
    import tensorflow

    contract = nb.Contract(48, 64, fit=request.param)
    spec = [tensorflow.TensorSpec([], tensorflow.string)]
    prepare = tensorflow.function(
        decoder(tensorflow, contract), input_signature=spec, autograph=False
    )
    return contract, lambda data: prepare(tensorflow.constant(data)).numpy()


@pytest.mark.parametrize("name", FILES)
def test_files_become_the_contracts_pixels_but_for_rounding(twin, name):
    contract, prepare = twin
    expected = nb.prepare(FILES[name], contract).astype(int)
    found = prepare(FILES[name]).astype(int)
    assert found.shape == contract.shape
    assert np.abs(found - expected).max() <= 2


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a" + bytes(30), b"no photo at all"])
def test_what_is_neither_jpeg_nor_png_is_refused(loaded, data):
    import tensorflow

    with pytest.raises(tensorflow.errors.InvalidArgumentError):
        loaded.signatures["serving_bytes"](photo_bytes=[data])
