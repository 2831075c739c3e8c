// Copy buttons: they appear where the browser lets a page write to the clipboard.
// Each copies the text of what it names, or that thing's data-copy-text, where the text holds more than the values.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.firstChild;
  const words = label.textContent;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.dataset.copyText ?? source.textContent.trim());
      label.textContent = "Copied";
    } catch {
      // A frame may not be allowed to: select the text, so that the keyboard copies it.
      window.getSelection().selectAllChildren(source);
      label.textContent = "Press Ctrl+C";
    }
    window.setTimeout(() => { label.textContent = words; }, 4000);
  });
}
