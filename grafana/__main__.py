"""Write the dashboards again: `python -m grafana`, in the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grafana.boards import api, business, content, infrastructure, live, llm_cost, publishing, streaming
from grafana.classic import classic, rendered
from grafana.resource import resource

FOLDER = Path(__file__).parent
BOARDS = (
    business.BOARD,
    content.BOARD,
    publishing.BOARD,
    llm_cost.BOARD,
    streaming.BOARD,
    api.BOARD,
    infrastructure.BOARD,
    live.BOARD,
)


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file and what it holds: of every dashboard the classic form and the resource."""
    for board in BOARDS:
        made = classic(board)
        yield FOLDER / "dashboards" / f"{board.uid}.json", rendered(made)
        yield FOLDER / "resources" / f"{board.uid}.json", rendered(resource(made))


def main() -> None:
    """Replace the files."""
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
