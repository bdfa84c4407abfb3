"""The folder of a web export."""

import json
import re

import pytest
from onnx import numpy_helper

from ninebrains.brains import Brain
from ninebrains.brains.graph import pack, unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.targets.web import TARGET
from ninebrains.exporting.web.networks import make_networks


def facts(site):
    return json.loads((site / "site.json").read_text(encoding="utf-8"))


def test_brains_on_one_trunk_store_it_once(many_site):
    site = facts(many_site)
    assert [brain["name"] for brain in site["brains"]] == ["pets", "level", "pairs"]
    assert [brain["trunk"] for brain in site["brains"]] == [0, 0, 0]
    assert len(list((many_site / "brains").glob("trunk-*"))) == 1
    assert len(list((many_site / "brains").iterdir())) == 4


def test_brains_on_different_trunks_bring_theirs(small_brain, pairs_brain):
    model = unpack(pairs_brain.graph)
    bias = next(item for item in model.graph.initializer if "bias" in item.name)
    bias.raw_data = numpy_helper.to_array(bias)[::-1].tobytes()
    other = Brain.assemble(pairs_brain.manifest, pack(model), pairs_brain.card)
    networks = make_networks([small_brain, other], "fp32")
    assert len(networks.trunks) == 2
    assert [head.facts["trunk"] for head in networks.heads] == [0, 1]


def test_everything_for_offline_use_is_listed_and_nothing_else(many_site):
    text = (many_site / "sw.js").read_text(encoding="utf-8")
    listed = json.loads(re.search(r"const FILES = (\{.*?\});", text, re.DOTALL)[1])
    there = {
        str(path.relative_to(many_site))
        for path in many_site.rglob("*")
        if path.is_file() and path.name != "sw.js"
    }
    later = {name for name in there if name.startswith(("licences/", "runtime/webgpu/"))}
    assert set(listed) == there - later
    kept = sum((many_site / name).stat().st_size for name in listed)
    assert kept < 16e6
    assert abs(kept - facts(many_site)["first_download_bytes"]) < 10_000


def test_another_brain_is_another_version(one_site, many_site):
    versions = {
        re.search(r'const VERSION = "(\w+)"', (site / "sw.js").read_text(encoding="utf-8"))[1]
        for site in (one_site, many_site)
    }
    assert len(versions) == 2


def test_the_same_brain_gives_the_same_bytes(build_site, small_brain, one_site):
    again = build_site(small_brain)
    for path in one_site.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(one_site)).read_bytes() == path.read_bytes()


def test_licences_come_along(one_site):
    licence = (one_site / "licences/onnxruntime-web.txt").read_text()
    assert "MIT License" in licence
    assert "Copyright (c) Microsoft Corporation" in licence
    assert facts(one_site)["has_third_party"]


def test_the_notes_tell_the_first_download(build_site, many_site):
    built = build_site.built[many_site]
    size = facts(many_site)["first_download_bytes"]
    assert f"downloads {size / 1e6:.1f} MB" in built.notes[0]
    assert set(built.outputs) == {"scores", "features", "heatmap", "unfamiliar"}
    assert "answers[0].scores" in TARGET.usage(built.outputs, "fp32")


def test_a_brain_given_twice_is_refused(small_brain):
    with pytest.raises(BrainError, match="was given twice"):
        make_networks([small_brain, small_brain], "fp32")


def test_an_unknown_precision_is_refused(small_brain):
    with pytest.raises(BrainError, match="choose int8-weights, fp16, fp32"):
        make_networks([small_brain], "int8")
