"""A gateway on the session's stack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, running_gateway


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[GatewayUnderTest]:
    """The gateway's app, running in this process."""
    async with running_gateway(stack.settings) as running:
        yield running
