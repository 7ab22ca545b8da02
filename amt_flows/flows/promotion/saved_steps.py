"""What a flow run has found out once stays so when it is run again: after a crash, or after it was suspended
for days. It is kept where the flow's results are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.results import ResultStore, get_result_store
from prefect.serializers import JSONSerializer
from pydantic import TypeAdapter

T = TypeVar("T")


def saved_step(key: str, kind: type[T], make: Callable[[], T]) -> T:
    """What ``make`` returned the first time that it was called for ``key``, in this run or an earlier one.

    ``kind`` is its type, which pydantic must know how to read and write. Where the place of results can't be
    used, it is made again: what is remembered here saves time, and nothing rests on it alone.
    """
    adapter: TypeAdapter[T] = TypeAdapter(kind)
    store = ResultStore(
        result_storage=get_result_store().result_storage, serializer=JSONSerializer(jsonlib="json")
    )
    try:
        if store.exists(key):
            return adapter.validate_python(store.read(key).result)
    except Exception as error:
        get_run_logger().warning("What was kept as %s can't be read; it is made again: %r", key, error)
    value = make()
    try:
        plain: Any = adapter.dump_python(value, mode="json")
        store.write(plain, key)
    except Exception as error:
        get_run_logger().warning("%s can't be kept; a retry would make it again: %r", key, error)
    return value
