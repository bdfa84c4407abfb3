"""Signatures: only the key's owner can sign, and nothing signed can change unnoticed."""

import json
import stat

import pytest

from ninebrains.brains import load, new_key, sign, verify
from ninebrains.errors import BrainError, OutputError

from .making import make_brain


@pytest.fixture
def key(tmp_path):
    return tmp_path / "key", new_key(tmp_path / "key")


@pytest.mark.parametrize("name", ["pets.brain", "pets"])
def test_a_signed_brain_is_accepted_by_those_who_trust_its_key(tmp_path, key, name):
    private, public = key
    path = sign(make_brain(), private).save(tmp_path / name)
    other = new_key(tmp_path / "other")
    brain = load(path, trusted=[other, public])
    assert verify(brain, [public]) == public
    assert verify(brain, [f"{private}.pub"]) == public
    assert brain.hash == make_brain().hash
    with pytest.raises(BrainError, match="which is not trusted here"):
        load(path, trusted=[other])


def test_an_unsigned_brain_is_refused_where_a_signature_is_insisted_on(tmp_path, key):
    path = make_brain().save(tmp_path / "pets.brain")
    with pytest.raises(BrainError, match="not signed"):
        load(path, trusted=[key[1]])
    assert load(path).signature is None


@pytest.mark.parametrize("none", [[], (), set()])
def test_whoever_trusts_no_key_accepts_no_brain(tmp_path, key, none):
    brain = make_brain()
    for path in (brain.save(tmp_path / "a.brain"), sign(brain, key[0]).save(tmp_path / "b.brain")):
        with pytest.raises(BrainError, match="no key is trusted"):
            load(path, trusted=none)
        assert load(path, trusted=None) == load(path)


def test_one_key_instead_of_a_list_is_refused(tmp_path, key):
    path = sign(make_brain(), key[0]).save(tmp_path / "pets.brain")
    with pytest.raises(BrainError, match="into a list"):
        load(path, trusted=key[1])


@pytest.mark.parametrize("wrong", [None, 7, b"pets.brain"])
def test_what_is_neither_path_nor_name_is_refused(wrong):
    with pytest.raises(BrainError, match="expected the path of a brain"):
        load(wrong)


def test_a_private_key_is_for_its_owner_alone_and_never_overwritten(tmp_path, key):
    private, public = key
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.with_name("key.pub").read_text().strip() == public
    assert public.removeprefix("ed25519:") not in private.read_text()
    with pytest.raises(OutputError, match="never overwritten"):
        new_key(private)
    private.unlink()
    with pytest.raises(OutputError, match="never overwritten"):
        new_key(private)


def test_what_was_signed_cannot_change_unnoticed(tmp_path, key):
    private, public = key
    folder = sign(make_brain(), private).save(tmp_path / "pets")
    text = (folder / "brain.json").read_text()
    (folder / "brain.json").write_text(text.replace('"name":"cat"', '"name":"cow"'))
    for trusted in ([public], None):
        with pytest.raises(BrainError, match="changed after it was signed"):
            load(folder, trusted=trusted)


def test_anothers_signature_does_not_fit(tmp_path, key):
    private, public = key
    folder = sign(make_brain(), private).save(tmp_path / "pets")
    forged = sign(make_brain(head_seed=1), private).save(tmp_path / "forged")
    (folder / "signature.json").write_bytes((forged / "signature.json").read_bytes())
    with pytest.raises(BrainError, match="changed after it was signed"):
        load(folder, trusted=[public])


@pytest.mark.parametrize(
    "change",
    [
        {"signature": ""},
        {"signature": "zz"},
        {"signature": "00" * 64},
        {"public_key": "00" * 32},
        {"public_key": "x"},
        {"algorithm": "none"},
        {"evil": 1},
    ],
)
def test_a_strange_signature_is_refused(tmp_path, key, change):
    folder = sign(make_brain(), key[0]).save(tmp_path / "pets")
    plain = json.loads((folder / "signature.json").read_text())
    (folder / "signature.json").write_text(json.dumps({**plain, **change}))
    with pytest.raises(BrainError, match=r"signature"):
        load(folder)


def test_renaming_a_label_drops_the_signature(tmp_path, key):
    private, public = key
    folder = sign(make_brain(), private).save(tmp_path / "pets")
    load(folder).rename_label("cat", "Katze").save(folder, overwrite=True)
    assert not (folder / "signature.json").exists()
    with pytest.raises(BrainError, match="not signed"):
        load(folder, trusted=[public])


@pytest.mark.parametrize("text", ["", "ed25519:12", "ed25519-private:" + "g" * 64, "\xff"])
def test_what_is_no_key_is_refused(tmp_path, text):
    (tmp_path / "key").write_text(text, encoding="latin-1")
    with pytest.raises(BrainError, match="no private key"):
        sign(make_brain(), tmp_path / "key")
    with pytest.raises(BrainError, match="no public key"):
        verify(make_brain(), [str(tmp_path / "key")])
    with pytest.raises(BrainError, match="cannot read the public key"):
        verify(make_brain(), [str(tmp_path / "nothing")])
