"""One page of ``idc lab`` with notebooks and forms in it: what the tests of the walk-through share."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit_lab import KIT, TOKEN, CloneLab
from patience import PATIENCE_MS
from playwright.sync_api import Browser, Locator, Page, expect

from idc_aws.connection import Connection, connect

PICTURES = KIT / "runs" / "pictures"
OUTPUT = ".jp-OutputArea-output"
RED = ", ".join(
    f"{OUTPUT}{red}:visible"
    for red in (
        *(" [role=alert]", " .idc-problem", " .idc-bad"),
        *("[data-mime-type='application/vnd.jupyter.stderr']", "[data-mime-type$='.error']"),
    )
)
HARD_SPACE = "\u00a0"  # ipywidgets puts it between the words of a choice
_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
# JupyterLab draws planets that turn until it is there, and at each change of theme, which takes a second.
_WITHOUT_SPLASH = """
    const style = new CSSStyleSheet();
    style.replaceSync('#jupyterlab-splash { display: none; }');
    document.adoptedStyleSheets = [style];
"""
_RUN = """([command, limit]) => {
    const late = new Promise((_, no) => setTimeout(() => no(new Error(command + ' takes too long')), limit));
    return Promise.race([window.jupyterapp.commands.execute(command), late]).then(() => null);
}"""
_CELLS = """path => {
    const all = Array.from(window.jupyterapp.shell.widgets('main'));
    const cells = all.find(one => one.context?.path === path).content.model.cells;
    return Array.from({length: cells.length}, (_, number) => cells.get(number).toJSON())
        .filter(cell => cell.cell_type === 'code');
}"""
IDLE = "window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
_ACTIVE_SOURCE = "window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source"
# A word that ends in an ellipsis, or what reaches out of its cell's output and cannot be scrolled to.
_CUT_OFF = """panels => panels.flatMap(panel => {
    const right = panel.closest('.jp-OutputArea-output').getBoundingClientRect().right + 1;
    const scrolled = one => getComputedStyle(one.closest('.widget-html-content') ?? one).overflowX === 'auto';
    const parts = 'button, label, .widget-label, input, select, p, td, th, summary';
    return Array.from(panel.querySelectorAll(parts))
        .filter(one => one.checkVisibility())
        .filter(one => (one.getBoundingClientRect().right > right && !scrolled(one))
            || (one.matches('button, label, .widget-label') && one.scrollWidth > one.clientWidth + 1))
        .map(one => `${one.tagName} ${one.textContent.slice(0, 60)}`);
})"""


def open_page_of_lab(page: Page, url: str) -> None:
    """Open JupyterLab in a page, and wait until it is all there."""
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(_WITHOUT_SPLASH)
    page.goto(f"{url}?token={TOKEN}")
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("window.jupyterapp.restored.then(() => null)")


class Lab:
    """``idc lab`` in a clone of the kit, on the learner's copy of the notebooks, with a sandbox of its own.

    Parameters
    ----------
    folder
        Gets the clone, JupyterLab's folders, and the sandbox's state.
    browser
        Shows the one page.
    """

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder
        for name, values in _SETTINGS.items():
            path = folder / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        self._clone = CloneLab(folder)
        self.page: Page = browser.new_page(viewport={"width": 1400, "height": 1000})
        open_page_of_lab(self.page, self._clone.url("lab"))

    def stop(self) -> None:
        self.page.close()
        self._clone.stop()

    @property
    def run_folder(self) -> Path:
        """Where what notebooks do has its receipts."""
        return self._clone.kit / "lab" / "runs" / "notebooks"

    @property
    def state_folder(self) -> Path:
        """Where the sandbox keeps its state."""
        return self._clone.state

    def changed_files(self) -> str:
        """Return what git says has changed in the clone."""
        return self._clone.git("status", "--porcelain")

    def connect(self) -> Connection:
        """Return a new connection to this Lab's sandbox."""
        return connect(state_folder=self.state_folder)

    def run(self, command: str) -> None:
        """Execute one of JupyterLab's commands on the notebook in front, and wait until it is done."""
        self.page.evaluate(_RUN, [command, PATIENCE_MS])

    def open(self, name: str) -> Notebook:
        """Open a notebook in front, its kernel ready."""
        path = f"notebooks/{name}.ipynb"
        self.page.evaluate(
            """path => window.jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook"})
                .then(widget => Promise.all([widget.revealed, widget.context.sessionContext.ready]))
                .then(() => null)""",
            path,
        )
        return Notebook(self, name)

    def close(self, notebook: Notebook) -> None:
        """Close a notebook without saving it, and end its kernel."""
        self.page.evaluate(
            """async path => {
                const widget = Array.from(window.jupyterapp.shell.widgets('main'))
                    .find(one => one.context?.path === path);
                await widget.context.sessionContext.shutdown();
                widget.context.model.dirty = false;
                widget.dispose();
            }""",
            notebook.path,
        )


