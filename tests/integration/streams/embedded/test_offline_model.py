"""Any GGUF file by its path is served, under its own name."""

from __future__ import annotations

from pathlib import Path

from openai import OpenAI

from streams.embedded.llm import ModelServer
from streams.embedded.offline_models import SMOLLM2, model_file
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server


def test_a_gguf_file_by_its_path_is_served_under_its_own_name(tmp_path: Path) -> None:
    mine = tmp_path / "a model of mine.gguf"
    mine.symlink_to(model_file(SMOLLM2, tmp_path))
    server = ModelServer(tmp_path / "llm", free_port(), str(mine))
    process = run_server(server, tmp_path / "logs")
    try:
        client = OpenAI(base_url=server.address, api_key="none", max_retries=0, timeout=60)
        reply = client.completions.create(model="a model of mine", prompt="Coffee is", max_tokens=4)
        client.close()
    finally:
        stop(process, server.launch().stop_signal)
    assert reply.model == "a model of mine"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 4
