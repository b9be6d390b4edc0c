// Light and dark and the language by choice, kept in this browser; copy buttons; and what a page asks the hub to do, which goes to
// its API with the session's cookie. Nothing is sent anywhere else.
(() => {
  const root = document.documentElement;
  const stored = localStorage.getItem("zunft-theme");
  if (stored) root.dataset.theme = stored;

  // The words of this file stand in the page, where it is not English; names in braces are filled in.
  function say(words, named = {}) {
    const known = JSON.parse(document.querySelector("[data-words]")?.dataset.words ?? "{}");
    return (known[words] ?? words).replace(/{(\w+)}/g, (_, name) => named[name]);
  }

  function isDark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  async function copy(text) {
    if (window.isSecureContext) return navigator.clipboard.writeText(text);
    // A hub in a local network is plain HTTP, where browsers have no clipboard object.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  // A file goes as it is, of the kind that its field names; all else as JSON.
  async function ask({ method, path, goal }, body, kind) {
    const answer = await fetch(path, {
      method,
      headers: body ? { "Content-Type": kind ?? "application/json" } : {},
      body: kind ? body : body && JSON.stringify(body),
    });
    const said = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) throw new Error(`${said.error.message} ${said.error.remedy}`);
    if (goal) location.assign(goal.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(said[name])));
    return said;
  }

  // What was made is shown here alone and once: a line for a terminal for each, with a button that copies it.
  function tell(template, made, words) {
    const place = document.querySelector("[data-told]");
    place.replaceChildren(...[].concat(made).map((each, index) => {
      const known = { ...words, ...each, number: index + 1 };
      const line = template.replace(/{(\w+)}/g, (_, name) => known[name]);
      const code = Object.assign(element("code", "", line), { tabIndex: 0 });
      const button = Object.assign(element("button", "quiet", say("Copy")), { type: "button", ariaLabel: say("Copy: {line}", { line }) });
      button.dataset.does = "copy";
      const frame = element("div", "command", "");
      frame.append(code, button);
      if (!("codes" in place.dataset)) return frame;
      const both = element("div", "", "");
      both.append(frame);
      draw(place.dataset.codes, line).then((picture) => both.append(picture), () => {});
      return both;
    }));
    place.scrollIntoView({ block: "nearest" });
  }

  // The line as a picture for a camera; the hub draws it and keeps nothing.
  async function draw(path, line) {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text: line }),
    });
    if (!answer.ok) throw new Error(answer.statusText);
    const source = `data:image/svg+xml,${encodeURIComponent(await answer.text())}`;
    return Object.assign(element("img", "code", ""), { src: source, alt: say("QR code of the line") });
  }

  // Runs `step` with the button shut; what the hub refuses is said in `refusal`.
  async function attempt(button, refusal, step) {
    button.disabled = true;
    refusal.textContent = "";
    try {
      await step();
      return true;
    } catch (error) {
      refusal.textContent = error.message[0].toUpperCase() + error.message.slice(1);
      return false;
    } finally {
      button.disabled = false;
    }
  }

  function element(tag, className, text) {
    return Object.assign(document.createElement(tag), { className, textContent: text });
  }

  function typing(words) {
    const label = element("label", "typed", "");
    const input = element("input", "", "");
    input.maxLength = 500;
    label.append(element("span", "", words), input);
    return { label, input };
  }

  function askFirst(button, step) {
    const dialog = element("dialog", "ask", "");
    const refusal = element("p", "refusal", "");
    refusal.setAttribute("role", "alert");
    const yes = element("button", "primary", button.textContent);
    const no = element("button", "quiet", say("Cancel"));
    const row = element("div", "acts", "");
    row.append(no, yes);
    const asked = button.dataset.question.split("\n").map((line) => element("p", "", line));
    const { confirm, reason } = button.dataset;
    const typed = confirm || reason ? typing(confirm ? say("Type {confirm} to go on", { confirm }) : say("Why, for the record")) : null;
    if (typed) {
      asked.push(typed.label);
      const isRight = () => (confirm ? typed.input.value === confirm : typed.input.value.trim().length > 4);
      yes.disabled = true;
      typed.input.oninput = () => { yes.disabled = !isRight(); };
    }
    if (button.classList.contains("grave")) yes.classList.add("grave");
    dialog.append(...asked, refusal, row);
    no.onclick = () => dialog.close();
    yes.onclick = async () => { if (await attempt(yes, refusal, () => step(reason ? { reason: typed.input.value.trim() } : {}))) dialog.close(); };
    dialog.onclose = () => dialog.remove();
    document.body.append(dialog);
    dialog.showModal();
  }

  // An invitation's link carries the token behind a hash, which browsers send to nobody; it is gone at once.
  function takeInvitation() {
    const input = document.querySelector("input[name=token]");
    if (!input || !location.hash.startsWith("#zt_")) return Boolean(input);
    input.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    return true;
  }
  if (location.pathname === "/login" && location.hash) {
    const looking = new MutationObserver(() => takeInvitation() && looking.disconnect());
    looking.observe(root, { childList: true, subtree: true });
  }

  function valueOf(input) {
    if (input.type === "checkbox") return input.checked;
    return input.type === "number" ? input.valueAsNumber : input.value.trim();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-does=act]");
    if (!form) return;
    event.preventDefault();
    const body = JSON.parse(form.dataset.body);
    const words = {};
    const file = form.querySelector("input[type=file]");
    for (const input of form.querySelectorAll("input:not([type=file]), select")) {
      const path = input.name.split(".");
      const last = path.pop();
      const target = path.reduce((within, key) => within[key], "local" in input.dataset ? words : body);
      target[last] = valueOf(input);
    }
    attempt(form.querySelector("button"), form.querySelector(".refusal"), async () => {
      const made = await (file ? ask(form.dataset, file.files[0], file.dataset.kind) : ask(form.dataset, body));
      if (form.dataset.tells) tell(form.dataset.tells, made, { ...body, ...words });
    });
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-does]");
    if (!button) return;
    if (button.dataset.does === "act") {
      const body = button.dataset.body ? JSON.parse(button.dataset.body) : undefined;
      const step = (more) => ask(button.dataset, body && { ...body, ...more });
      if (button.dataset.question) askFirst(button, step);
      else attempt(button, element("p", "", ""), step).then((done) => done || location.reload());
      return;
    }
    if (button.dataset.does === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem("zunft-theme", root.dataset.theme);
      return;
    }
    if (button.dataset.does === "language") {
      document.cookie = `zunft-language=${button.dataset.to}; path=/; max-age=31536000; SameSite=Lax`;
      location.reload();
      return;
    }
    await copy(button.parentElement.querySelector("code").textContent);
    const label = button.textContent;
    button.textContent = say("Copied");
    setTimeout(() => { button.textContent = label; }, 1600);
  });
})();
