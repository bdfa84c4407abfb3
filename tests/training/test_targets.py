"""Labels from whatever people call their folders."""

from hypothesis import example, given
from hypothesis import strategies as st

from ninebrains.brains.manifest import Label
from ninebrains.training.targets import make_labels

# As Python gives names of files: bytes that are no UTF-8 come as lone surrogates.
NAMES = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Zl"]), max_size=220)


@given(st.lists(NAMES, max_size=6, unique=True))
@example(["\x1b]0;pwn\x07", "a\x01", "a\x02", "a\ufffd", "a\ufffd 2", "\udce9", ""])
@example(["x" * 210 + "a", "x" * 210 + "b", "\u202ecat", "cat"])
def test_any_folder_names_make_valid_labels_with_names_of_their_own(names):
    labels = make_labels("classify", names)
    for label in labels:
        assert Label.model_validate(label.model_dump()) == label
    assert len({label.name for label in labels}) == len(names)
    assert len({label.id for label in labels}) == len(names)


def test_usual_names_stay_as_they_are():
    names = ["Katze", "big dog", "\u732b", "10 %", "x" * 200]
    assert [label.name for label in make_labels("multilabel", names)] == names
