"""The text of a Mastodon post as people read it: its HTML content without the HTML."""

from __future__ import annotations

from html.parser import HTMLParser

_BLOCKS = frozenset({"p", "blockquote", "pre", "ul", "ol"})
_LINES = frozenset({"br", "li"})


class _Reading(HTMLParser):
    """Paragraphs are apart by an empty line; a link's parts, some of them not shown, are its whole address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _BLOCKS and self.parts:
            self.parts.append("\n\n")
        elif tag in _LINES and self.parts:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of_content(content: str) -> str:
    """Return the text of a post's HTML."""
    reading = _Reading()
    reading.feed(content)
    reading.close()
    return "".join(reading.parts)
