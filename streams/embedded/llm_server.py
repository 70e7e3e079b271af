"""The offline model's server: llama.cpp with OpenAI's HTTP interface on loopback.

Run by the supervisor: python -m streams.embedded.llm_server --port PORT --model FILE.gguf
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click
import xllamacpp

from streams.embedded.ports import LOOPBACK

CONTEXT_TOKENS = 4_096
PARALLEL_REQUESTS = 2
HTTP_TIMEOUT_S = 120
LOG_WARNINGS = 2  # llama.cpp's levels: 1 errors, 2 warnings, 3 every request


def model_parameters(port: int, model: Path) -> xllamacpp.CommonParams:
    """Return llama.cpp's parameters for a small model on few cores: no UI, no GPU, prompts cached."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.model_alias = {model.stem}
    parameters.hostnames = [LOOPBACK]
    parameters.port = port
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL_REQUESTS
    parameters.n_gpu_layers = 0
    parameters.ui = False
    parameters.verbosity = LOG_WARNINGS
    parameters.timeout_read = parameters.timeout_write = HTTP_TIMEOUT_S
    cores = os.cpu_count() or 1
    threads = min(cores, max(2, cores // 2))
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    return parameters


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Loopback port to listen on.")
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="GGUF file.")
def main(port: int, model: Path) -> None:
    """Serve a GGUF model until a signal ends it."""
    server = xllamacpp.Server(model_parameters(port, model))
    click.echo(f"{model.stem} at {server.listening_address}")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
