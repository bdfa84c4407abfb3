import base64
import hashlib
import io
import os
import re

import numpy as np
import pytest
from PIL import Image

from ninebrains.brains.manifest import Estimate, Label, LabelQuality, Metrics
from ninebrains.errors import OutputError
from ninebrains.reporting import render_report, write_report
from ninebrains.reporting.galleries import select
from ninebrains.reporting.headline import make_headline
from tests.making import write_photos
from tests.reporting.making import CURVE, brain, classified, record
from tests.reporting.pages import Page

TWO = [[97, 3], [1, 99]]


def spaced(text):
    return text.replace("\u202f", " ")


def read(brain, record=None, **options):
    return Page(spaced(render_report(brain, record, **options)))


def pets_record(folder, count=10):
    """A record of 2 x count photos: of each label one wrong, the others surer and surer."""
    outcomes = []
    for given, name in enumerate(("cat", "dog")):
        for number in range(count):
            wrong = number == 0
            fields = {
                "given": (given,),
                "answer": 1 - given if wrong else given,
                "score": 0.9 if wrong else 0.5 + number / (2.5 * count),
                "given_score": 0.1 if wrong else 0.5 + number / (2.5 * count),
                "unfamiliar": 1.25 if number == 3 else 0.5,
                "suggested": 1 - given if wrong else None,
                "label_quality": 0.1 + given / 10,
            }
            outcomes.append((f"{name}/{name}{number}.jpg", fields))
    return record(folder, outcomes, labels={"cat": {"all": 11}, "dog": {"all": 12}})


def test_the_headline_says_the_measured_numbers_in_words(small_trunk):
    page = read(brain(small_trunk, metrics=classified(TWO)))
    assert (
        "On 200 photos it had never seen it was right on 196: 98.0 %, "
        "and with 95 % certainty between 95.0 % and 99.2 %." in page.text
    )
    assert "Always guessing “cat”, the most frequent label, would be right on 50.0 %." in page.text


def test_every_measured_number_is_on_the_page(small_trunk):
    made = brain(small_trunk, metrics=classified(TWO))
    page = read(made)
    for said in (
        *("97.7 %", "0.0625", "3.2 %", "57.1 %", "98.5 %"),  # balance, loss, calibration
        *("99.0 %", "97.0 %", "97.1 %", "98.0 %"),  # precision, recall, F1
        *("90.0 %", "99.4 %", CURVE.verdict),  # learning curve
        *("1.1 %", "2.2 %"),  # unfamiliar
        *("ridge, penalty 0.01", "logistic 2.5 0.3125", "numpy 9.8.7", "ab" * 32, "Seed 7"),
        *(made.hash, small_trunk.hash, "not signed", "3 could not be used"),
    ):
        assert said in page.text, said
    cells = [cell["title"] for cell in page.all("td") if "title" in cell]
    assert "given cat, answered dog: 3 photos" in cells
    assert "given dog, answered cat: 1 photo" in cells


def test_too_few_photos_are_said_to_be_too_few(small_trunk):
    metrics = classified([[5, 1], [0, 6]]).model_copy(
        update={"verdict": "Too few photos to tell: 12."}
    )
    assert "Too few photos to tell: 12." in read(brain(small_trunk, metrics=metrics)).text


@pytest.mark.parametrize("metrics", [None, Metrics(num_test=0, verdict="Nothing was held out.")])
def test_an_unmeasured_brain_has_a_page_that_says_so(small_trunk, metrics):
    page = read(brain(small_trunk, metrics=metrics))
    assert (metrics.verdict if metrics else "This brain was never measured.") in page.text
    assert "0.0 %" not in page.text


def test_without_a_record_the_page_says_how_to_get_photos(small_trunk):
    page = read(brain(small_trunk, metrics=classified(TWO)))
    assert "ninebrains report pets.brain --photos FOLDER" in page.text
    assert "suspected 2 photos" in page.text
    assert not page.all("img")


