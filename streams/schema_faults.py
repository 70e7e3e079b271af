"""The faults of schemas/ as faults of the platform: schemas/ knows nothing of streams/."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import DecodeFault, EncodeFault, RegistryUnavailable, SchemaError
from streams.errors import RecordFault, SettingsError, Unavailable


@contextmanager
def schema_faults() -> Iterator[None]:
    """Turn the block's schema errors into ours.

    Raises:
        RecordFault: a value or a record does not fit its schema.
        Unavailable: the registry does not answer.
        SettingsError: anything else, such as a schema that was never registered.
    """
    try:
        yield
    except (DecodeFault, EncodeFault) as fault:
        raise RecordFault(str(fault)) from fault
    except RegistryUnavailable as error:
        raise Unavailable(str(error)) from error
    except SchemaError as error:
        raise SettingsError(str(error)) from error
