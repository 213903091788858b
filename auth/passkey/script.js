// Passkeys on a page of your own, without a framework:
//
//   <script src="/api/auth/passkey/script.js" defer></script>
//
//   <p data-passkey-missing>This browser cannot use passkeys.</p>
//   <form data-passkey="sign-in" data-next="/app" data-autofill hidden><button>Sign in with a passkey</button></form>
//   <form data-passkey="step-up" data-next="/back" hidden>…</form>
//   <form data-passkey="register" data-next="/settings" data-stale="/confirm" hidden>
//     <label>Name <input name="name"></label><button>Add a passkey</button>
//   </form>
//
// The forms are shown, and what is marked data-passkey-missing is hidden, where the browser can; where it cannot, the
// mark becomes data-passkey-missing="yes", for stylesheets that hide what is not known yet. "sign-in" continues a
// sign-in that waits for its second step, too, and may have a checkbox named trustDevice. data-next is where the browser goes then, unless the sign-in knows
// better; data-stale where it goes to prove again who is there. data-autofill offers passkeys in the field with
// autocomplete="username webauthn". What went wrong is told in the form's [data-passkey-message], or in one that is
// added at its end; data-text-cancelled="…" and so on replace the texts below.
(() => {
  "use strict";

  const texts = {
    cancelled: "No passkey was used: it was cancelled, or it took too long. Try again when you are ready.",
    registered: "This device has a passkey of your account already.",
    unsupported: "This device cannot make a passkey for this site. Try another device, or a security key.",
    place: "Passkeys do not work at this address. Open the site by its usual name.",
    offline: "The server could not be reached. Check the connection and try again.",
    failed: "The passkey could not be used. Try again.",
  };
  const reasons = {
    NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "registered",
    NotSupportedError: "unsupported", ConstraintError: "unsupported", SecurityError: "place",
  };
  const ceremonies = {
    "sign-in": ["generate-authenticate-options", "verify-authentication"],
    "step-up": ["generate-step-up-options", "verify-step-up"],
    register: ["generate-register-options", "verify-registration"],
  };
  const life = 4 * 60 * 1000; // of the options of an autofill; the server forgets them after five minutes
  const base = new URL(".", document.currentScript.src);

  // A refusal is what the server says no with.
  class Refusal extends Error {
    constructor({ code, message }) {
      super(message);
      this.code = code;
    }
  }

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const descriptors = (list) => (list ?? []).map((d) => ({ ...d, id: bytes(d.id) }));

  async function call(path, body) {
    const answer = await fetch(new URL(path, base), body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refusal(said);
    return said;
  }

  // prove has the authenticator answer the options, and returns that as JSON.
  async function prove(kind, options, more) {
    const publicKey = { ...options, challenge: bytes(options.challenge) };
    let made;
    if (kind === "register") {
      publicKey.user = { ...options.user, id: bytes(options.user.id) };
      publicKey.excludeCredentials = descriptors(options.excludeCredentials);
      made = await navigator.credentials.create({ publicKey, ...more });
    } else {
      publicKey.allowCredentials = descriptors(options.allowCredentials);
      made = await navigator.credentials.get({ publicKey, ...more });
    }
    const response = { clientDataJSON: text(made.response.clientDataJSON) };
    for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[part]) response[part] = text(made.response[part]);
    }
    if (made.response.getTransports) response.transports = made.response.getTransports();
    return {
      id: made.id, rawId: text(made.rawId), type: made.type, response,
      clientExtensionResults: made.getClientExtensionResults(),
      ...(made.authenticatorAttachment && { authenticatorAttachment: made.authenticatorAttachment }),
    };
  }

  // send hands the answer to the server and goes on.
  async function send(form, kind, response) {
    const body = { response }, name = form.elements.name?.value.trim();
    if (kind === "register" && name) body.name = name;
    if (kind === "sign-in" && form.elements.trustDevice?.checked) body.trustDevice = true;
    const done = await call(ceremonies[kind][1], body);
    const secondStep = done.twoFactorRedirect && new URL("../two-factor/challenge", base).href;
    location.assign(secondStep || done.url || form.dataset.next || "/");
  }

  function tell(form, said) {
    let place = form.querySelector("[data-passkey-message]");
    if (!place) {
      place = document.createElement("p");
      place.dataset.passkeyMessage = "";
      form.append(place);
    }
    place.setAttribute("role", "alert");
    place.hidden = said === "";
    place.textContent = said;
  }

  function refuse(form, error) {
    if (error instanceof Refusal && error.code === "SESSION_NOT_FRESH" && form.dataset.stale) {
      location.assign(form.dataset.stale);
      return;
    }
    if (error instanceof Refusal && error.message) {
      tell(form, error.message);
      return;
    }
    const reason = error instanceof TypeError ? "offline" : reasons[error.name] ?? "failed";
    tell(form, form.getAttribute(`data-text-${reason}`) ?? texts[reason]);
  }

  // waiting is the autofill that the browser has open: it can have one request at a time.
  let waiting = { stop: () => {}, done: Promise.resolve() };

  async function use(form, kind) {
    const button = form.querySelector("button, input[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    tell(form, "");
    try {
      waiting.stop();
      await waiting.done;
      await send(form, kind, await prove(kind, await call(ceremonies[kind][0])));
    } catch (error) {
      refuse(form, error);
    } finally {
      button.disabled = false;
    }
  }

  // offer keeps passkeys among what the browser fills in, until one is chosen or a form is used.
  async function offer(form) {
    const offers = await window.PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false);
    if (!offers || !document.querySelector("input[autocomplete~=webauthn]")) return;
    for (let stopped = false; !stopped;) {
      const abort = new AbortController();
      const renew = setTimeout(() => abort.abort(), life);
      const attempt = attend(form, abort.signal);
      waiting = { stop: () => { stopped = true; abort.abort(); }, done: attempt.catch(() => {}) };
      try {
        await attempt;
        return;
      } catch (error) {
        if (!abort.signal.aborted) {
          if (error instanceof Refusal) refuse(form, error);
          return;
        }
      } finally {
        clearTimeout(renew);
      }
      await seen();
    }
  }

  async function attend(form, signal) {
    const options = await call(ceremonies["sign-in"][0]);
    signal.throwIfAborted();
    await send(form, "sign-in", await prove("sign-in", options, { mediation: "conditional", signal }));
  }

  // seen waits until somebody looks at the page.
  function seen() {
    return new Promise((resolve) => {
      if (!document.hidden) resolve();
      else document.addEventListener("visibilitychange", () => resolve(), { once: true });
    });
  }

  const able = Boolean(window.PublicKeyCredential && navigator.credentials);
  for (const note of document.querySelectorAll("[data-passkey-missing]")) {
    note.hidden = able;
    note.dataset.passkeyMissing = able ? "no" : "yes";
  }
  if (!able) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const kind = form.dataset.passkey;
    if (!(kind in ceremonies)) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      use(form, kind);
    });
  }
  const filled = document.querySelector("form[data-passkey=sign-in][data-autofill]");
  if (filled) offer(filled);
})();
