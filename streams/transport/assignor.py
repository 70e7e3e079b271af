"""The assignor: Faust's, which leaves partitions where they were, for topics that may have fewer than they had."""

from __future__ import annotations

import logging
from typing import Any

from faust.assignor.client_assignment import ClientAssignment
from faust.assignor.partition_assignor import PartitionAssignor

logger = logging.getLogger(__name__)


class FreshAssignor(PartitionAssignor):
    """Share out partitions from nothing where the members' earlier ones do not fit the topics as they are.

    Faust's own asserts that they do: the leader of the group would end, and so would the next.
    """

    _forgets = False

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        try:
            return super()._perform_assignment(cluster, member_metadata)
        except AssertionError:
            logger.warning("The topics are not those that partitions were shared out of before: begun from nothing")
        self._forgets = True
        try:
            return super()._perform_assignment(cluster, member_metadata)
        finally:
            self._forgets = False

    def _get_client_metadata(self, metadata: Any) -> Any:
        found = super()._get_client_metadata(metadata)
        return found.derive(assignment=ClientAssignment(actives={}, standbys={})) if self._forgets else found
