// A file that is chosen goes into the text field beside it; without a script the text is pasted.
"use strict";

for (const place of document.querySelectorAll("[data-file-for]")) {
  const field = document.getElementById(place.dataset.fileFor);
  const file = place.querySelector("input[type=file]");
  place.hidden = false;
  file.addEventListener("change", async () => {
    if (file.files.length) field.value = await file.files[0].text();
  });
}
