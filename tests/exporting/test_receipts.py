"""Receipts of targets other than ONNX, from the artefact's own runtime, and who made it."""

import sys

import pytest

from ninebrains.exporting import export, verify

# What each was made with and what runs it, as far as the receipt has to name it.
PACKAGES = {
    ("litert", "fp32"): ("tensorflow", "keras", "ai-edge-litert"),
    ("saved_model", "fp16"): ("tensorflow", "keras"),
    ("openvino", "int8-weights"): ("nncf", "openvino"),
}


@pytest.mark.parametrize(("to", "precision"), PACKAGES)
def test_a_receipt_names_what_made_the_artefact_and_what_ran_it(
    brain_file, tmp_path, to, precision
):
    pytest.importorskip({"openvino": "nncf"}.get(to, "tensorflow"))
    made = export(brain_file, to, tmp_path / "out", precision=precision)
    receipt = made.receipt
    assert receipt.agreement.same.value == 1.0
    assert receipt.runner == "run.py of the export, in a process of its own"
    named = {name.removesuffix("-cpu"): version for name, version in receipt.packages.items()}
    assert set(named) == set(PACKAGES[to, precision])
    assert all(named.values())
    assert verify(made.folder).stored == (receipt,)


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs there")
def test_a_receipt_of_what_nothing_here_can_run_says_so(brain_file, tmp_path):
    pytest.importorskip("coremltools")
    receipt = export(brain_file, "coreml", tmp_path / "out").receipt
    assert (receipt.verdict, receipt.agreement) == ("not run here", None)
    assert "was not run" in receipt.not_run[0]
    assert list(receipt.packages) == ["coremltools"]
