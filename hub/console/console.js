// Light and dark by choice, kept in this browser; and the copy buttons. Nothing is sent anywhere.
(() => {
  const root = document.documentElement;
  const stored = localStorage.getItem("zunft-theme");
  if (stored) root.dataset.theme = stored;

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

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-does]");
    if (!button) return;
    if (button.dataset.does === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem("zunft-theme", root.dataset.theme);
      return;
    }
    await copy(button.parentElement.querySelector("code").textContent);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1600);
  });
})();
