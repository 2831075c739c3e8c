// Forms with data-webauthn let the browser talk to a security key before they are sent.
// The options come with the form, as JSON with base64url for bytes; the answer goes back the same way.
"use strict";

function toBytes(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function toText(buffer) {
  let binary = "";
  for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function readOptions(json) {
  const options = JSON.parse(json);
  options.challenge = toBytes(options.challenge);
  if (options.user) options.user.id = toBytes(options.user.id);
  for (const name of ["excludeCredentials", "allowCredentials"]) {
    for (const credential of options[name] || []) credential.id = toBytes(credential.id);
  }
  return options;
}

function writeCredential(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

function whatWentWrong(error) {
  switch (error.name) {
    case "InvalidStateError":
      return "This device is registered already. Use another one.";
    case "SecurityError":
      return "Security keys do not work at this address. Open the page at http://localhost or at an https address.";
    case "NotSupportedError":
      return "Your device cannot do this. Use another one.";
    default:
      return "Nothing came from the device: it was cancelled, or took too long. Try again.";
  }
}

async function askDevice(form) {
  const publicKey = readOptions(form.dataset.options);
  if (!window.isSecureContext || !navigator.credentials || !window.PublicKeyCredential) {
    throw new DOMException("no WebAuthn here", "SecurityError");
  }
  const credential = form.dataset.webauthn === "create"
    ? await navigator.credentials.create({ publicKey })
    : await navigator.credentials.get({ publicKey });
  form.elements.credential.value = writeCredential(credential);
}

for (const form of document.querySelectorAll("form[data-webauthn]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const message = form.querySelector("[data-webauthn-message]");
    const button = form.querySelector("button[type=submit]");
    message.hidden = true;
    button.disabled = true;
    try {
      await askDevice(form);
      form.submit();
    } catch (error) {
      message.textContent = whatWentWrong(error);
      message.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
  form.querySelector("button[type=submit]").disabled = false;
}
