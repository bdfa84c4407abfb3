"""What the benchmarks of exports rest on: rows from receipts, tables in pages, a fair peer."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from benchmarks.export import size_of
from benchmarks.mind.brains import untrained
from benchmarks.pages import put_between_marks
from benchmarks.peers.converters import outside
from benchmarks.receipts import COLUMNS, HEADS, Cell, figures, measure, table, text_of

from ninebrains.brains.graph import unpack
from ninebrains.exporting import export
from ninebrains.trunks import load_trunk
from tests.brains.making import make_brain
from tests.making import jpeg

CELL = {"data": "dogcat", "trunk": "octo", "target": "onnx", "precision": "int8"}


@pytest.fixture
def brain_file(tmp_path):
    make_brain().save(tmp_path / "pets.brain")
    return tmp_path / "pets.brain"


@pytest.fixture
def receipt(brain_file, tmp_path):
    """Of a real export, on photos without labels."""
    (tmp_path / "photos").mkdir()
    for number in range(3):
        (tmp_path / f"photos/{number}.jpg").write_bytes(jpeg("cat", number))
    made = export(brain_file, "onnx", tmp_path / "out", photos=tmp_path / "photos")
    return json.loads((made.folder / "receipt.json").read_text())


def test_a_row_holds_what_the_receipt_says(receipt):
    row = figures(receipt | {"agreement": receipt.get("agreement"), "quality": None, "step": None})
    assert (row["photos"], row["same"]) == (3, 1.0)
    assert row["mb"] > 0
    assert "onnxruntime=" in row["packages"]
    assert set(row) < set(COLUMNS)


def test_every_row_of_a_table_has_all_its_cells():
    full = CELL | {
        "verdict": "agrees",
        "photos": 500,
        "same": 0.998,
        "accuracy_brain": 0.96,
        "accuracy_export": 0.958,
        "lost": 0.002,
        "lost_low": -0.004,
        "lost_high": 0.009,
        "largest_difference": 0.0412,
        "heatmap_mean": 0.9991,
        "mb": 3.1,
        "ms": 2.5,
        "step": "per channel",
    }
    refused = CELL | {"verdict": "refused", "note": "It loses | too much."}
    unlabelled = CELL | {"verdict": "not run here", "photos": 500, "mb": 1.0, "step": ""}
    lines = table([full, refused, unlabelled], "dogcat").splitlines()
    assert [line.replace("\\|", "").count("|") for line in lines] == [len(HEADS) + 1] * 5
    assert "96.0 % → 95.8 %" in lines[2]
    assert "0.2 (-0.4 to 0.9)" in lines[2]
    assert "refused: It loses" in lines[3]
    assert "500 photos held out" in text_of([full, refused])


def test_an_export_that_fails_is_a_row_and_does_not_end_the_run(brain_file, tmp_path):
    row = measure(Cell("dogcat", "octo", "floppy", "fp32"), brain_file, tmp_path)
    assert row["verdict"] == "failed"
    assert "no target 'floppy'" in row["note"]


def test_a_page_keeps_what_is_outside_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: written by benchmarks/x.py -->\nold\n<!-- /x -->\nb\n")
    put_between_marks(page, "x", "new")
    put_between_marks(page, "x", "new")
    assert page.read_text() == (
        "a\n<!-- x: written by benchmarks/x.py -->\n\nnew\n\n<!-- /x -->\nb\n"
    )
    with pytest.raises(SystemExit, match=r"page\.md has no"):
        put_between_marks(page, "y", "new")


def test_the_peer_without_its_beginning_is_the_same_network(tmp_path):
    brain = untrained(load_trunk("octo"), "any", seed=0)
    whole, rest = tmp_path / "whole.onnx", tmp_path / "rest.onnx"
    onnx.save(unpack(brain.graph), whole)
    outside(str(whole), str(rest), "")
    high, wide, _ = brain.contract.shape
    pixels = np.random.default_rng(0).integers(0, 256, (2, high, wide, 3), np.uint8)
    floats = pixels.transpose(0, 3, 1, 2).astype(np.float32) - np.load(rest.with_suffix(".npy"))
    session = onnxruntime.InferenceSession(rest, providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {session.get_inputs()[0].name: floats})
    np.testing.assert_allclose(scores, brain.compute(pixels, ["scores"])["scores"], atol=1e-6)


def test_the_size_of_an_artefact_counts_weights_that_lie_beside_it(tmp_path):
    (tmp_path / "model.xml").write_bytes(b"12345")
    assert size_of(tmp_path / "model.xml") == 5
    (tmp_path / "model.bin").write_bytes(b"123")
    assert size_of(tmp_path / "model.xml") == 8
