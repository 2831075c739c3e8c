// A link in a notebook to one of the sandbox's pages opens it in a tab beside the notebook, always the same one.
// Written by hand, without a build: it needs nothing of JupyterLab but its commands and its shell, and the
// command of jupyter-server-proxy that makes such a tab. Without it the links open in the browser.
"use strict";

(() => {
  const NAME = "identity-center-sandbox";
  const COMMAND = `${NAME}:open-beside`;
  const OPEN_TAB = "server-proxy:open";
  const TILES = {
    "Access portal": NAME, "Mailbox": "identity-center-mailbox", "Practice phone": "identity-center-phone",
    "Practice console": "identity-center-console",
  };
  const PAGES = { "start/practice-console": "Practice console", "start/mailbox": "Mailbox", "start/phone": "Practice phone" };

  function baseUrl() {
    const element = document.getElementById("jupyter-config-data");
    const path = element ? JSON.parse(element.textContent || "{}").baseUrl || "/" : "/";
    return new URL(path, window.location.href);
  }

  // Return the page's whole address when it is one of the sandbox's behind this very JupyterLab, else null.
  function pageAddress(text) {
    const url = new URL(text, window.location.href);
    const root = new URL(`${NAME}/`, baseUrl());
    return url.origin === root.origin && url.pathname.startsWith(root.pathname) ? url.href : null;
  }

  // Return what the tab that shows a page is called.
  function titleOf(address) {
    const path = new URL(address).pathname;
    const found = Object.keys(PAGES).find((page) => path.includes(`/${NAME}/${page}`));
    return found ? PAGES[found] : "Practice portal";
  }

  // JupyterLab draws the icons of its own tiles alone: those of other categories stay empty.
  function drawTiles() {
    const style = document.createElement("style");
    style.textContent = Object.entries(TILES).map(([title, name]) => {
      const tile = `.jp-LauncherCard[data-category="Identity Center sandbox"][title="${title}"]`;
      const icon = new URL(`server-proxy/icon/${name}`, baseUrl()).href;
      return `${tile} .jp-LauncherCard-icon { background: url("${icon}") center / 52px no-repeat; }`;
    }).join("\n");
    document.head.append(style);
  }

  function activate(app) {
    const { commands, shell } = app;
    drawTiles();

    async function openBeside(args) {
      const address = pageAddress(args.url);
      if (address === null) throw new Error(`${args.url} is none of the sandbox's pages`);
      const beside = shell.currentWidget;
      const tab = await commands.execute(OPEN_TAB, {
        id: `${NAME}:beside`, url: address, title: titleOf(address), newBrowserTab: false,
      });
      if (tab.content.url !== address) tab.content.url = address;
      tab.title.label = titleOf(address);
      const isNew = !tab.node.dataset.identityCenterBeside;
      if (isNew && beside && beside !== tab) {
        tab.node.dataset.identityCenterBeside = "yes";
        // The page's links lead from the mailbox to the portal: the tab is called after the page that it shows.
        const frame = tab.node.querySelector("iframe");
        frame.addEventListener("load", () => { tab.title.label = titleOf(frame.contentWindow.location.href); });
        shell.add(tab, "main", { mode: "split-right", ref: beside.id });
      }
      shell.activateById(tab.id);
      return tab;
    }

    commands.addCommand(COMMAND, {
      label: "Open the sandbox's pages beside the notebook",
      isEnabled: () => commands.hasCommand(OPEN_TAB),
      execute: openBeside,
    });

    document.addEventListener("click", (event) => {
      const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
      const target = event.target instanceof Element ? event.target : null;
      const link = target && target.closest(".jp-Notebook a[href]");
      const address = isPlain && link ? pageAddress(link.href) : null;
      if (address === null || !commands.isEnabled(COMMAND)) return;
      event.preventDefault();
      event.stopPropagation();
      void commands.execute(COMMAND, { url: address });
    }, true);
  }

  const plugin = { id: `${NAME}:plugin`, description: "The sandbox's pages beside the notebook.", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
})();
