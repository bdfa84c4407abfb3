"""Where the runtime for browsers comes from."""

import pytest

from ninebrains.errors import ExtraError
from ninebrains.exporting.web import runtime


def test_without_npm_it_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraError, match=r"no `npm` .*npm pack onnxruntime-web@.*NINEBRAINS_ONNX"):
        runtime.require_runtime()


def test_an_npm_that_fails_is_told_with_its_reason(monkeypatch, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no such registry' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraError, match="no such registry"):
        runtime.require_runtime()


def test_another_package_than_the_published_one_is_refused(monkeypatch, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho other > onnxruntime-web-{runtime.VERSION}.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraError, match="not what was published"):
        runtime.require_runtime()


@pytest.mark.parametrize("content", [None, b"not the package"])
def test_a_named_file_that_is_not_the_package_is_refused(monkeypatch, tmp_path, content):
    path = tmp_path / "runtime.tgz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(runtime.VARIABLE, str(path))
    with pytest.raises(ExtraError, match=r"runtime\.tgz, which"):
        runtime.require_runtime()


def test_a_named_package_is_taken_without_npm(monkeypatch, trained_home, one_site):
    package = trained_home / "cache/web" / f"onnxruntime-web-{runtime.VERSION}.tgz"
    monkeypatch.setenv(runtime.VARIABLE, str(package))
    monkeypatch.setenv("PATH", "")
    files = runtime.runtime_files()
    names = {name for build in runtime.BUILDS.values() for name in (build.module, build.wasm)}
    assert set(files) == names
    assert all(len(data) > 10_000 for data in files.values())


def test_a_damaged_packed_program_is_packed_again(home):
    program = bytes(range(256)) * 64
    small = runtime.packed(program)
    (path,) = (home / "cache/web").glob("*.gz")
    path.write_bytes(small[:-10])
    assert runtime.packed(program) == small
    assert path.read_bytes() == small
