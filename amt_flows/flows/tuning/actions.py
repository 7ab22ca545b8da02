"""What a person may do with a tuning job, on its pages: links to the forms of the deployments that stop,
resume and extend it, where there are such, and the commands that do the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.settings import PREFECT_UI_URL

from amt_flows.show.markdown import code, link

FLOWS: Final = {"Stop it": "stop-tuning", "Resume it": "resume-tuning", "Extend it": "extend-tuning"}
"""What is said, and the flow that does it."""
COMMANDS: Final = {"Stop it": "stop", "Resume it": "resume", "Extend it": "extend"}


def forms(client: SyncPrefectClient) -> dict[str, str]:
    """The addresses of the forms, by the flow; of those that are deployed. Raises what the client raises."""
    found = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS.values()))))
    names = {flow: client.read_flow(flow).name for flow in {one.flow_id for one in found}}
    ui = PREFECT_UI_URL.value() or str(client.api_url).rstrip("/").removesuffix("/api")
    return {names[one.flow_id]: f"{ui}/deployments/deployment/{one.id}/run" for one in found}


def actions(name: str, addresses: Mapping[str, str], *, ended: bool) -> str:
    """One line of markdown: a link to each form, filled in with the tuning job's name, or else the
    command."""
    offered = ["Extend it"] if ended else list(FLOWS)
    filled_in = quote(json.dumps({"name": name}), safe="")
    parts = []
    for words in offered:
        address = addresses.get(FLOWS[words])
        if address is not None:
            parts.append(link(words, f"{address}?parameters={filled_in}"))
        else:
            parts.append(f"{words}: {code(f'amt-flows {COMMANDS[words]} {name}')}")
    return " · ".join(parts)
