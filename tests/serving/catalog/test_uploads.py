import os
import threading

import pytest

from ninebrains.brains.signing import new_key, sign
from ninebrains.errors import BrainError, MissingError, OutputError, RequestError
from ninebrains.serving.repository import LARGEST_NUMBER
from ninebrains.serving.settings import Limits
from tests.brains.making import make_brain
from tests.serving.catalog.making import look, states
from tests.serving.making import put, repository


@pytest.fixture
def sent(tmp_path):
    """A brain in a file as somebody sends it."""
    return make_brain(head_seed=50).save(tmp_path / "sent.brain").rename(tmp_path / "body")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_an_upload_is_ready_at_once_and_serves_from_then_on(begun, models, sent):
    catalog = begun(watch_seconds=3600.0)
    first = catalog.upload("pets", None, sent)
    assert (first.number, first.state) == (1, "ready")
    assert catalog.ready("pets") == (1,)
    assert catalog.upload("pets", None, sent).number == 2
    assert catalog.upload("pets", 7, sent).number == 7
    assert catalog.upload("pets", None, sent).number == 8
    assert files(models) == ["pets", *(f"pets/{n}.brain" for n in (1, 2, 7, 8))]
    assert (models / "pets" / "8.brain").read_bytes() == sent.read_bytes()


def test_an_upload_that_the_policy_does_not_want_leaves_again(begun, models, sent):
    put(models, "pets", 5)
    catalog = begun()
    assert catalog.upload("pets", 2, sent).state == "ready"
    look(catalog)
    assert states(catalog) == {2: "known", 5: "ready"}


def test_the_next_number_is_after_all_that_lies_there(begun, models, sent):
    put(models, "pets", 1)
    (models / "pets" / "9").mkdir()
    (models / "pets" / "12.brain").write_bytes(b"no brain")
    assert begun().upload("pets", None, sent).number == 13


def test_after_the_highest_number_there_is_no_next_one(begun, models, sent):
    put(models, "pets", LARGEST_NUMBER)
    catalog = begun()
    with pytest.raises(RequestError, match=f"no higher number than pets@{LARGEST_NUMBER}"):
        catalog.upload("pets", None, sent)
    assert catalog.upload("pets", 7, sent).number == 7


@pytest.mark.parametrize(
    ("name", "number", "status"),
    [
        ("pets", 1, 409),
        ("pets", 3, 409),  # a folder in which nothing lies yet
        ("file", None, 409),
        ("bare", None, 409),
        ("out", None, 409),
        ("pets", 0, 400),
        ("pets", -1, 400),
        ("pets", 2**63, 400),
        ("", None, 400),
        ("..", None, 400),
        ("../pets", None, 400),
        ("a/b", None, 400),
        (".ninebrains", None, 400),
        ("pets@3", None, 400),
        ("pets\n", None, 400),
        ("pets\0", None, 400),
        ("x" * 101, None, 400),
    ],
)
def test_names_and_numbers_that_cannot_be_are_refused(
    begun, models, tmp_path, sent, name, number, status
):
    put(models, "pets", 1)
    (models / "pets" / "3").mkdir()
    (models / "file").touch()
    make_brain().save(models / "bare")
    (tmp_path / "elsewhere").mkdir()
    (models / "out").symlink_to(tmp_path / "elsewhere")
    catalog = begun()
    before = files(tmp_path)
    with pytest.raises(RequestError) as caught:
        catalog.upload(name, number, sent)
    assert caught.value.status == status
    assert files(tmp_path) == [*before, "state/storing.lock"] or files(tmp_path) == before


