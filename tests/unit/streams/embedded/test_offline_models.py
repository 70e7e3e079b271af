"""Offline models: which there are, where their files are, and what is said where one is not there."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.costs.prices import cost_micros, read_prices
from agents.generation.writing import open_writing
from agents.llm.answers.reply import Usage
from agents.llm.provider import EMBEDDED_LANGUAGES, EMBEDDED_MODEL
from streams.embedded.offline_models import GEMMA3, PACKAGED, SMOLLM2, OfflineModel, model_file, offline_model_of
from streams.embedded.server import ServerFailed
from streams.endpoints import update_endpoints
from streams.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[4]
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def in_parts(folder: Path, parts: list[bytes], sha256: str | None = None) -> OfflineModel:
    """Make packages that hold a file in parts, importable from `folder`."""
    names = tuple(f"offline_model_of_a_test_part{number}" for number in range(len(parts)))
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        data = folder / name / "data"
        data.mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").touch()
        (data / f"model.gguf.part{number:02d}").write_bytes(part)
    found = sha256 or hashlib.sha256(b"".join(parts)).hexdigest()
    return OfflineModel("parts", "model.gguf", ("en",), "none", names, found, "requirements.txt")


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=5_000), min_size=2, max_size=5))
def test_a_file_in_parts_is_put_together_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("packages")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        model = in_parts(folder, parts)
        file = model_file(model, folder / "cache")
        assert file.read_bytes() == b"".join(parts)
        first = file.stat().st_mtime_ns
        assert model_file(model, folder / "cache").stat().st_mtime_ns == first
        assert [each.name for each in (folder / "cache").iterdir()] == ["model.gguf"]


def test_parts_that_are_not_what_they_should_be_are_refused_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    model = in_parts(tmp_path, [b"GGUF", b"changed"], sha256="0" * 64)
    with pytest.raises(ServerFailed, match="expected SHA-256 0000"):
        model_file(model, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_model_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    absent = OfflineModel("absent", "absent.gguf", ("en",), "none", ("no_such_package",), "", "requirements-absent.txt")
    with pytest.raises(ServerFailed, match=r"absent is not installed: run `pip install .*-r requirements-absent.txt`"):
        model_file(absent, tmp_path)


@pytest.mark.parametrize("setting", ["smollm3", "/no/such/file.gguf", "~/none.gguf"])
def test_a_path_with_no_file_is_told_with_the_names_there_are(setting: str, tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"must be smollm2, gemma3-270m or the path of a GGUF file.*it is not there"):
        model_file(offline_model_of(setting), tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.gguf"
    other.write_bytes(b"PK\x03\x04")
    with pytest.raises(ServerFailed, match="it is no GGUF file"):
        model_file(offline_model_of(str(other)), tmp_path)
    other.write_bytes(b"GGUF and more")
    assert model_file(offline_model_of(str(other)), tmp_path) == other


@pytest.mark.parametrize("model", PACKAGED.values(), ids=PACKAGED)
def test_packaged_models_name_their_licence_and_are_locked_by_hash(model: OfflineModel) -> None:
    lock = (REPOSITORY / model.requirements).read_text()
    assert model.licence.split()[0] in lock
    pinned = re.findall(r"^([\w-]+)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}$", lock, re.MULTILINE)
    assert [name.replace("-", "_") for name in pinned] == list(model.packages)


def test_the_default_is_the_model_that_the_client_knows() -> None:
    default = offline_model_of(Settings().offline_model)
    assert default is SMOLLM2
    assert (default.served_as, default.languages) == (EMBEDDED_MODEL, EMBEDDED_LANGUAGES)


@pytest.mark.parametrize(
    ("setting", "languages"),
    [("smollm2", ("en",)), ("gemma3-270m", GEMMA3.languages), ("/models/of-mine.gguf", ("en", "de", "es", "uk"))],
)
async def test_the_languages_that_are_written_are_those_of_the_model(
    setting: str, languages: tuple[str, ...], tmp_path: Path
) -> None:
    update_endpoints(tmp_path, llm="http://127.0.0.1:1/v1")
    settings = Settings(home=tmp_path, OPENAI_API_KEY=None, OPENAI_BASE_URL=None, offline_model=setting)
    writing = await open_writing(settings)
    assert writing.languages == languages
    await writing.close()


def test_a_model_on_this_machine_is_known_to_cost_nothing_and_others_keep_their_price() -> None:
    usage, prices = Usage(prompt_tokens=10**6, completion_tokens=10**6), read_prices()
    assert cost_micros(usage, "of-mine", prices, on=NOW.date()) is None
    assert cost_micros(usage, "of-mine", prices.with_free("of-mine"), on=NOW.date()) == 0
    assert prices.with_free("gpt-4.1") == prices