def test_galleries_show_sure_unsure_and_wrong_photos_of_each_label(small_trunk, tmp_path):
    page = read(brain(small_trunk, metrics=classified(TWO)), pets_record(tmp_path))
    shown = page.photos
    assert shown[0] == "Photo cat/cat9.jpg: given cat, answered cat"
    assert shown[6] == "Photo cat/cat1.jpg: given cat, answered cat"
    wrong = "Photo cat/cat0.jpg: given cat, answered dog"
    assert shown.count(wrong) == 2  # sure but wrong, suspected
    for title in ("Most sure, and right", "Least sure", "Sure, but wrong"):
        assert page.text.count(title) == 2
    assert "2 photos may carry the wrong label" in page.text
    assert "1.25 unfamiliar" in page.text


def test_pictures_are_small_whole_and_have_heat_of_the_same_proportions(small_trunk, tmp_path):
    page = read(brain(small_trunk, metrics=classified(TWO)), pets_record(tmp_path, 3))
    images = page.all("img")
    heats = [image for image in images if image.get("class") == "heat"]
    assert len(heats) == len(images) / 2 > 0
    for image in images:
        kind, data = re.fullmatch(r"data:image/(\w+);base64,(.+)", image["src"]).groups()
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        picture.load()
        assert picture.format.lower() == kind
        assert picture.size == ((28, 21) if kind == "png" else (96, 72))


def test_test_photos_come_before_training_photos(small_trunk, tmp_path):
    fields = {"given": (0,), "answer": 0, "given_score": 0.9}
    outcomes = [
        ("cat/learnt.jpg", fields | {"split": "train", "score": 0.99}),
        ("cat/tested.jpg", fields | {"split": "test", "score": 0.6}),
    ]
    page = read(brain(small_trunk, metrics=classified(TWO)), record(tmp_path, outcomes))
    assert [text.split(":")[0] for text in page.photos] == [
        "Photo cat/tested.jpg",
        "Photo cat/learnt.jpg",
    ]
    assert len(re.findall(r"training photo\b", page.text)) == 1
    assert "None. No photo looks clearly more like another label" in page.text


def test_photos_that_are_gone_or_changed_are_left_out_and_counted(small_trunk, tmp_path):
    kept = pets_record(tmp_path, 4)
    (tmp_path / "cat/cat1.jpg").unlink()
    (tmp_path / "cat/cat2.jpg").write_bytes(b"")
    (tmp_path / "dog/dog1.jpg").write_bytes((tmp_path / "dog/dog2.jpg").read_bytes())
    page = read(brain(small_trunk, metrics=classified(TWO)), kept)
    assert "1 photo can no longer be read" in page.text
    assert "2 photos changed since" in page.text
    assert not [text for text in page.photos if "cat1" in text or "cat2" in text or "dog1" in text]
    assert [text for text in page.photos if "dog2" in text]


def test_a_folder_that_is_gone_leaves_a_page_with_all_numbers(small_trunk, tmp_path):
    kept = pets_record(tmp_path / "photos", 2)
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    page = read(brain(small_trunk, metrics=classified(TWO)), kept)
    assert "4 photos can no longer be read" in page.text
    assert "98.0 %" in page.text
    assert not page.photos


HOSTILE = "<script>alert(1)</script>\"' onload=x"


def test_names_are_text_and_never_markup(small_trunk, tmp_path):
    named = "cat/<img src=x onerror=alert(1)>.jpg"
    outcomes = [
        (named, {"given": (0,), "answer": 1, "score": 0.9, "suggested": 1, "label_quality": 0.1})
    ]
    made = brain(small_trunk, names=(HOSTILE, "{{ 7 * 7 }}"), metrics=classified(TWO))
    audit = {
        "labels": {HOSTILE: {"all": 3}},
        "notes": [HOSTILE],
        "unreadable": [{"name": HOSTILE, "reason": HOSTILE}],
        "findings": {HOSTILE: [1]},
    }
    page = read(made, record(tmp_path, outcomes, **audit))
    assert not page.all("script")
    assert not [tag for tag, attributes in page.tags if {"onerror", "onload"} & set(attributes)]
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert "{{ 7 * 7 }}" in page.text
    assert page.photos


