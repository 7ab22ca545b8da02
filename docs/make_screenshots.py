"""Makes docs/images anew: fills in the form of a pipeline in Chromium, and takes pictures of what follows.

    pip install '.[examples,plots]' playwright && playwright install chromium
    python docs/make_screenshots.py        # --chromium /usr/bin/chromium, for one that is there already

It runs a server and deployments of its own, in a temporary directory, with the `prefect` and `python` that
are on the path. It takes a few minutes, and fails where the form can't be filled in or is refused, and where
the pipeline does not end well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, TimeoutError, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
# Narrow enough for Prefect to put its menu away.
WIDTH = 760
LAST_SERVED = "/deployments/name/clean-up-after-flow-run/clean-up"
PATIENCE_SECONDS = 600
RESUMES = 5


class Server:
    """A Prefect server that serves the deployments, until the block is left."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(directory / "prefect"),
            "PREFECT_API_URL": f"{self.address}/api",
            "PREFECT_UI_API_URL": f"{self.address}/api",
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "AMT_FLOWS_HOME": str(directory / "tunings"),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        commands = (["prefect", "server", "start"], ["python", str(ROOT / "deployments/serve.py")])
        started: list[subprocess.Popen[bytes]] = []
        try:
            for command, path in zip(commands, ("/health", LAST_SERVED), strict=True):
                process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)
                started.append(process)
                self.wait_for(path, process)
            yield
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()

    def wait_for(self, path: str, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.ask(path)
            except OSError:
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise
                time.sleep(1)
            else:
                return

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self.address}/api{path}", data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def state(self, run: str, *names: str) -> None:
        """Wait until a flow run is in one of some states."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (state := self.ask(f"/flow_runs/{run}")["state"])["name"] not in names:
            if state["type"] in ("FAILED", "CRASHED") or time.monotonic() > give_up_at:
                raise SystemExit(f"The flow run is {state['name']}: {state['message']}")
            time.sleep(1)

    def schedule_is(self, deployment: str, *, on: bool) -> None:
        """Wait until a deployment's only schedule is switched on or off."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.ask(f"/deployments/{deployment}")["schedules"][0]["active"] is not on:
            if time.monotonic() > give_up_at:
                raise SystemExit("The switch of the schedule does nothing.")
            time.sleep(1)

    def upcoming(self, deployment: str) -> list[dict[str, Any]]:
        """Wait for flow runs that a schedule has made."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        asked = {
            "flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
        }
        while not (found := self.ask("/flow_runs/filter", asked)):
            if time.monotonic() > give_up_at:
                raise SystemExit("The schedule makes no runs.")
            time.sleep(1)
        return list(found)

    def artifact(self, key: str) -> str:
        """The path of an artifact's page."""
        found = self.ask("/artifacts/filter", {"artifacts": {"key": {"any_": [key]}}})
        return f"/artifacts/artifact/{found[0]['id']}"


class Form:
    """A part of a form, and its fields by their labels."""

    def __init__(self, page: Page, place: Locator | None = None) -> None:
        self.page = page
        self.place = place or page.locator("body")

    def __getitem__(self, label: str) -> Form:
        texts = " or ".join(f"normalize-space()='{text}'" for text in (label, f"{label} (Optional)"))
        field = f"xpath=.//div[contains(@class,'group')][./div[1]/div[1]/label[{texts}]]"
        return Form(self.page, self.place.locator(field).first)

    def write(self, value: object, nth: int = 0) -> None:
        self.place.locator("textarea, input").nth(nth).fill(str(value))
        self.page.wait_for_timeout(100)

    def add(self) -> Form:
        self.place.get_by_role("button", name="Add item").last.click()
        self.page.wait_for_timeout(200)
        return self

    def list(self, *values: object) -> None:
        for nth, value in enumerate(values):
            self.add().write(value, nth)

    def choose(self, value: str) -> None:
        self.place.get_by_role("combobox").or_(self.place.locator("button[aria-label^=Select]")).first.click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def write_json(self, value: object) -> None:
        self.place.locator(".cm-content").first.click()
        self.page.keyboard.insert_text(json.dumps(value))

    def switch(self) -> None:
        self.place.get_by_role("switch").first.click()