def test_what_is_no_sound_brain_leaves_nothing_behind(begun, models, tmp_path, sent, model_file):
    catalog = begun()
    damaged = bytearray(sent.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    (tmp_path / "empty").write_bytes(b"")
    make_brain().save(tmp_path / "folder")
    for file in ("damaged", "empty", "folder", "missing", model_file):
        with pytest.raises(BrainError) as refused:
            catalog.upload("pets", None, tmp_path / file)
        assert str(tmp_path) not in str(refused.value)
    for begin in (b"--form\r\n", model_file.read_bytes()):
        (tmp_path / "other").write_bytes(begin)
        with pytest.raises(BrainError, match=r"expected the bytes of a \.brain file as they are"):
            catalog.upload("pets", None, tmp_path / "other")
    small = {"limits": Limits(upload_bytes=100)}
    catalog.adopt(catalog.settings.model_copy(update=small))
    with pytest.raises(RequestError) as caught:
        catalog.upload("pets", None, sent)
    assert caught.value.status == 413
    assert files(models) == []
    assert dict(catalog.versions) == {}


def test_only_signed_brains_are_taken_where_signatures_are_asked_for(begun, models, tmp_path, sent):
    key = new_key(tmp_path / "key")
    catalog = begun(trusted=(key,))
    with pytest.raises(BrainError, match="not signed"):
        catalog.upload("pets", None, sent)
    assert files(models) == []
    signed = sign(make_brain(), tmp_path / "key").save(tmp_path / "signed.brain")
    assert catalog.upload("pets", None, signed).state == "ready"


def test_a_brain_that_cannot_answer_leaves_nothing_behind(begun, models, sent, monkeypatch):
    from ninebrains.mind import Mind

    def run_many(*_, **__):
        raise BrainError("no answer")

    catalog = begun()
    monkeypatch.setattr(Mind, "run_many", run_many)
    with pytest.raises(BrainError, match="pets@1 was refused: no answer"):
        catalog.upload("pets", None, sent)
    assert files(models) == []
    look(catalog)
    assert dict(catalog.versions) == {}


def test_without_a_folder_there_are_no_uploads(begun, tmp_path, sent):
    alone = make_brain().save(tmp_path / "cats.brain")
    catalog = begun(sources=(alone,))
    with pytest.raises(RequestError) as caught:
        catalog.upload("pets", None, sent)
    assert caught.value.status == 409
    catalog.answering = lambda _: frozenset()
    with pytest.raises(RequestError) as caught:
        catalog.delete("cats", 1)
    assert caught.value.status == 409
    assert alone.exists()


def test_uploads_of_two_workers_at_once_get_numbers_of_their_own(begun, models, sent):
    catalogs = [begun(), begun()]
    numbers = []

    def upload(catalog):
        for _ in range(5):
            numbers.append(catalog.upload("pets", None, sent).number)

    threads = [threading.Thread(target=upload, args=(catalog,)) for catalog in catalogs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 11))
    for catalog in catalogs:
        look(catalog)
        assert catalog.ready("pets") == (10,)


def test_a_full_disk_leaves_nothing_behind(begun, models, sent, monkeypatch):
    def fsync(_):
        raise OSError(28, "No space left on device")

    catalog = begun()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="No space left"):
        catalog.upload("pets", None, sent)
    assert files(models) == []


def test_a_version_is_deleted_unless_it_serves(begun, models):
    repository(models, {"pets": [1, 2, 3]})
    make_brain().save(models / "pets" / "4")
    catalog = begun()
    with pytest.raises(RequestError, match="is serving") as caught:
        catalog.delete("pets", 4)
    assert caught.value.status == 409
    catalog.answering = lambda _: frozenset({1, 2})
    for number in (1, 2):
        with pytest.raises(RequestError, match="is serving"):
            catalog.delete("pets", number)
    catalog.delete("pets", 4)
    assert catalog.ready("pets") == (3,)  # nobody is sent there any more
    look(catalog)
    assert states(catalog) == {1: "known", 2: "known", 3: "ready"}
    catalog.delete("pets", 3)
    assert files(models) == ["pets", "pets/1.brain", "pets/2.brain"]
    for name, number in (("pets", 3), ("nobody", 1), ("../pets", 1)):
        with pytest.raises(MissingError):
            catalog.delete(name, number)
    catalog.answering = lambda _: frozenset()
    for number in (1, 2):
        catalog.delete("pets", number)
    look(catalog)
    assert files(models) == []
    assert dict(catalog.versions) == {}


def test_a_number_that_was_deleted_may_be_used_again(begun, models, sent):
    repository(models, {"pets": [1, 2]})
    catalog = begun()
    catalog.load("pets", 1)
    catalog.delete("pets", 1)
    look(catalog)
    assert catalog.upload("pets", 1, sent).state == "ready"
    look(catalog)
    assert states(catalog) == {1: "known", 2: "ready"}