def test_file_names_that_are_no_text_are_shown_escaped(small_trunk, tmp_path):
    name = os.fsdecode(b"cat/caf\xe9\n.jpg")
    try:
        kept = record(tmp_path, [(name, {"given": (0,), "answer": 0, "score": 0.9})])
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    made = brain(small_trunk, metrics=classified(TWO))
    page = Page(write_report(made, tmp_path / "r.html", kept).read_text("utf-8"))
    assert any("caf\\xe9" in text for text in page.photos)


def test_the_page_loads_nothing_and_allows_nothing(small_trunk, tmp_path):
    html = render_report(brain(small_trunk, metrics=classified(TWO)), pets_record(tmp_path, 3))
    page = Page(html)
    assert not re.search(r"(src|href|url|action|srcset)\s*[=(]\s*[\"']?(https?:|//|file:)", html)
    assert not page.all("link")
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    digest = base64.b64encode(hashlib.sha256("".join(page.styles).encode()).digest()).decode()
    assert policy["content"].startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}';" in policy["content"]
    assert "unsafe" not in policy["content"]


def test_the_page_can_be_read_aloud(small_trunk, tmp_path):
    page = read(brain(small_trunk, metrics=classified(TWO)), pets_record(tmp_path, 3))
    assert {"header", "nav", "main", "footer", "h1"} <= {tag for tag, _ in page.tags}
    assert all("alt" in image for image in page.all("img"))
    assert all("scope" in header for header in page.all("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.all("svg"))
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    for link in page.all("a"):
        assert link["href"].removeprefix("#") in identities


def test_the_same_inputs_give_the_same_bytes(small_trunk, tmp_path):
    made, kept = brain(small_trunk, metrics=classified(TWO)), pets_record(tmp_path, 3)
    assert render_report(made, kept) == render_report(made, kept)


@pytest.mark.parametrize("num_labels", [1, 3, 31, 200, 201])
def test_few_and_very_many_labels(small_trunk, tmp_path, num_labels):
    confusion = np.eye(num_labels, dtype=int) * 4
    if num_labels > 1:
        confusion[1, 0] = 3
    names = [f"label {index}" for index in range(num_labels)]
    outcomes = [
        (f"{number}.jpg", {"given": (number % num_labels,), "answer": 0, "score": 0.5})
        for number in range(min(2 * num_labels, 100))
    ]
    made = brain(small_trunk, names=names, metrics=classified(confusion))
    page = read(made, record(tmp_path, outcomes))
    for name in names:
        assert name in page.text
    assert bool(page.all("table", **{"class": "matrix"})) == (num_labels <= 4)
    assert bool(page.all("table", **{"class": "matrix long"})) == (4 < num_labels <= 30)
    if num_labels > 30:
        assert "label 1 label 0" in page.text
        assert f"the 12 labels that did worst; {num_labels - 12} others" in page.text
    assert len(page.photos) <= 12 * 3 * 6 + 24 + 6


def test_multilabel_shows_average_precision_by_label(small_trunk, tmp_path):
    metrics = Metrics(
        num_test=50,
        verdict="Measured on 50 photos.",
        mean_average_precision=0.8125,
        labels=[
            LabelQuality(label_id="id-0", support=20, average_precision=0.9375, f1=0.5),
            LabelQuality(label_id="id-1", support=10, average_precision=None),
        ],
    )
    outcomes = [
        ("a.jpg", {"given": (0, 1), "answer": 1, "score": 0.8, "given_score": 0.6}),
        ("b.jpg", {"given": (), "answer": 0, "score": 0.7}),
    ]
    page = read(brain(small_trunk, "multilabel", metrics=metrics), record(tmp_path, outcomes))
    assert "mean average precision 81.2 %" in page.text
    assert "Ranking by chance would reach 30.0 %" in page.text
    assert "93.8 %" in page.text
    assert "Photo a.jpg: given cat + dog, answered dog" in page.photos
    assert "Photo b.jpg: given no label, answered cat" in page.photos


def test_regression_shows_errors_and_the_photos_that_are_furthest_off(small_trunk, tmp_path):
    metrics = Metrics(
        num_test=4,
        verdict="Measured on 4 photos.",
        mae=Estimate(value=1.5, low=1.25, high=1.75),
        rmse=2.0,
        r2=0.75,
        residual_90=3.5,
    )
    answers = [(10.0, 10.5), (20.0, 17.0), (30.0, 32.25), (40.0, 40.0)]
    outcomes = [
        (f"{number}.jpg", {"target": target, "value": value})
        for number, (target, value) in enumerate(answers)
    ]
    made = brain(small_trunk, "regress", names=("weight",), metrics=metrics, num_per_label={})
    page = read(made, record(tmp_path, outcomes))
    for said in ("off by 1.5 on average", "between 1.25 and 1.75", "would have 4.", "0.75", "3.5"):
        assert said in page.text, said
    assert page.photos[0] == "Photo 3.jpg: given 40, answered 40"
    assert page.photos[4] == "Photo 2.jpg: given 30, answered 32.25"
    assert page.photos[6] == "Photo 1.jpg: given 20, answered 17"
    assert len(page.all("svg", **{"class": "chart"})) == 2


def test_an_audit_of_another_time_does_no_harm(small_trunk, tmp_path):
    outcomes = [("cat/a.jpg", {"given": (0,), "answer": 0, "score": 0.9})]
    odd = {"labels": [1], "findings": None, "unreadable": "x", "notes": 3, "new": {}}
    page = read(brain(small_trunk, metrics=classified(TWO)), record(tmp_path, outcomes, **odd))
    assert "Photos of each label" in page.text


def test_serious_findings_of_the_audit_are_on_the_page(small_trunk, tmp_path):
    outcomes = [("cat/a.jpg", {"given": (0,), "answer": 0, "score": 0.9})]
    audit = {
        "labels": {"cat": {"all": 30}, "dog": {"all": 10}},
        "findings": {"leaks": [{}, {}], "dark": [], "blurred": [{}]},
        "unreadable": [{"name": "bad.jpg", "reason": "the file is empty"}],
    }
    page = read(brain(small_trunk, metrics=classified(TWO)), record(tmp_path, outcomes, **audit))
    assert "2 in both train and test" in page.text
    assert "1 blurred" in page.text
    assert "very dark" not in page.text
    assert "bad.jpg : the file is empty" in page.text
    assert "The largest label has 3.0 times the photos of the smallest" in page.text


def test_a_report_that_cannot_be_written_says_so(small_trunk, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not write"):
        write_report(brain(small_trunk), tmp_path / "file" / "report.html")


def test_the_command_reports_on_training_and_on_other_photos(ninebrains, stored_trunk, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 20, "dog": 20})
    others = write_photos(tmp_path / "others", {"cat": 5, "dog": 5}, start=50)
    made = tmp_path / "pets.brain"
    ninebrains("train", photos, "--trunk", stored_trunk, "-o", made)
    assert str(tmp_path / "pets.report.html") in ninebrains("report", made).out
    page = Page((tmp_path / "pets.report.html").read_text("utf-8"))
    assert page.photos
    ninebrains("report", made, "--photos", others, "-o", tmp_path / "o.html", "--json")
    page = Page((tmp_path / "o.html").read_text("utf-8"))
    assert "On 10 photos" in page.text
    assert f"Measured on the photos in {others}" in page.text
    assert ninebrains("report", tmp_path / "none.brain", check=2).err.startswith("error: ")


def box(metrics, labels=("cat", "dog")):
    """The headline's sentence, and the notes on how far to trust it."""
    made = [Label(id=f"id-{k}", index=k, name=name) for k, name in enumerate(labels)]
    headline = make_headline(metrics, "classify", made)
    return spaced(headline.sentence), spaced(headline.verdict)


@pytest.mark.parametrize(
    ("verdict", "said", "note"),
    [
        (
            "Measured on 200 photos that training never saw (9 were learnt from): x.",
            "On 200 photos it had never seen it was right",
            "",
        ),
        (
            "Measured on 200 photos, 7 of which were learnt from.",
            "On 200 photos, 7 of which it had learnt from, it was right",
            "7 of these photos were learnt from, so the figures are too good.",
        ),
        (
            "Measured on 200 photos of which 1 were learnt from, so the figures are too good: x.",
            "On 200 photos, 1 of which it had learnt from, it was right",
            "1 of these photos was learnt from, so the figures are too good.",
        ),
        (
            "Measured on 200 photos (whether it learnt from some of them is not known here): x.",
            "On 200 photos it was right",
            "Measured on 200 photos (whether it learnt from some of them is not known here): x.",
        ),
        ("Who knows.", "On 200 photos it was right", "Who knows."),
    ],
)
def test_photos_are_called_new_only_where_the_verdict_says_so(small_trunk, verdict, said, note):
    metrics = classified(TWO).model_copy(update={"verdict": verdict})
    sentence, notes = box(metrics)
    assert sentence.startswith(said)
    assert notes == note
    page = read(brain(small_trunk), metrics=metrics)
    assert ("How far to trust this." in page.text) == bool(note)
    assert ("right on new photos" in page.text) == ("never saw" in verdict)


def test_a_result_no_better_than_guessing_and_hardly_tested_labels_are_told():
    _, notes = box(classified([[190, 0], [4, 0]]))
    assert notes == (
        "That is not clearly better than always guessing the most frequent label, “cat” (97.9 %). "
        "Tested on fewer than 5 photos, so hardly at all: dog."
    )
    many = np.diag([90, 90, *[4] * 7])
    assert box(classified(many), "abcdefghi")[1].endswith("at all: c, d, e, f, g and 2 more.")
    said = "Fine. That is not clearly better than always guessing 'cat' (97.9%)."
    verdict = {"verdict": f"{said} Tested on fewer than 5 photos, so hardly at all: dog."}
    _, notes = box(classified([[190, 0], [4, 0]]).model_copy(update=verdict))
    assert notes == verdict["verdict"].replace("%", " %")  # once only


def test_only_sure_mistakes_are_called_sure_and_no_photo_is_shown_twice(small_trunk, tmp_path):
    wrong = {"given": (0,), "answer": 1}
    outcomes = [
        ("cat/sure.jpg", wrong | {"score": 0.8}),
        ("cat/unsure.jpg", wrong | {"score": 0.6}),
        ("dog/unsure.jpg", {"given": (1,), "answer": 0, "score": 0.6}),
    ]
    kept = record(tmp_path, outcomes)
    made = brain(small_trunk, metrics=classified(TWO))
    page = read(made, kept)
    assert len(page.photos) == len(set(page.photos)) == 3
    assert page.text.count("None: no wrong answer was as sure as 70 %.") == 1
    cat, _ = select(kept, "classify", made.labels, classified(TWO)).by_label
    assert [[item.path for item in gallery.outcomes] for gallery in cat.galleries] == [
        [],
        ["cat/unsure.jpg"],
        ["cat/sure.jpg"],
    ]


@pytest.mark.parametrize(("before", "is_shown"), [(0.1234, True), (None, False), (0.0321, False)])
def test_calibration_before_is_shown_only_where_it_says_something(small_trunk, before, is_shown):
    metrics = classified(TWO)
    calibration = metrics.calibration.model_copy(update={"ece_before": before})
    metrics = metrics.model_copy(update={"calibration": calibration})
    page = read(brain(small_trunk, metrics=metrics))
    assert ("before calibration" in page.text) == is_shown


def test_very_long_names_are_cut_in_the_headers_of_the_matrix(small_trunk):
    name = "x" * 100 + "y" * 100
    page = read(brain(small_trunk, names=(name, "dog"), metrics=classified(TWO)))
    assert page.all("th", scope="col", title=name)
    assert f"{'x' * 16}…{'y' * 15}" in page.text
    assert name in page.text
