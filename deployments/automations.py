"""Save the automations of a file on the Prefect server that the environment names.

    python deployments/automations.py                      # automations.toml, beside this file
    python deployments/automations.py prod.toml --check    # only say what would be done

Run again, it updates what is there. An automation that the file doesn't name any more is left alone, and
named: nobody but you knows whether it is still wanted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from amt_flows.errors import AmtFlowsError, Problem, SpecError
from amt_flows.flows import (
    Remedy,
    clean_up_after_crash,
    clean_up_when_silent,
    notify,
    promote_when_completed,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What the name of every automation of amt-flows begins with.
PREFIX = "amt-flows: "
FIELDS = {
    "clean-up": {"deployment", "remedy", "silent_seconds"},
    "promote": {"deployment", "tuning_jobs", "parameters"},
    "notify": {"block", "events"},
}


def automations(file: Path, client: SyncPrefectClient) -> list[Automation]:
    """The automations of a file. Raises SpecError with everything that is wrong."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError([Problem(str(file), None, f"can't be read: {error}")]) from None
    found: list[Automation] = []
    problems: list[Problem] = []
    for table, kind, fields in _entries(tables):
        try:
            found += _automations(table, kind, fields, client)
        except (ValueError, TypeError, ObjectNotFound) as error:
            problems.append(Problem(table, None, str(error)))
    if problems:
        raise SpecError(problems)
    return found


def _entries(tables: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(table, kind, fields) of each table that stands for automations."""
    for kind, fields in tables.items():
        if kind == "promote" and isinstance(fields, dict):
            for name, one in fields.items():
                yield f"promote.{name}", kind, one
        else:
            yield kind, kind, fields


def _automations(
    table: str, kind: str, fields: Mapping[str, Any], client: SyncPrefectClient
) -> list[Automation]:
    if kind not in FIELDS:
        raise ValueError(f"is no kind of automation; the kinds are {', '.join(FIELDS)}")
    if not isinstance(fields, dict):
        raise ValueError("must be a table")
    unknown = sorted(set(fields) - FIELDS[kind])
    if unknown:
        raise ValueError(f"there is no field {unknown[0]}; the fields are {', '.join(sorted(FIELDS[kind]))}")
    if kind == "notify":
        block = _block(client, _text(fields, "block"))
        return [notify(block, fields["events"]) if "events" in fields else notify(block)]
    deployment = _deployment(client, _text(fields, "deployment"))
    if kind == "promote":
        return [
            promote_when_completed(
                table.partition(".")[2],
                deployment,
                tuning_jobs=fields.get("tuning_jobs", "*"),
                parameters=fields.get("parameters", {}),
            )
        ]
    remedy = Remedy(fields.get("remedy", Remedy.STOP_JOBS))
    silence = partial(clean_up_when_silent, deployment, remedy=remedy)
    return [
        clean_up_after_crash(deployment, remedy=remedy),
        silence(silent_seconds=int(fields["silent_seconds"])) if "silent_seconds" in fields else silence(),
    ]


def _text(fields: Mapping[str, Any], name: str) -> str:
    if not isinstance(fields.get(name), str) or "/" not in fields[name]:
        raise ValueError(f"needs {name}, as <kind>/<name>")
    return str(fields[name])


def _deployment(client: SyncPrefectClient, name: str) -> UUID:
    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound:
        raise ValueError(
            f"there is no deployment {name} on this server; run `prefect deploy` first, see prefect.yaml"
        ) from None


def _block(client: SyncPrefectClient, name: str) -> UUID:
    slug, _, document = name.partition("/")
    try:
        return client.read_block_document_by_name(document, slug).id
    except ObjectNotFound:
        raise ValueError(f"there is no block {name} on this server; `prefect block ls` lists them") from None


def register(file: Path, *, check: bool = False) -> tuple[list[str], list[str]]:
    """Save all automations of a file. Returns their names, and the names of others of amt-flows that the
    server has. Raises SpecError before anything was saved."""
    with get_client(sync_client=True) as client:
        wanted = automations(file, client)
        there = {one.name: one for one in client.read_automations()}
    if not check:
        for one in wanted:
            if one.name in there:
                one.id = there[one.name].id
                one.update()
            else:
                one.create()
    names = [one.name for one in wanted]
    return names, sorted(name for name in there if name.startswith(PREFIX) and name not in names)


def main() -> None:
    parser = argparse.ArgumentParser(description="Save the automations of a file on the Prefect server.")
    beside = Path(__file__).with_name("automations.toml")
    parser.add_argument(
        "file", nargs="?", type=Path, default=beside, help="[default: automations.toml beside it]"
    )
    parser.add_argument("--check", action="store_true", help="save nothing")
    arguments = parser.parse_args()
    try:
        saved, others = register(arguments.file, check=arguments.check)
    except AmtFlowsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    for name in saved:
        print(f"{name}: {'would be saved' if arguments.check else 'saved'}")
    for name in others:
        print(f"{name}: is on the server and not in the file; it is left alone")


if __name__ == "__main__":
    main()