def fill_in(form: Form, directory: Path) -> None:
    """The rest is there: the deployment's own parameters."""
    spec = form["Tuning job"]
    spec["Name"].write("digits")
    spec["Limits"]["Max number of training jobs"].write(16)
    form["Target"]["Directory"].write(directory / "models" / "digits")


def fill_in_the_short_one(page: Page) -> None:
    page.get_by_label("Training jobs in all").fill("12")
    page.get_by_label("Good enough at").fill("0.98")
    page.get_by_role("button", name="Add item").click()
    page.get_by_label("Hyperparameter").fill("learning_rate")
    page.get_by_label("Smallest").fill("0.001")


def picture(page: Page, name: str, directory: Path, *, top: Locator, height: int = 0) -> None:
    """Take a picture in which no path of this machine is to be seen: of ``top``, or of as many pixels from
    there."""
    page.wait_for_timeout(1500)
    top.evaluate("one => { one.style.scrollMarginTop = '12px'; one.scrollIntoView() }")
    page.evaluate(
        """([path, shown]) => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
          while (walker.nextNode()) {
            const node = walker.currentNode
            node.nodeValue = node.nodeValue.replaceAll(path, shown)
          }
        }""",
        [str(directory), "/srv"],
    )
    file, box = IMAGES / f"{name}.png", top.bounding_box()
    if height == 0 or box is None:
        top.screenshot(path=file)
        return
    y = max(box["y"] - 12, 0)
    page.screenshot(path=file, clip={"x": 0, "y": y, "width": WIDTH, "height": height})


def switch_on(page: Page, server: Server, directory: Path) -> None:
    """The switch of a schedule, in both UIs: it is on, and its runs get what the deployment has."""
    found = server.ask("/deployments/name/tune-then-deploy/tune-then-deploy")
    path = f"/deployments/deployment/{found['id']}"
    for ui in ("", "/v2"):
        page.goto(f"{server.address}{ui}{path}")
        switch = page.get_by_role("switch").last
        switch.wait_for()
        page.wait_for_timeout(2000)
        switch.click()
        server.schedule_is(found["id"], on=True)
        (run, *_) = server.upcoming(found["id"])
        if not run["parameters"].get("spec"):
            raise SystemExit("A run of the schedule has no spec.")
        if ui:
            picture(page, "schedule", directory, top=page.get_by_role("main"), height=620)
        page.reload()  # until then it may show what was
        switch.wait_for()
        page.wait_for_timeout(2000)
        switch.click()
        server.schedule_is(found["id"], on=False)


def automations(page: Page, server: Server, directory: Path) -> None:
    command = ["python", str(ROOT / "deployments/automations.py")]
    subprocess.run(command, env=server.environment, check=True, stdout=subprocess.DEVNULL)
    page.goto(f"{server.address}/v2/automations")
    page.get_by_text("promote").first.wait_for()
    picture(page, "automations", directory, top=page.get_by_role("main"), height=1120)


def pipeline(page: Page, server: Server, directory: Path, run: str) -> None:
    """The graph of a flow run that calls another one."""
    page.goto(f"{server.address}/v2/runs/flow-run/{run}")
    graph = page.locator("canvas").first
    graph.wait_for()
    page.wait_for_timeout(5000)
    picture(page, "pipeline", directory, top=graph)


def resume(page: Page, dialog: Locator) -> None:
    """As a person does it: a busy server on SQLite may refuse it at first."""
    for _ in range(RESUMES):
        dialog.get_by_role("button", name="Resume").click()
        with contextlib.suppress(TimeoutError):
            # The page's requests pass through this process, so they stand still while it does.
            page.get_by_text("Flow run resumed").wait_for(timeout=90_000)
            return
    raise SystemExit("The flow run can't be resumed.")


