// The lesson in JupyterLab's side bar: where you are, what is done, and one notebook of the lesson at a time.
// Written by hand, without a build: JupyterLab hands over the modules that it shares, and the server extension
// idc_runner.jupyterlab says what there is to show.
"use strict";

(() => {
  const NAME = "identity-center-lesson";
  const LOOK_MS = 2000;
  const ROOM_PX = 900;
  const LINK = ".jp-Notebook a[href*='.ipynb']";
  const STYLE = `
.idc-lesson { height: 100%; overflow: auto; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1); line-height: 1.4; box-sizing: border-box; padding: 8px 12px 16px; }
.idc-lesson h2 { font-size: var(--jp-ui-font-size2); margin: 4px 0; }
.idc-lesson p { margin: 4px 0 8px; overflow-wrap: anywhere; }
.idc-lesson ol { list-style: none; margin: 0; padding: 0; }
.idc-lesson ol ol { margin: 0 0 0 2px; border-left: 1px solid var(--jp-border-color2); padding-left: 10px; }
.idc-lesson > ol > li { margin: 8px 0 0; }
.idc-lesson li li { margin: 3px 0; }
.idc-lesson a { color: var(--jp-content-link-color, #1565c0); text-decoration: none; }
.idc-lesson a:hover, .idc-lesson a:focus-visible { text-decoration: underline; }
.idc-lesson > ol > li > a { font-weight: 600; }
.idc-lesson a[aria-current] { color: var(--jp-ui-font-color0); border-left: 3px solid var(--jp-brand-color1);
  margin-left: -9px; padding-left: 6px; }
.idc-lesson small { display: block; color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size0);
  overflow-wrap: anywhere; }
.idc-lesson button { font: inherit; color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border: 1px solid var(--jp-border-color0, #757575); border-radius: 3px; padding: 4px 10px; margin: 4px 6px 0 0; cursor: pointer; }
.idc-lesson button:disabled { opacity: .6; cursor: default; }
.idc-lesson button:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
.idc-lesson footer { border-top: 1px solid var(--jp-border-color2); margin-top: 14px; padding-top: 8px; }
`;

  const LOST_FORM = "This form belongs to a kernel that has ended. Run this cell again.";
  const LOST = /^Error displaying widget/;

  let shared = {};

  async function load(name) {
    const versions = Object.values(shared[name]);
    return (await versions[versions.length - 1].get())();
  }

  // Make an element with attributes (a function is a listener) and what is in it: text, never markup.
  function element(tag, attributes, ...inside) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (typeof value === "function") made.addEventListener(name, value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...inside.filter((one) => one !== undefined && one !== ""));
    return made;
  }

  class Lesson {
    constructor(app, widget) {
      this.app = app;
      this.widget = widget;
      this.outline = { folder: "", notebooks: [] };
      this.asking = null;
      this.message = "";
      this.drawn = "";
    }

    // With a page beside it in front, the notebook in view is still where one is.
    get current() {
      const { shell } = this.app;
      const isOfLesson = (one) => this.holds(one?.context?.path ?? "");
      if (isOfLesson(shell.currentWidget)) return shell.currentWidget;
      const inView = Array.from(shell.widgets("main")).find((one) => one.isVisible && isOfLesson(one));
      return inView ?? shell.currentWidget;
    }

    get path() {
      const path = this.current?.context?.path ?? "";
      return this.holds(path) ? path : "";
    }

    holds(path) {
      return this.outline.notebooks.some((one) => one.path === path);
    }

    get visited() {
      return JSON.parse(localStorage.getItem(`${NAME}:${this.outline.folder}`) || "[]");
    }

    visit() {
      const { path, visited } = this;
      if (path && !visited.includes(path)) {
        localStorage.setItem(`${NAME}:${this.outline.folder}`, JSON.stringify([...visited, path]));
      }
      this.draw();
    }

    async ask(method, what, body) {
      const { serverSettings } = this.app.serviceManager;
      const cookie = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie);
      const headers = { "Content-Type": "application/json" };
      if (cookie) headers["X-XSRFToken"] = decodeURIComponent(cookie[1]);
      if (serverSettings.token) headers.Authorization = `token ${serverSettings.token}`;
      const url = new URL(`${NAME}/${what}`, new URL(serverSettings.baseUrl, window.location.href));
      const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
      const content = await answer.json();
      if (!answer.ok) throw new Error(content.message || answer.statusText);
      return content;
    }

    async look() {
      try {
        this.outline = await this.ask("GET", "outline");
      } catch {
        return; // the server ends, or is busy: what was seen last stays
      }
      this.visit();
    }

    // Return the notebook of the lesson that an address leads to, and the heading in it. JupyterLab makes addresses
    // of files of the links in a notebook.
    target(href) {
      const url = new URL(href, window.location.href);
      const root = new URL(this.app.serviceManager.serverSettings.baseUrl, window.location.href);
      const inside = url.origin === root.origin && url.pathname.startsWith(root.pathname)
        ? url.pathname.slice(root.pathname.length).replace(/^(files|lab\/tree)\//, "") : "";
      const path = decodeURIComponent(inside);
      return this.holds(path) ? { path, id: decodeURIComponent(url.hash) } : {};
    }

    // Show a notebook of the lesson, at a heading, in the place of the one that is left.
    async go(path, id) {
      const { shell, commands } = this.app;
      const before = this.path ? this.current : null;
      const isOpen = Array.from(shell.widgets("main")).some((one) => one.context?.path === path);
      const options = before ? { ref: before.id, mode: "tab-after" } : {};
      const opened = await commands.execute("docmanager:open", { path, factory: "Notebook", options });
      if (!opened) return;
      shell.activateById(opened.id);
      await Promise.all([opened.revealed, opened.context.ready]);
      if (id) opened.setFragment(id.startsWith("#") ? id : `#${id}`);
      if (before && before !== opened && !isOpen) await this.leave(before);
      // JupyterLab shows its launcher where the first notebook comes late: nobody asked for it.
      const launchers = Array.from(shell.widgets("main")).filter((one) => one.node.querySelector(".jp-Launcher"));
      for (const one of launchers) one.dispose();
    }

    // What still runs would lose its outputs, and what cannot be saved would be lost: such a tab stays.
    async leave(panel) {
      const { context } = panel;
      if (context.sessionContext.session?.kernel?.status === "busy") return;
      try {
        if (context.model.dirty) await context.save();
      } catch {
        return;
      }
      if (!context.model.dirty) panel.dispose();
    }

    async afresh() {
      const { panel, path } = this.asking;
      const { context } = panel;
      this.asking = null;
      try {
        if (context.model.dirty) await context.save();
        const { kept } = await this.ask("POST", "afresh", { notebook: path.split("/").pop() });
        await context.revert();
        await context.sessionContext.session?.kernel?.restart();
        this.message = `This notebook is clean again. Yours is kept: ${kept}`;
      } catch (error) {
        this.message = `✘ ${error.message}`;
      }
      this.draw();
    }

    draw() {
      const state = JSON.stringify([this.outline, this.visited, this.path, this.asking?.path, this.message]);
      if (state === this.drawn) return;
      this.drawn = state;
      const { node } = this.widget;
      const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : "";
      const top = node.scrollTop;
      node.replaceChildren(this.sum(), this.list(), this.bottom());
      node.scrollTop = top;
      if (focused) (node.querySelector(`[data-key="${CSS.escape(focused)}"]`) || node).focus();
    }

    link(key, words, path, id, attributes) {
      const { baseUrl } = this.app.serviceManager.serverSettings;
      const href = new URL(`lab/tree/${path}${id ? `#${id}` : ""}`, new URL(baseUrl, window.location.href)).href;
      const follow = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        void this.go(path, id);
      };
      return element("a", { href, "data-key": key, click: follow, ...attributes }, words);
    }

    sum() {
      const all = this.outline.notebooks.flatMap(({ path, steps }) => steps.map((step) => ({ path, ...step })));
      const done = all.filter((step) => step.done).length;
      const next = all.find((step) => step.open);
      const go = next && this.link("next", `Next: ${next.number} · ${next.task}`, next.path, next.heading);
      return element("div", {},
        element("h2", {}, "The lesson"),
        element("p", { role: "status" }, `${done} of ${all.length} steps done`),
        go ? element("p", {}, go) : "",
      );
    }

    list() {
      const { visited } = this;
      return element("ol", {}, ...this.outline.notebooks.map(({ path, title, steps }) => {
        const here = path === this.path ? { "aria-current": "page" } : {};
        const been = path === this.path ? "you are here" : visited.includes(path) ? "visited" : "";
        return element("li", {},
          this.link(path, title, path, "", here),
          been ? element("small", {}, been) : "",
          steps.length ? element("ol", {}, ...steps.map((step) => this.step(path, step))) : "",
        );
      }));
    }

    step(path, { number, task, heading, words, checked }) {
      const link = this.link(`step-${number}`, `${number} · ${task}`, path, heading);
      return element("li", {}, link, words ? element("small", {}, words + (checked ? " · ✔ checked" : "")) : "");
    }

    bottom() {
      const say = (change) => () => { Object.assign(this, change()); this.draw(); };
      const message = element("p", { role: "status" }, this.message);
      if (this.asking?.path !== this.path) this.asking = null; // another tab is in front now
      if (!this.asking) {
        const start = say(() => ({ asking: { panel: this.current, path: this.path }, message: "" }));
        const attributes = { type: "button", "data-key": "afresh", disabled: !this.path, click: start };
        return element("footer", {}, element("button", attributes, "Start this notebook afresh …"), message);
      }
      const name = this.path.split("/").pop();
      return element("footer", {},
        element("p", {}, `A clean ${name} takes the place of yours, and its kernel starts again. Yours is kept`
          + " in the folder earlier/. What you made in the sandbox stays."),
        element("button", { type: "button", "data-key": "afresh", click: () => void this.afresh() }, "Start afresh"),
        element("button", { type: "button", "data-key": "keep", click: say(() => ({ asking: null })) }, "Keep mine"),
      );
    }
  }

  // What Python says of a cell that was typed or copied a little wrong, and what to say in its place.
  const SPELLINGS = [
    [/invalid character '[\u2018-\u201f\u00ab\u00bb]'/,
      "**These quotes are curly**, as copied text often has them; Python takes straight ones: `\"text\"`."],
    [/invalid non-printable character U\+/,
      "**An invisible character is in the cell**, such as a non-breaking space, as copied text often has it. Type that"
      + " line again by hand."],
    [/leading zeros in decimal integer/,
      "**Quotes are missing** around the number: an account's id is a text, written as `\"012345678901\"`."],
    [/invalid decimal literal/, "**Quotes are missing** around a text that begins with a digit: write it as `\"text\"`."],
    [/unterminated string literal/, "**A quote is missing**: a text begins and ends with one, as in `\"text\"`."],
  ];

  // Say in words what to do about a form whose kernel ended before the page was loaded.
  function explainLostForms() {
    for (const output of document.querySelectorAll(".jp-OutputArea-output.jupyter-widgets")) {
      if (!output.childElementCount && LOST.test(output.textContent)) output.textContent = LOST_FORM;
    }
  }

  // Say which cell comes first when a cell misses a name that another one makes, as after a restart.
  function explainMissingName(notebook, cell, error) {
    const name = error?.errorName === "NameError" && /name '(\w+)' is not defined/.exec(error.errorValue || "")?.[1];
    if (!name) return void explainQuotes(cell, error);
    const makes = new RegExp(
      `^(?:(?:\\w+\\s*,\\s*)*${name}\\s*(?:,\\s*\\w+\\s*)*(?::[^=\\n]+)?=(?!=)`
      + `|(?:from\\s+\\S+\\s+)?import\\s.*\\b${name}\\b|(?:def|class)\\s+${name}\\b)`, "m");
    const cells = notebook.widgets;
    const sources = cells.map((one) => one.model.sharedModel.getSource());
    const at = cells.findIndex((one, place) => one !== cell && one.model.type === "code" && makes.test(sources[place]));
    if (at < 0) return void explainQuotes(cell, error);
    const heading = cells.slice(0, at).reverse().map((one, place) => one.model.type === "markdown"
      && /^#+\s+(.*)$/m.exec(sources[at - 1 - place])?.[1]).find(Boolean);
    const line = sources[at].split("\n").find((one) => makes.test(one)) || "";
    const where = `${cells.indexOf(cell) < at ? "below" : "above"}${heading ? `, under “${heading}”` : ""}`;
    const text = `**\`${name}\` does not exist yet**, for example because the kernel was restarted. The cell that makes`
      + ` it comes first. It is ${where}:\n\n    ${line}\n\nRun that cell, then this one. Or run all cells above`
      + ` this one: menu *Run*, *Run All Above Selected Cell*. (NameError: ${error.errorValue})`;
    showInstead(cell, text);
  }

  // Say what is wrong with the quotes of a cell that a person has written in.
  function explainQuotes(cell, error) {
    const said = error?.errorValue || "";
    const name = error?.errorName === "NameError" && /name '(\w+)' is not defined/.exec(said)?.[1];
    const source = cell.model.sharedModel.getSource();
    const words = name
      ? new RegExp(`=\\s*${name}\\b`).test(source)
        && `**Quotes are missing** around the text that begins with \`${name}\`: a text is written as \`"text"\`.`
      : error?.errorName === "SyntaxError" && SPELLINGS.find(([pattern]) => pattern.test(said))?.[1];
    if (words) showInstead(cell, `${words} Correct it, and run this cell again. (${error.errorName}: ${said})`);
  }

  function showInstead(cell, text) {
    const { outputs } = cell.model;
    const kept = outputs.toJSON().filter((one) => one.output_type !== "error");
    outputs.clear();
    const data = { "text/markdown": text, "text/plain": text };
    for (const one of [...kept, { output_type: "display_data", data, metadata: {} }]) outputs.add(one);
  }

  async function activate(app, restorer) {
    const [{ Widget }, { NotebookActions }] = await Promise.all(["@lumino/widgets", "@jupyterlab/notebook"].map(load));
    document.head.append(element("style", {}, STYLE));
    const widget = new Widget({ node: element("nav", { class: "idc-lesson", "aria-label": "The lesson", tabindex: "-1" }) });
    widget.id = NAME;
    widget.title.label = "Lesson";
    widget.title.caption = "The lesson: where you are";
    const lesson = new Lesson(app, widget);
    app.shell.add(widget, "left", { rank: 10 });
    restorer?.add(widget, NAME);

    app.shell.currentChanged?.connect(() => lesson.visit());
    NotebookActions.executed.connect((_, { notebook, cell, error }) => explainMissingName(notebook, cell, error));
    document.addEventListener("click", (event) => {
      const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
      const link = isPlain && event.target instanceof Element && event.target.closest(LINK);
      const { path, id } = link ? lesson.target(link.href) : {};
      if (!path || !lesson.path) return;
      event.preventDefault();
      event.stopPropagation();
      void lesson.go(path, id);
    }, true);

    // The first notebook is on the screen before the server is asked for anything that can wait.
    void app.restored.then(async () => {
      await lesson.look();
      if (localStorage.getItem(NAME) === null) {
        localStorage.setItem(NAME, "shown");
        if (window.innerWidth >= ROOM_PX) app.shell.activateById(NAME); // else the notebook needs the room
      }
      window.setInterval(() => {
        if (document.visibilityState !== "visible") return;
        explainLostForms();
        if (widget.isVisible) void lesson.look();
      }, LOOK_MS);
    });
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: (scope) => { shared = scope; },
    get: async () => {
      const { ILayoutRestorer } = await load("@jupyterlab/application");
      const plugin = {
        id: `${NAME}:plugin`, description: "The lesson in the side bar.", autoStart: true,
        optional: [ILayoutRestorer], activate,
      };
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
