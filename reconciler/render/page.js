"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const items = all(".item");
  const groups = all(".group");
  const buttons = all(".counts button");
  const search = document.querySelector(".bar input");
  const status = document.querySelector(".bar output");
  if (!items.length || !search) return;
  root.classList.add("js");

  // Of an item, made when it is first needed: the texts of 10,000 take a moment.
  let texts = null;
  const chosen = { kind: "", column: "" };

  const matches = (item, index, words) =>
    (!chosen.kind || item.dataset.kind === chosen.kind) &&
    (!chosen.column || item.dataset.column === chosen.column) &&
    words.every((word) => texts[index].includes(word));

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !texts) texts = items.map((item) => item.textContent.toLowerCase());
    let shown = 0;
    items.forEach((item, index) => {
      const match = matches(item, index, words);
      item.hidden = !match;
      shown += match;
    });
    const filtered = shown < items.length;
    for (const group of groups) {
      const inside = group.querySelectorAll(".item");
      group.hidden = inside.length ? [...inside].every((item) => item.hidden) : filtered;
    }
    for (const button of buttons) {
      const { kind, column } = button.dataset;
      button.setAttribute("aria-pressed", String(kind === chosen.kind && column === chosen.column && !!(kind || column)));
    }
    root.classList.toggle("filtered", filtered);
    const number = (count) => count.toLocaleString("en");
    status.textContent = filtered
      ? `${number(shown)} of ${number(items.length)} ${status.dataset.noun} shown`
      : "";
    document.getElementById("all").hidden = !(words.length || chosen.kind || chosen.column);
  };

  const clear = () => {
    chosen.kind = chosen.column = search.value = "";
    show();
  };

  const fold = (open) => {
    for (const item of items) {
      if (item.hidden) continue;
      if (item.localName === "details") item.open = open;
      for (const inner of item.querySelectorAll("details")) inner.open = open;
    }
  };

  // An object that a link leads to is shown, whatever is filtered, and opened.
  const reveal = () => {
    const name = location.hash.slice(1);
    if (!name) return;
    const typed = name.replace(/%(?![0-9A-Fa-f]{2})/g, "%25");
    let target = document.getElementById(name) ?? document.getElementById(typed);
    try {
      target ??= document.getElementById(encodeURI(decodeURIComponent(typed)));
    } catch {
      // Not an encoded name: there is no such object.
    }
    if (!target) return;
    if (target.hidden || target.closest("[hidden]")) clear();
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
    target.scrollIntoView();
    if (target.matches(".item")) target.querySelector("summary")?.focus({ preventScroll: true });
  };

  for (const button of buttons) {
    button.disabled = false;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const again = button.getAttribute("aria-pressed") === "true";
      chosen.kind = again ? "" : button.dataset.kind;
      chosen.column = again ? "" : button.dataset.column;
      show();
    });
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, items.length > 500 ? 150 : 0);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      clear();
    }
  });
  document.getElementById("expand").addEventListener("click", () => fold(true));
  document.getElementById("collapse").addEventListener("click", () => fold(false));
  document.getElementById("all").addEventListener("click", clear);

  // Paper has no folds. The style sheet opens them where it can; not every browser lets it.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });
  addEventListener("hashchange", reveal);
  // A browser that goes back may fill the field in again.
  addEventListener("pageshow", show);
  show();
  reveal();
})();