def take(page: Page, server: Server, directory: Path) -> None:
    ui = f"{server.address}/v2"
    switch_on(page, server, directory)
    automations(page, server, directory)
    quick = server.ask("/deployments/name/tune-quick/tune-quick")["id"]
    page.goto(f"{ui}/deployments/deployment/{quick}/run")
    page.get_by_text("Training jobs in all").first.wait_for()
    fill_in_the_short_one(page)
    picture(page, "quick", directory, top=page.get_by_role("heading", name="Parameters"), height=1130)
    deployment = server.ask("/deployments/name/tune-then-deploy/tune-then-deploy")["id"]
    page.goto(f"{ui}/deployments/deployment/{deployment}/run")
    page.get_by_text("What to optimise.").wait_for()
    fill_in(Form(page), directory)
    picture(page, "form", directory, top=Form(page)["Tuning job"].place, height=1190)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/deployments/deployment/*?*")
    (run,) = server.ask("/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})
    server.state(run["id"], "Suspended")

    (tuning,) = server.ask("/flow_runs/filter", {"flow_runs": {"name": {"any_": ["digits"]}}})
    page.set_viewport_size({"width": 1300, "height": 1500})
    page.goto(f"{ui}/runs/flow-run/{tuning['id']}")
    page.wait_for_timeout(5000)
    graph = page.locator("canvas").first
    # So near that the bars have their names.
    graph.hover()
    page.mouse.wheel(0, -600)
    picture(page, "graph", directory, top=graph)
    page.set_viewport_size({"width": WIDTH, "height": 1500})
    # The other one of the two UIs.
    page.goto(f"{server.address}{server.artifact('amt-curves-digits')}")
    curves = page.locator("img[src^='data:image/svg']").first
    curves.wait_for()
    picture(page, "curves", directory, top=curves)

    page.goto(f"{ui}{server.artifact('amt-leaderboard-digits')}")
    page.get_by_role("columnheader", name="Rank").wait_for()
    picture(page, "leaderboard", directory, top=page.get_by_role("main"), height=770)
    page.goto(f"{ui}{server.artifact('amt-report-digits')}")
    best = page.get_by_role("heading", name="Best training job")
    best.wait_for()
    picture(page, "report", directory, top=best, height=1150)

    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    page.get_by_role("button", name="Open menu").first.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    Form(page, dialog)["Decision"].choose("Approve")
    Form(page, dialog)["Comment"].write("Looks right on last week's images, too.")
    picture(page, "approval", directory, top=dialog)
    resume(page, dialog)
    server.state(run["id"], "Completed")
    page.goto(f"{ui}{server.artifact('amt-promotion-digits')}")
    page.get_by_role("heading", name="Promoted").wait_for()
    picture(page, "promotion", directory, top=page.get_by_role("main"), height=850)
    page.set_viewport_size({"width": 1300, "height": 1500})
    pipeline(page, server, directory, run["id"])
    page.set_viewport_size({"width": WIDTH, "height": 1500})
    page.goto(f"{ui}{server.artifact('amt-result-digits')}")
    page.get_by_role("heading", name="Best training job").wait_for()
    picture(page, "result", directory, top=page.get_by_role("main"), height=900)


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of docs/images.")
    parser.add_argument("--chromium", help="a Chromium that is there already; else playwright's own")
    chromium = parser.parse_args().chromium
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        server = Server(Path(name))
        with server.running():
            browser = playwright.chromium.launch(executable_path=chromium)
            page = browser.new_page(viewport={"width": WIDTH, "height": 1500})
            page.set_default_timeout(1000 * PATIENCE_SECONDS)
            # The UI asks for news of its makers; nothing but the server is needed.
            page.route("**/*", lambda route: _here(route, server.address))
            take(page, server, Path(name))
            browser.close()


def _here(route: Any, address: str) -> None:
    if route.request.url.startswith((address, "data:", "blob:")):
        route.continue_()
    else:
        route.abort()


if __name__ == "__main__":
    main()
