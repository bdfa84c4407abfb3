import json
import subprocess
import sys

import pytest

from tests.trunks import networks


def run(*arguments):
    """The command line as a real process: (exit code, standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-m", "ninebrains.cli", "trunk", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_trunk_is_added_listed_shown_and_removed(tmp_path):
    file = networks.save(networks.torchvision(), tmp_path)
    code, output, errors = run("add", file, "--name", "small")
    assert (code, errors) == (0, "")
    assert "16x16 pixels, crop" in output
    assert "torchvision" in output
    _, listed, _ = run("list", "--json")
    octo, known = json.loads(listed)
    assert (known["name"], known["num_features"], known["problem"]) == ("small", 12, None)
    assert octo["name"] == "octo"
    assert run("list")[1].splitlines()[2].split()[:2] == ["small", "12"]
    code, shown, _ = run("show", known["hash"][:10], "--json")
    assert (code, json.loads(shown)) == (0, known)
    code, output, _ = run("remove", "small")
    assert (code, output.split(";")[0]) == (0, "removed small")
    assert [trunk["name"] for trunk in json.loads(run("list", "--json")[1])] == ["octo"]


def test_what_a_model_does_not_say_can_be_given(tmp_path):
    net = networks.torchvision(shape=("N", "a", "b", "c"))
    file = networks.save(net, tmp_path)
    options = ("--size", "16x16", "--fit", "pad", "--layout", "nchw", "--color", "bgr")
    values = ("--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")
    code, output, errors = run("add", file, "--name", "small", *options, *values, "--json")
    assert (code, errors) == (0, "")
    known = json.loads(output)
    assert (known["family"], known["contract"]["fit"]) == ("given", "pad")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "big"), "--size is like 224 or 240x320"),
        (("--size", "9" * 5000), "--size is like 224 or 240x320"),
        (("--fit", "squeeze"), "crop, pad or stretch"),
        (("--mean", "0.5,0.5", "--std", "1,1,1"), "--mean is three numbers"),
        (("--std", "1,1,1"), "both or neither"),
        (("--layout", "chw"), "nchw or nhwc"),
    ],
)
def test_options_that_make_no_sense_end_in_one_line_and_exit_code_2(tmp_path, options, message):
    file = networks.save(networks.torchvision(), tmp_path)
    code, output, errors = run("add", file, "--name", "small", *options)
    assert (code, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors


def test_the_name_of_the_trunk_inside_is_refused_before_anything_is_read(tmp_path):
    code, _, errors = run("add", tmp_path / "none.onnx", "--name", "octo")
    assert (code, errors.strip()) == (
        2,
        "error: 'octo' comes with Ninebrains. Choose another name.",
    )
