"""A package that is installed beside ours brings settings and metrics by its entry points alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams import metrics, settings
from streams.cli.main import main
from streams.errors import SettingsError

MODULE = """
from pydantic import Field
from streams.metrics import Metric
from streams.settings import SettingsGroup

class ShopSettings(SettingsGroup):
    shop_port: int = Field(0, ge=0, le=65535)

METRICS = (Metric("shop_requests_total", "counter", (), "Requests."),)
"""
Install = Callable[[str, str], None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package `shop_of_test` with an entry point; forget it after the test."""
    caches = (settings.group_kinds, settings.current_settings, metrics.catalogue)

    def install(group: str, value: str) -> None:
        (tmp_path / "shop_of_test.py").write_text(MODULE)
        info = tmp_path / "shop_of_test-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-of-test\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nshop = {value}\n")
        monkeypatch.syspath_prepend(tmp_path)
        for each in caches:
            each.cache_clear()

    yield install
    monkeypatch.undo()
    sys.modules.pop("shop_of_test", None)
    for each in caches:
        each.cache_clear()


def test_settings_of_an_installed_package_are_read_and_checked_with_ours(
    installed: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as before:
        before.setenv("THREADS_SHOP_PORT", "8080")
        with pytest.raises(SettingsError, match="THREADS_SHOP_PORT is not a setting"):
            settings.read_settings()
    installed("threads.settings", "shop_of_test:ShopSettings")
    [kind] = [each for each in settings.group_kinds() if each.__name__ == "ShopSettings"]
    monkeypatch.setenv("THREADS_SHOP_PORT", "8080")
    assert getattr(settings.read_settings().of(kind), "shop_port") == 8080  # noqa: B009 - a class of the test's
    monkeypatch.setenv("THREADS_SHOP_PORT", "-1")
    monkeypatch.setenv("THREADS_PARTITIONS", "0")
    with pytest.raises(SettingsError, match=r"(?s)THREADS_PARTITIONS: .*THREADS_SHOP_PORT: .*, got '-1'"):
        settings.read_settings()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("shop_of_test:NoSuchSettings", "can't be loaded, AttributeError"),
        ("no_shop_of_test:Settings", "can't be loaded, ModuleNotFoundError"),
        ("shop_of_test:METRICS", "must be a SettingsGroup"),
    ],
)
def test_settings_that_are_broken_are_one_line_that_names_them(installed: Install, value: str, told: str) -> None:
    installed("threads.settings", value)
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "The settings 'shop'" in done.stderr
    assert told in done.stderr
    assert value in done.stderr


def test_metrics_of_an_installed_package_stand_in_the_catalogue(installed: Install) -> None:
    assert "shop_requests_total" not in {each.name for each in metrics.catalogue()}
    installed("threads.metrics", "shop_of_test:METRICS")
    assert "shop_requests_total" in {each.name for each in metrics.catalogue()}
