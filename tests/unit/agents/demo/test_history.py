from __future__ import annotations

import statistics
from pathlib import Path

import polars as pl

from agents.demo.history import find_history, totals_of
from agents.demo.sample_history import INTERACTIONS, POSTS, write_sample


def sample(folder: Path) -> pl.DataFrame:
    path = folder / "sample.csv"
    write_sample(path, ["ada", "bo"])
    return pl.read_csv(path)


def test_without_the_archive_a_sample_is_made_and_marked_as_simulated(tmp_path: Path) -> None:
    history = find_history(tmp_path, tmp_path / "nowhere.csv.gz")
    assert history.simulated
    assert history.path.is_relative_to(tmp_path)
    assert "simulated" in history.what


def test_the_sample_is_the_same_file_each_time(tmp_path: Path) -> None:
    first = find_history(tmp_path, tmp_path / "nowhere").path.read_bytes()
    assert find_history(tmp_path, tmp_path / "nowhere").path.read_bytes() == first


def test_the_sample_has_the_engagement_of_real_posts_and_not_what_a_target_says(tmp_path: Path) -> None:
    found = sample(tmp_path)
    rates = (found.select(pl.sum_horizontal(INTERACTIONS) / pl.col("views")).to_series()).to_list()
    assert len(rates) == POSTS
    assert 0.0015 < statistics.median(rates) < 0.0045
    assert 0.008 < statistics.quantiles(rates, n=100)[98] < 0.03
    assert 0.013 < int(found["clicks"].sum()) / int(found["views"].sum()) < 0.017


def test_the_totals_are_those_of_the_file(tmp_path: Path) -> None:
    history = find_history(tmp_path, tmp_path / "nowhere")
    found = pl.read_csv(history.path).group_by("persona_id").agg(pl.col("views", "likes").sum())
    totals = totals_of(history)
    for persona_id, views, likes in found.rows():
        assert totals[persona_id, "view"] == views
        assert totals[persona_id, "like"] == likes
