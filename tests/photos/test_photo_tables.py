import pytest

from ninebrains.errors import DataError
from ninebrains.photos import read_dataset
from tests.photos.making import names, reasons, table, write


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        write(tmp_path / f"p/{number}.jpg", number)
    return tmp_path / "p"


def test_paths_are_relative_to_the_table_absolute_or_above_it(folder):
    other = write(folder.parent / "other/o.jpg", 99)
    text = f"path,label\n0.jpg,cat\n../p/1.jpg,dog\n{other},dog\n../other/o.jpg,dog\n"
    dataset = read_dataset(table(folder / "t.csv", text))
    assert (dataset.task, dataset.labels) == ("classify", ("cat", "dog"))
    assert names(dataset)[:1] == ["0.jpg"]
    assert all(photo.path.is_file() for photo in dataset.photos)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfpath,label\r\n0.jpg,cat\r\n1.jpg,dog\r\n",
        "path,label\n0.jpg,cat\n1.jpg,dog\n".encode("utf-16"),
        b" Label ;PATH\ncat;0.jpg\n\ndog;1.jpg",
        b"path\tlabel\n0.jpg\tcat\n1.jpg\tdog\n",
        b'path,label,remark\n"0.jpg","cat","a, b"\n1.jpg, dog ,\n',
        b"path,label\n.\\0.jpg,cat\n.\\1.jpg,dog\n",
    ],
)
def test_byte_order_marks_line_ends_quotes_and_separators_do_not_matter(folder, text):
    dataset = read_dataset(table(folder / "t.csv", text))
    assert [(p.path.name, p.labels) for p in dataset.photos] == [
        ("0.jpg", ("cat",)),
        ("1.jpg", ("dog",)),
    ]
    assert dataset.problems == ()


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["1", "2", "1", "2"], "classify"),
        (["1.5", "2", "3", "nan"], "regress"),
        ([str(n) for n in range(25)], "regress"),
        (["1", "two", "3.5"], "classify"),
        (["a;b", "b", "", "a"], "multilabel"),
    ],
)
def test_labels_decide_the_task_unless_it_is_given(folder, cells, task):
    rows = "".join(f"{number}.jpg,{cell}\n" for number, cell in enumerate(cells))
    path = table(folder / "t.csv", "path,label\n" + rows)
    assert read_dataset(path).task == task
    assert read_dataset(path, "multilabel").task == "multilabel"


def test_multilabel_rows_are_split_and_rows_of_one_photo_joined(folder):
    path = table(folder / "t.csv", "path,label\n0.jpg,b; a\n1.jpg,\n2.jpg,a\n2.jpg,c;a\n")
    assert [photo.labels for photo in read_dataset(path).photos] == [("a", "b"), (), ("a", "c")]


def test_targets_that_are_no_numbers_are_problems_that_name_the_row(folder):
    text = "path,label\n0.jpg,1.5\n1.jpg,NaN\n2.jpg,inf\n3.jpg,\n4.jpg,-2e3\n5.jpg,many\n"
    dataset = read_dataset(table(folder / "t.csv", text), "regress")
    assert [photo.target for photo in dataset.photos] == [1.5, -2000.0]
    assert [problem.name for problem in dataset.problems] == ["1.jpg", "2.jpg", "3.jpg", "5.jpg"]
    assert reasons(dataset)["1.jpg"] == "row 3: its label 'NaN' is not a finite number"


def test_missing_files_empty_cells_and_wrong_parts_are_problems(folder):
    text = (
        "path,label,split\n0.jpg,a,train\ngone.jpg,a,\n,b,\n1.jpg,,\n2.jpg,b,exam\n3.jpg,b,Valid\n"
    )
    dataset = read_dataset(table(folder / "t.csv", text))
    assert [(photo.name, photo.split) for photo in dataset.photos] == [
        ("0.jpg", "train"),
        ("3.jpg", "val"),
    ]
    assert reasons(dataset) == {
        "gone.jpg": "row 3: there is no such file",
        "(empty)": "row 4: has no path",
        "1.jpg": "row 5: has no label",
        "2.jpg": "row 6: its split is 'exam', not train, val or test",
    }


def test_repeated_rows_count_once_and_contradictions_not_at_all(folder):
    text = "path,label\n0.jpg,a\n./0.jpg,a\n0.jpg,a\n1.jpg,a\n1.jpg,b\n2.jpg,b\n"
    dataset = read_dataset(table(folder / "t.csv", text))
    assert names(dataset) == ["0.jpg", "2.jpg"]
    assert dataset.ignored == {"duplicate rows": 2}
    assert [problem.reason for problem in dataset.problems] == [
        "row 5: rows 5 and 6 contradict each other",
        "row 6: rows 5 and 6 contradict each other",
    ]


def test_file_names_that_are_not_utf8_are_found(folder):
    (folder / "caf\udce9.jpg").write_bytes((folder / "0.jpg").read_bytes())
    dataset = read_dataset(table(folder / "t.csv", b"path,label\ncaf\xe9.jpg,a\n1.jpg,b\n"))
    assert len(dataset.photos) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class\n0.jpg,a\n", "names the columns file, class; expected path,label"),
        ("", r"\(none\); expected path,label"),
        ("path,label\n", "with 0 rows"),
        ("path,label\nx.jpg,a\n", "First: x.jpg: row 2: there is no such file"),
        (b"\x00\x01\x02\xff", "expected path,label"),
        ("path,label\n0.jpg,a\n".encode("utf-16-le"), "looks like UTF-16.*UTF-8"),
        ("path,label\n0.jpg,a\n".encode("utf-16-be"), "looks like UTF-16.*UTF-8"),
        ("path,label\n" + "x" * 200_000 + ",a\n", "is no CSV file, at line"),
    ],
)
def test_tables_without_columns_or_usable_rows_are_refused(folder, text, message):
    with pytest.raises(DataError, match=message):
        read_dataset(table(folder / "t.csv", text))


def test_folders_cannot_give_numbers(folder):
    with pytest.raises(DataError, match="CSV file"):
        read_dataset(folder, "regress")


def test_decimal_commas_are_read_where_columns_are_set_apart_otherwise(folder):
    text = "path;label\n0.jpg;119,11\n1.jpg;-2,5\n2.jpg;3\n3.jpg;4.25\n"
    dataset = read_dataset(table(folder / "t.csv", text))
    assert dataset.task == "regress"
    assert [photo.target for photo in dataset.photos] == [119.11, -2.5, 3.0, 4.25]
    doubtful = table(folder / "u.csv", 'path,label\n0.jpg,"1,234"\n1.jpg,2.5\n')
    assert reasons(read_dataset(doubtful, "regress")) == {
        "0.jpg": "row 2: its label '1,234' is not a finite number"
    }


def test_a_bad_cell_among_numbers_is_named_with_the_ways_on(folder):
    rows = "".join(f"{number}.jpg,{number}.5\n" for number in range(10))
    path = table(folder / "t.csv", f"path,label\n{rows}10.jpg,12_5x\n")
    with pytest.raises(DataError, match=r"row 12 says '12_5x'.*--task regress.*--task classify"):
        read_dataset(path)
    assert len(read_dataset(path, "regress").photos) == 10
    assert len(read_dataset(path, "classify").labels) == 11


def test_an_unknown_task_is_refused_with_those_there_are(folder):
    for source in (folder, table(folder / "t.csv", "path,label\n0.jpg,a\n")):
        with pytest.raises(DataError, match="'foo'; expected classify, multilabel, regress"):
            read_dataset(source, "foo")
