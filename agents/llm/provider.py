"""Which server writes: OpenAI, a compatible server, or the embedded model behind the same API."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.llm.settings import CallSettings
from streams.endpoints import resolve
from streams.errors import SettingsError
from streams.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
EMBEDDED_MODEL = "SmolLM2-135M-Instruct.Q4_1"  # as its server reports it: the name of the file
EMBEDDED_LANGUAGES = ("en",)
EMBEDDED_CONCURRENCY = 2  # requests that its server works on at a time; more would only wait there and time out


@dataclass(frozen=True, slots=True)
class Provider:
    """A server with the OpenAI API.

    `languages` are those its models write sensibly; None means any. `concurrency` is how many calls it takes at a time.
    `embedded` is the small model of the embedded stack, which continues examples well and follows instructions poorly.
    """

    base_url: str
    api_key: str = field(repr=False)
    concurrency: int
    embedded: bool = False
    languages: tuple[str, ...] | None = None

    @property
    def is_openai(self) -> bool:
        """Tell whether it is OpenAI itself, with all of its endpoints."""
        return self.base_url.rstrip("/") == OPENAI_URL

    def __str__(self) -> str:
        """Name the server without its key."""
        return f"the embedded model at {self.base_url}" if self.embedded else f"the model provider at {self.base_url}"


def provider_of(settings: Settings) -> Provider:
    """Return the provider: the configured one, else the embedded model.

    Raises:
        SettingsError: nothing is configured and the embedded stack runs no model.
    """
    if settings.openai_api_key or settings.openai_base_url:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
        return Provider(settings.openai_base_url or OPENAI_URL, key, settings.of(CallSettings).llm_concurrency)
    base_url = resolve(settings).llm
    if base_url is None:
        raise SettingsError(
            "No language model is configured: start the embedded one with `threads-agent up`, "
            "or set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server"
        )
    concurrency = min(settings.of(CallSettings).llm_concurrency, EMBEDDED_CONCURRENCY)
    return Provider(base_url, "none", concurrency, embedded=True, languages=EMBEDDED_LANGUAGES)