class Notebook:
    """A notebook that is open in the Lab.

    Parameters
    ----------
    lab
        Where.
    name
        Without folder and ending.
    """

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        self.path = f"notebooks/{name}.ipynb"
        self.panel: Locator = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(self.panel).to_have_count(1)
        expect(self.panel.locator("h1").first).to_be_visible()

    def run_all(self) -> None:
        """Run all cells, and wait until the last one that runs has ended."""
        self.lab.run("notebook:run-all-cells")

    def run_from(self, source: str) -> None:
        """Run the cell with this source and all below it."""
        self.lab.page.evaluate(
            """([path, source]) => {
                const notebook = Array.from(window.jupyterapp.shell.widgets('main'))
                    .find(one => one.context?.path === path).content;
                const here = cell => cell.model.sharedModel.source === source;
                notebook.activeCellIndex = notebook.widgets.findIndex(here);
            }""",
            [self.path, source],
        )
        self.lab.run("notebook:run-all-below")

    def restart(self) -> None:
        """Give the notebook a new kernel; outputs stay."""
        self.lab.page.evaluate(
            """path => Array.from(window.jupyterapp.shell.widgets('main'))
                .find(one => one.context?.path === path).context.sessionContext.restartKernel()
                .then(() => null)""",
            self.path,
        )

    def cells(self) -> list[dict[str, Any]]:
        """Return the code cells, as the file would hold them."""
        found: list[dict[str, Any]] = self.lab.page.evaluate(_CELLS, self.path)
        return found

    def errors(self) -> list[str]:
        """Return what cells that failed say."""
        return [
            f"{output['ename']}: {output['evalue']}"
            for cell in self.cells()
            for output in cell["outputs"]
            if output["output_type"] == "error"
        ]

    def tables_shown_twice(self) -> list[str]:
        """Return the tables that the outputs in sight hold more than once."""
        tables = self.panel.locator(f"{OUTPUT} table.idc-table:visible").all_inner_texts()
        return [text for text, count in Counter(tables).items() if count > 1]

    def red(self) -> list[str]:
        """Return what the outputs say in red: errors, problems, alerts, checks that failed."""
        return [*self.errors(), *self.panel.locator(RED).all_inner_texts()]

    def save(self) -> None:
        """Save the notebook, in front or not."""
        self.lab.page.evaluate(
            """path => Array.from(window.jupyterapp.shell.widgets('main'))
                .find(one => one.context?.path === path).context.save()
                .then(() => null)""",
            self.path,
        )

    def wait_until_idle(self) -> None:
        """Wait until no cell runs."""
        self.lab.page.wait_for_function(IDLE)

    def active_source(self) -> str:
        """Return the source of the cell that is selected."""
        source: str = self.lab.page.evaluate(_ACTIVE_SOURCE)
        return source

    def cut_off(self, width: int) -> list[str]:
        """Return what of the forms is not wholly shown in a window of some width, without the side bar."""
        page = self.lab.page
        size = page.viewport_size
        self.lab.run("application:toggle-left-area")
        page.set_viewport_size({"width": width, "height": 800})
        found: list[str] = self.panel.locator(".idc-panel").evaluate_all(_CUT_OFF)
        self.picture(str(width))
        self.lab.run("application:toggle-left-area")
        page.set_viewport_size(size)
        return found

    def form(self, title: str) -> Form:
        """Return the form of a step."""
        return Form(self, title)

    def picture(self, name: str = "") -> None:
        """Keep a picture of what the Lab shows."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.lab.page.screenshot(path=PICTURES / f"{self.name}{name and '-'}{name}.png")


_LISTEN = """box => {
    if (box.said) return;
    box.said = [];
    const words = node => node.matches?.('[role=status]') ? node : node.querySelector?.('[role=status]');
    new MutationObserver(records => {
        const added = records.flatMap(record => Array.from(record.addedNodes));
        box.said.push(...added.map(words).filter(Boolean).map(node => node.textContent));
    }).observe(box, {childList: true, subtree: true});
}"""
_HEARD = "([box, since, words]) => new RegExp(words).test(box.said.slice(since).join('\\n'))"


class Form:
    """A step's form in a notebook.

    Parameters
    ----------
    notebook
        The notebook, in front.
    title
        What the form is headed with.
    """

    def __init__(self, notebook: Notebook, title: str) -> None:
        self._page = notebook.lab.page
        heading = self._page.locator("b", has_text=re.compile(f"^{re.escape(title)}$"))
        buttons = self._page.get_by_role("button", name="Apply")
        self.box = notebook.panel.locator(OUTPUT).filter(has=heading).filter(has=buttons).last
        expect(self.box).to_be_visible()
        self.apply_button = self.button(re.compile("^Apply"))

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.box.get_by_role("button", name=name).first

    def field(self, label: str) -> Locator:
        """Return a field by the beginning of its label."""
        return self.box.get_by_label(re.compile(f"^{re.escape(label)}")).first

    def beside(self, label: str) -> Locator:
        """Return a field's own box: its label, its help, and what is wrong with it."""
        own = self._page.get_by_label(re.compile(f"^{re.escape(label)}"))
        return self.box.locator(".widget-vbox").filter(has=own).last

    def unfold(self, title: str) -> None:
        """Show the fields that are folded away behind a title."""
        self.button(re.compile(f"▸ {re.escape(title)}")).click()

    def fill(self, label: str, value: str) -> None:
        """Type a value into a field and leave it, choose what begins so, or set a check mark."""
        field = self.field(label)
        kind = self._kind(field)
        if kind == "SELECT":
            options = [one.replace(HARD_SPACE, " ") for one in field.locator("option").all_text_contents()]
            number = next(number for number, one in enumerate(options) if one.startswith(value))
            field.select_option(index=number)
        elif kind == "checkbox":
            field.set_checked(value == "yes")
        else:
            field.fill(value)
            field.press("Tab")

    def value(self, label: str) -> str:
        """Return what a field holds: a text, what is chosen, or yes or no."""
        field = self.field(label)
        if self._kind(field) == "checkbox":
            return "yes" if field.is_checked() else "no"
        value: str = field.evaluate("field => field.selectedOptions?.[0].textContent ?? field.value")
        return value.replace(HARD_SPACE, " ")

    def _kind(self, field: Locator) -> str:
        kind: str = field.evaluate("field => field.type === 'checkbox' ? field.type : field.tagName")
        return kind

    def check(self) -> str:
        """Press *Check*, and return what it says."""
        return self._press(self.button("Check"), r"✔ \d+ of \d+ checks passed", "Reading the target")[-1]

    def review(self) -> str:
        """Press *Review*, and return the plan in words."""
        return self._press(self.button(re.compile("^Review")), "Plan: ", "Reading the target")[-1]

    def apply(self) -> list[str]:
        """Press *Apply*, and return everything that was said until it was done."""
        return self._press(self.apply_button, "✔ Done: ", "Applying")

    def undo(self) -> list[str]:
        """Press *Undo*, confirm what it shows, and return everything that was said."""
        self.review_undo()
        return self._press(self.button("Confirm the undo"), "✔ Done: ", "Applying")

    def review_undo(self) -> str:
        """Press *Undo*, and return in words what it would take back."""
        return self._press(self.button(re.compile("^Undo")), "Plan: ", "Reading the target")[-1]

    def press_until(self, name: str, words: str) -> None:
        """Press a button, and wait until words are said."""
        since = self._listen()
        self.button(name).click()
        self.wait_for(words, since)

    def wait_for(self, words: str, since: int = 0) -> str:
        """Wait until words are said, and return what was said last."""
        self._page.wait_for_function(_HEARD, arg=[self.box.element_handle(), since, words])
        said: str = self.box.evaluate("box => box.said.at(-1)")
        return said

    def _listen(self) -> int:
        self.box.evaluate(_LISTEN)
        since: int = self.box.evaluate("box => box.said.length")
        return since

    def press_focused(self, until: str, first: str) -> list[str]:
        """Press the button that has the focus by keyboard, and return what was said until it was done."""
        return self._heard(lambda: self._page.keyboard.press("Space"), until, first)

    def _press(self, button: Locator, until: str, first: str) -> list[str]:
        expect(button).to_be_enabled()
        return self._heard(button.click, until, first)

    def _heard(self, press: Callable[[], None], until: str, first: str) -> list[str]:
        # What was said of a cell's plan may come late: only what follows the first words counts.
        box, since = self.box.element_handle(), self._listen()
        press()
        self._page.wait_for_function(_HEARD, arg=[box, since, rf"{first}[\s\S]*\n({until}|✘)"])
        said: list[str] = box.evaluate("(box, since) => box.said.slice(since)", since)
        assert re.search(until, said[-1]), said
        return said
