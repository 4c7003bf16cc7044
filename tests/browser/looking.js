// What an auditor of pages looks at. Each runs in the page and gives a list of what is wrong.
({
  unreadable() {
    const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => {
      const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const wrong = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
      if (!own || !element.getClientRects().length) continue;
      const style = getComputedStyle(element);
      if (element.closest(".hidden, .skip, title, desc, meter")) continue;
      const ink = parse(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
      const [one, two] = [light(ink), light(ground(element))];
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio >= (large ? 3 : 4.5)) continue; // WCAG 2.2, 1.4.3
      wrong.push(`${ratio.toFixed(2)}: ${element.outerHTML.slice(0, 120)}`);
    }
    return wrong;
  },

  unnamed() {
    const wrong = [];
    const text = (id) => (document.getElementById(id)?.textContent || "").trim();
    const named = (element) =>
      element.getAttribute("aria-label") ||
      (element.getAttribute("aria-labelledby") || "").split(" ").map(text).join("") ||
      [...(element.labels || [])].map((label) => label.textContent.trim()).join("") ||
      element.querySelector?.(":scope > title")?.textContent ||
      element.textContent.trim();
    const needing =
      "a, button, input:not([type=hidden]), select, meter, section, nav, [role=img], pre[tabindex]";
    for (const element of document.querySelectorAll(needing)) {
      if (!named(element)) wrong.push(`no name: ${element.outerHTML.slice(0, 120)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`twice: #${id}`);
    for (const one of document.querySelectorAll("[aria-labelledby]")) {
      for (const id of one.getAttribute("aria-labelledby").split(" ")) {
        if (!document.getElementById(id)) wrong.push(`nobody is #${id}`);
      }
    }
    const headings = [...document.querySelectorAll("h1, h2, h3, h4")];
    const levels = headings.map((one) => Number(one.tagName[1]));
    if (levels.filter((level) => level === 1).length !== 1) wrong.push(`headings: ${levels}`);
    levels.forEach((level, at) => {
      if (at && level > levels[at - 1] + 1) wrong.push(`a heading is skipped: ${levels}`);
    });
    if (!document.documentElement.lang) wrong.push("no language");
    if (document.querySelectorAll("main").length !== 1) wrong.push("no main part");
    if (!document.querySelector("[role=status], [role=alert]")) wrong.push("no live region");
    for (const cell of document.querySelectorAll("th:not([scope])")) {
      wrong.push(`no scope: ${cell.textContent}`);
    }
    const pictures = document.querySelectorAll("svg:not([aria-hidden]):not([role=img])");
    if (pictures.length) wrong.push("a picture without a role");
    return wrong;
  },

  tooSmall() {
    return [...document.querySelectorAll("button, .button, input:not([type=hidden]), select")]
      .filter((one) => one.getClientRects().length && !one.classList.contains("copy"))
      .filter((one) => one.getBoundingClientRect().height < 44)
      .map((one) => one.outerHTML.slice(0, 100));
  },

  foreign() {
    const wrong = [];
    const never = "iframe, object, embed, img, base, style, script:not([src]), template, noscript *";
    for (const one of document.querySelectorAll(never)) wrong.push(one.outerHTML.slice(0, 120));
    for (const one of document.querySelectorAll("script, link, form, a")) {
      const where = new URL(one.src || one.href || one.action, location.href);
      if (where.origin !== location.origin) wrong.push(one.outerHTML.slice(0, 120));
      if (one.tagName === "SCRIPT" && !where.pathname.startsWith("/static/")) wrong.push(where.href);
    }
    for (const one of document.querySelectorAll("*")) {
      for (const { name } of one.attributes) {
        if (name.startsWith("on") || name === "style") wrong.push(`${name} on ${one.tagName}`);
      }
    }
    return wrong;
  },
})
