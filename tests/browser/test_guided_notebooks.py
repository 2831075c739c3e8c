"""A person at JupyterLab: the form, the plan, Apply, the check; in real Chromium, on a sandbox of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from patience import PATIENCE_S
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
OUTPUT = ".jp-OutputArea-output"


class Lab:
    """JupyterLab in folders of its own, with one page open in it."""

    def __init__(self, folder, browser):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._write_settings()
        self.environment = self._environment()
        self.process = self._start()
        self.page = browser.new_page(viewport={"width": 1400, "height": 1000})
        self.page.goto(f"{self.url}/lab")
        self.page.wait_for_function("window.jupyterapp !== undefined")
        self.page.evaluate("window.jupyterapp.restored.then(() => null)")

    def _write_settings(self):
        for name, values in {
            "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
            "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
        }.items():
            path = self.folder / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))

    def _environment(self):
        own = {
            f"JUPYTER_{name}_DIR": str(self.folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")
        }
        return {
            **os.environ,
            **own,
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
            "IDC_SANDBOX_STATE": str(self.folder / "state"),
            "IDC_RUN_FOLDER": str(self.folder / "run"),
        }

    def _start(self):
        options = [
            "--no-browser",
            "--allow-root",
            f"--port={self.url.rpartition(':')[2]}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={ROOT}",
            "--LabApp.expose_app_in_browser=True",
        ]
        log = (self.folder / "lab.log").open("w")
        command = [sys.executable, "-m", "jupyterlab", *options]
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=5).close()
                return process
            except OSError:
                assert process.poll() is None, (self.folder / "lab.log").read_text()
                time.sleep(0.2)
        raise AssertionError("JupyterLab did not start: " + (self.folder / "lab.log").read_text())

    def stop(self):
        self.page.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        stop = [sys.executable, "-m", "idc_sandbox", "stop", "--state", str(self.folder / "state")]
        subprocess.run(stop, env=self.environment, check=False, capture_output=True)

    def command(self, name, **arguments):
        self.page.evaluate(
            "([name, given]) => { void window.jupyterapp.commands.execute(name, given); }", [name, arguments]
        )

    def open(self, name):
        self.page.evaluate(
            """path => window.jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook"})
                .then(widget => widget.revealed).then(() => null)""",
            f"notebooks/{name}.ipynb",
        )
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(panel).to_have_count(1)
        expect(panel.locator("h1").first).to_contain_text(name[:2])
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Idle")
        self._clear(panel)
        return panel

    def _clear(self, panel):
        # Stored outputs are drawn one after another; what is drawn after a clearing is cleared by the next.
        for _ in range(40):
            self.command("notebook:clear-all-cell-outputs")
            self.page.wait_for_timeout(250)
            if panel.locator(OUTPUT).count() == 0:
                return
        raise AssertionError("the stored outputs do not go away")

    def run_all(self):
        self.command("notebook:run-all-cells")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    started = Lab(tmp_path_factory.mktemp("lab"), chromium)
    yield started
    started.stop()


def apply_by_hand(lab, panel, title):
    """Run all to the first form, read the plan, press Apply, run on; return the panel's outputs."""
    lab.run_all()
    outputs = panel.locator(OUTPUT)
    stopped = outputs.filter(has_text=f"press Apply in “{title}”")
    expect(stopped.first).to_be_visible()
    apply = panel.get_by_role("button", name="Apply in the sandbox").first
    panel.get_by_role("button", name="Review").first.click()
    expect(apply).to_be_enabled()
    apply.click()
    expect(outputs.filter(has_text=re.compile("Done: .* created")).first).to_be_visible()
    lab.run_all()
    return outputs


def test_run_all_stops_politely_at_the_form_and_goes_on_after_apply(lab):
    panel = lab.open("01_enable_identity_center")
    outputs = apply_by_hand(lab, panel, "Enable IAM Identity Center")
    expect(outputs.filter(has_text="1 of 1 passed").first).to_be_visible()
    expect(outputs.filter(has_text="identity store ID").first).to_be_visible()


def test_a_wrong_value_is_refused_beside_its_field_and_never_applied(lab):
    panel = lab.open("05_permission_sets")
    lab.run_all()
    chosen = panel.get_by_label("Session duration", exact=True).first
    expect(chosen).to_be_visible()
    duration = panel.get_by_label("Session duration: another length").first
    panel.get_by_role("button", name="Review").first.click()
    apply = panel.get_by_role("button", name="Apply in the sandbox").first
    expect(apply).to_be_enabled()
    chosen.select_option(label="Another length …")
    duration.fill("PT13H")
    duration.press("Tab")
    expect(panel.locator(OUTPUT).filter(has_text="PT13H").first).to_be_visible()
    expect(apply).to_be_disabled()
    duration.fill("PT2H")
    duration.press("Tab")
    expect(apply).to_be_disabled()
    panel.get_by_role("button", name="Review").first.click()
    expect(panel.locator(OUTPUT).filter(has_text="session_duration: PT2H").first).to_be_visible()
    expect(apply).to_be_enabled()
    apply.click()
    expect(panel.locator(OUTPUT).filter(has_text="3 created").first).to_be_visible()
