// Says how many entries have come since the page was opened, politely and without jumping. The overview, while its
// reader has not touched it, shows them by itself. When its reader has been signed out, it leaves the screen. Everything
// works without this script.
"use strict";
// A page that the browser kept is asked for again: whoever was signed in then may not be any more.
addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
(() => {
  const notice = document.getElementById("live");
  if (!notice || !notice.dataset.stream || !window.EventSource) return;
  let count = 0, touched = false, timer = 0, shown = 0;
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart", "focusin", "select"]) {
    addEventListener(kind, () => { touched = true; }, { once: true, passive: true });
  }
  const say = () => {
    if (count === 0) { notice.replaceChildren(); return; }
    const inner = document.createElement("p");
    inner.className = "wide";
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = notice.dataset.show;
    link.addEventListener("click", (e) => { e.preventDefault(); location.reload(); });
    inner.append((count === 1 ? notice.dataset.single : notice.dataset.many.replace("{n}", count)) + " ", link);
    notice.replaceChildren(inner);
  };
  const refresh = async () => {
    const before = count;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok) return say();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main"), old = document.getElementById("main");
      if (!fresh || !old || touched || scrollY > 0) return say();
      old.replaceWith(document.importNode(fresh, true));
      count -= before;
      if (count > 0) say();
    } catch { say(); }
  };
  const look = () => {
    timer = 0;
    shown = Date.now();
    if (notice.dataset.section === "overview" && !touched && scrollY === 0 && !document.hidden) refresh(); else say();
  };
  const stream = new EventSource(notice.dataset.stream);
  stream.addEventListener("recorded", () => {
    count++;
    if (!timer) timer = setTimeout(look, Math.max(1000, 5000 - (Date.now() - shown)));
  });
  // Refused for good: whoever was signed in is so no longer, and what is on the screen is not for who comes next.
  stream.addEventListener("error", async () => {
    if (stream.readyState !== EventSource.CLOSED) return;
    const answer = await fetch("/v1/event-types", { method: "HEAD", credentials: "same-origin" }).catch(() => null);
    if (answer && answer.status === 401) location.reload();
  });
  addEventListener("pagehide", () => stream.close());
})();
