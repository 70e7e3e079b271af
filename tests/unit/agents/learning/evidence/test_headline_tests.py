"""Files of tests: what is read, what is left out and said, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from agents.learning.evidence.headline_tests import BadTests, read_tests

HEADER = "test_id,headline,excerpt,eyecatcher_id,iso_week,impressions,clicks\n"


def test_arms_of_a_test_stand_together_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tests.csv"
    file.write_text(
        HEADER + "b,One,,p,201401,10,1\na,Two,,p,201401,20,2\nb,Three,,q,201401,30,3\na,One,,p,201401,40,4\n"
    )
    tests = read_tests(file)
    assert tests.test_ids == ["b", "a"]
    assert tests.headlines == ["One", "Two", "Three"]
    assert tests.test.tolist() == [0, 0, 1, 1]
    assert tests.text.tolist() == [0, 2, 1, 0]
    assert tests.shown.tolist() == [10, 30, 20, 40]
    assert tests.clicks.tolist() == [1, 3, 2, 4]
    assert tests.picture is not None
    assert (tests.picture[0] != tests.picture[1], tests.picture[2] == tests.picture[3]) == (True, True)


def test_what_is_no_arm_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = ["a,One,,,,10,1", "a,Two,,,,0,0", "a,,,,,10,1", ",X,,,,10,1", "a,Three,,,,10,11", "a,Four,,,,ten,1"]
    rows += ["a,Five,,,,10,-1", "a,Six,,,,10,2", "lonely,One,,,,10,1"]
    file = tmp_path / "tests.csv"
    file.write_text(HEADER + "\n".join(rows) + "\n")
    tests = read_tests(file)
    assert [tests.headlines[text] for text in tests.text] == ["One", "Six"]
    assert tests.left_out == {
        "never shown": 1,
        "no headline": 1,
        "no test_id": 1,
        "more clicks than views": 2,
        "no count": 1,
        "a test with one arm": 1,
    }


def test_compressed_files_and_the_archives_own_name_of_the_test_are_read(tmp_path: Path) -> None:
    file = tmp_path / "tests.csv.gz"
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.write('clickability_test_id,headline,impressions,clicks\nt,"One, with a comma",9,1\nt,Two,9,2\n')
    tests = read_tests(file)
    assert tests.headlines == ["One, with a comma", "Two"]
    assert tests.picture is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "can't be read as CSV"),
        ("test_id,headline,clicks\na,One,1\n", "no column impressions; it has test_id, headline, clicks"),
        (HEADER, "no test with two arms that can be compared (it has no rows)"),
        (HEADER + "a,One,,,,10,1\n", "(1 x a test with one arm)"),
    ],
)
def test_a_file_without_tests_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "tests.csv"
    file.write_text(content)
    with pytest.raises(BadTests) as refused:
        read_tests(file)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadTests, match=r"nowhere\.csv: can't be read"):
        read_tests(tmp_path / "nowhere.csv")
