"""Rows of measurements: written for spreadsheets, read back as they were, foreign files refused."""

import csv
import json

import pytest

from ninebrains.errors import DataError, OutputError
from ninebrains.exporting.rows import COLUMNS, Row, append_rows, merged, read_rows, to_csv

ROW = {
    "name": "pets",
    "version": "1",
    "target": "onnx",
    "precision": "fp32",
    "runs": 250,
    "threads": None,
    "fps": 100.5,
    "p50_ms": 9.0,
    "p90_ms": 11.0,
    "p99_ms": 20.0,
    "memory_mib": 97.1,
    "celsius": -3.5,
    "host": "pi",
    "machine": "aarch64",
    "cores": 4,
    "system": "Linux",
    "python": "3.11.7",
    "runtime": "onnxruntime 1.20",
    "date": "2026-01-31",
}


def row(**changed):
    return Row.model_validate(ROW | changed)


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        '=HYPERLINK("//x","y")',
        "+1",
        "-1",
        "@SUM(1)",
        "'quoted",
        "''",
        "a,b",
        'a"b',
        "猫 🐈",
    ],
)
def test_no_cell_is_a_formula_and_all_come_back_as_they_were(tmp_path, name):
    given = row(name=name, host=name, memory_mib=None, celsius=None)
    path = tmp_path / "rows.csv"
    append_rows(path, [given])
    with path.open(encoding="utf-8", newline="") as file:
        (cells,) = csv.DictReader(file)
    assert not any(cells[text].startswith(("=", "+", "-", "@")) for text in ("name", "host"))
    assert read_rows(path) == (given,)


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "a\rb", "a\tb", "\u202eevil", "x" * 201])
def test_names_that_could_steer_a_terminal_are_refused(tmp_path, name):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW | {"name": name}))
    with pytest.raises(DataError, match=r"row 1 of .*name"):
        read_rows(path)


def test_a_file_grows_and_has_one_header(tmp_path):
    path = tmp_path / "deep" / "rows.csv"
    assert append_rows(path, [row()]) == 1
    assert append_rows(path, [row(fps=2.0), row(fps=3.0)]) == 3
    assert path.read_text().count("fps") == 1
    assert [one.fps for one in read_rows(path)] == [100.5, 2.0, 3.0]


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path):
    path = tmp_path / "shopping.csv"
    path.write_text("bread,milk\n1,2\n")
    with pytest.raises(OutputError, match=r"shopping\.csv is no table"):
        append_rows(path, [row()])
    assert path.read_text() == "bread,milk\n1,2\n"
    with pytest.raises(OutputError, match="is no file"):
        append_rows(tmp_path, [row()])


def test_tables_of_spreadsheets_with_other_order_and_marks_are_read(tmp_path):
    path = tmp_path / "rows.csv"
    order = COLUMNS[::-1]
    values = {name: "" if value is None else value for name, value in ROW.items()}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, order, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerow(values)
    assert read_rows(path) == (row(),)


@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"rows": [{}]}}', "{}\n\n{}\n"])
def test_json_in_the_forms_that_people_have_it_in(tmp_path, form):
    path = tmp_path / "rows.json"
    path.write_text(form.replace("{}", json.dumps(ROW)).replace("{{", "{").replace("}}", "}"))
    assert set(read_rows(path)) == {row()}


def test_rows_of_runners_without_date_and_threads_are_taken(tmp_path):
    path = tmp_path / "rows.jsonl"
    left_out = ("date", "threads", "python", "celsius", "memory_mib", "cores")
    path.write_text(json.dumps({name: ROW[name] for name in ROW if name not in left_out}))
    assert read_rows(path)[0].threads is None


HEADER = ",".join(COLUMNS)
LINE = to_csv([Row.model_validate(ROW)]).splitlines()[1]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", b"", "its first line is ''"),
        ("bytes.csv", b"\xff\xfe\x00", "no text in UTF-8"),
        ("other.csv", b"name,fps\npets,1\n", "its first line is 'name,fps'"),
        ("cut.csv", f"{HEADER}\n{LINE[:40]}\n".encode(), "line 2 of .*cut.csv has 10 cells"),
        ("open.csv", f'{HEADER}\n"{LINE}'.encode(), "open.csv is damaged"),
        ("word.csv", f"{HEADER}\n{LINE.replace('100.5', 'fast')}".encode(), "line 2 .*fps"),
        ("endless.csv", f"{HEADER}\n{LINE.replace('100.5', 'inf')}".encode(), "line 2 .*fps"),
        ("zero.csv", f"{HEADER}\n{LINE.replace('100.5', '0')}".encode(), "line 2 .*fps"),
        ("no.json", b"hello", "no JSON"),
        ("deep.json", b"[" * 100_000, "no JSON"),
        ("list.json", b"[1, 2]", "row 1 of .*list.json"),
        ("more.json", json.dumps(ROW | {"extra": 1}).encode(), "extra"),
        ("less.json", json.dumps({"name": "pets"}).encode(), "version: Field required"),
        ("nan.json", json.dumps(ROW | {"fps": float("nan")}).encode(), "fps"),
    ],
)
def test_foreign_and_damaged_files_are_told(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_rows(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv cannot be read"):
        read_rows(tmp_path / "nowhere.csv")


def test_rows_of_several_machines_come_by_export_the_fastest_first():
    slow, fast, other = row(fps=1.0), row(fps=9.0, host="phone"), row(name="cats")
    assert merged([slow, fast, other, slow]) == (other, fast, slow)
