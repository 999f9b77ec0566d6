// What lives on a page: theme, events as they happen, writes with a reason, jobs of Airflow.
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const csrf = $("meta[name=csrf-token]")?.content;

  // ------------------------------------------------------------------------------------------------ theme
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const theme = $("#theme");
  const tellTheme = () => theme?.setAttribute("aria-pressed", String(isDark()));
  theme?.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("pas-theme", root.dataset.theme);
    tellTheme();
    document.dispatchEvent(new Event("pas:theme"));
  });
  tellTheme();

  const say = (text) => {
    $("#said").textContent = text;
  };

  // ----------------------------------------------------------------------------------- what has happened
  const live = $("#live");
  function tellLive(text, kind) {
    if (!live || live.textContent === text) return;
    live.textContent = text;
    live.className = `stream ${kind}`;
  }

  const NOUNS = { run: "event", order: "order change", fill: "fill", alert: "alert", state: "trading state change" };
  let waiting = new Map();
  let timer = null;
  let busy = false;

  // The page is read again and its live parts are exchanged: formats and numbers stay the server's.
  async function refresh(kinds) {
    let answer;
    try {
      answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    } catch {
      tellLive("The API does not answer", "bad");
      return;
    }
    if (new URL(answer.url).pathname.endsWith("/login")) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of $$("[data-live]")) {
      const other = fresh.getElementById(part.id);
      const wanted = part.dataset.live.split(" ");
      if (!other || (kinds && !wanted.some((kind) => kinds.has(kind)))) continue;
      if (part.innerHTML !== other.innerHTML) part.replaceChildren(...other.childNodes);
    }
    const numbers = fresh.getElementById("chart-data");
    const here = $("#chart-data");
    if (numbers && here && numbers.textContent !== here.textContent) {
      here.textContent = numbers.textContent;
      document.dispatchEvent(new Event("pas:data"));
    }
  }

  async function tell() {
    timer = null;
    if (busy) {
      timer = setTimeout(tell, 300);
      return;
    }
    busy = true;
    const seen = waiting;
    waiting = new Map();
    await refresh(new Set(seen.keys()));
    if (seen.has("run") && $("#jobs[data-ask]")) askForJobs();
    const words = [...seen].filter(([kind]) => kind !== "run").map(([kind, n]) => `${n} ${NOUNS[kind]}${n > 1 ? "s" : ""}`);
    if (words.length) say(`New: ${words.join(", ")}`);
    busy = false;
  }

  function happened(kind, data) {
    // Both sides of a transaction are told; the outer one is no book.
    if (kind === "fill" && data.portfolio_id === "OUTSIDE") return;
    waiting.set(kind, (waiting.get(kind) || 0) + 1);
    timer ??= setTimeout(tell, 250);
  }

  if (live?.dataset.follow !== undefined) {
    const source = new EventSource("/events");
    source.onopen = () => tellLive("Connected", "good");
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        tellLive("Not connected", "bad");
        refresh(null);
      } else {
        tellLive("Reconnecting", "warn");
      }
    };
    for (const kind of Object.keys(NOUNS)) {
      source.addEventListener(kind, (event) => {
        tellLive("Connected", "good");
        happened(kind, JSON.parse(event.data));
      });
    }
    source.addEventListener("unavailable", () => tellLive("No store answers", "bad"));
    window.addEventListener("pagehide", () => source.close());
  }

  // ---------------------------------------------------------------------------------- what a person does
  async function write(method, path, body) {
    const answer = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.detail || `the API answered ${answer.status}`);
    return told;
  }

  let opener = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.open) {
      const dialog = document.getElementById(button.dataset.open);
      const form = $("form", dialog);
      if (button.dataset.path) form.dataset.path = button.dataset.path;
      if (button.dataset.setDecision) form.elements.decision.value = button.dataset.setDecision;
      const about = $(".about", form);
      if (about) about.textContent = button.dataset.about || "";
      const failed = $(".error", form);
      failed.hidden = true;
      try {
        form.elements.by.value ||= localStorage.getItem("pas-name") || "";
      } catch {
        // A browser that stores nothing asks for the name again.
      }
      opener = button;
      dialog.showModal();
    } else if (button.classList.contains("cancel")) {
      button.closest("dialog").close();
    } else if (button.dataset.run) {
      startJob(button);
    }
  });
  for (const dialog of $$("dialog")) dialog.addEventListener("close", () => opener?.isConnected && opener.focus());

  // A secret stands in the page only as long as its dialog is open.
  function showOnce(secret) {
    const place = $("#secret");
    const dialog = place.closest("dialog");
    place.textContent = secret;
    dialog.addEventListener("close", () => place.replaceChildren(), { once: true });
    dialog.showModal();
  }

  for (const form of $$("form.write")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
      const failed = $(".error", form);
      const submit = $("button[type=submit]", form);
      submit.disabled = true;
      try {
        const told = await write(form.dataset.method, form.dataset.path, body);
        localStorage.setItem("pas-name", body.by);
        for (const field of $$("textarea", form)) field.value = "";
        form.closest("dialog").close();
        if (form.dataset.shows) showOnce(told[form.dataset.shows]);
        await refresh(null);
        say("Done. It was recorded with your name.");
      } catch (error) {
        failed.textContent = error.message;
        failed.hidden = false;
      } finally {
        submit.disabled = false;
      }
    });
  }

  // ------------------------------------------------------------------------------------ jobs of Airflow
  const minute = (text) => (text ? new Date(text).toISOString().slice(0, 16).replace("T", " ") : "–");
  function took(run) {
    if (!run?.started_at || !run.ended_at) return "–";
    const seconds = (new Date(run.ended_at) - new Date(run.started_at)) / 1000;
    return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  }

  function row(job) {
    const run = job.last_run;
    const line = document.createElement("tr");
    const cell = (text, name = "td", className = "") => {
      const made = document.createElement(name);
      made.textContent = text;
      made.className = className;
      line.append(made);
      return made;
    };
    cell(job.job_id, "th").scope = "row";
    const state = cell("");
    const chip = document.createElement("span");
    chip.className = `chip ${job.is_paused ? "stale" : run ? run.state : ""}`;
    chip.textContent = job.is_paused ? "paused" : run ? run.state : "never ran";
    state.append(chip);
    cell(run?.session || "–");
    cell(minute(run?.started_at));
    cell(took(run), "td", "n");
    cell(minute(job.next_run_at));
    cell(job.description, "td", "words quiet");
    const last = cell("");
    if ($("#jobs").dataset.mayRun && !job.is_paused) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.run = job.job_id;
      button.textContent = "Run";
      button.setAttribute("aria-label", `Run ${job.job_id} for the last closed session`);
      last.append(button);
    }
    return line;
  }

  function tellJobs(text) {
    const failed = $("#jobs-failed");
    failed.textContent = text;
    failed.hidden = !text;
  }

  async function askForJobs() {
    const place = $("#jobs");
    try {
      const answer = await fetch("/scheduler/jobs");
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.detail);
      place.replaceChildren(...told.records.map(row));
      tellJobs("");
    } catch (error) {
      place.replaceChildren();
      const line = place.insertRow();
      const cell = line.insertCell();
      cell.colSpan = 8;
      cell.className = "none";
      cell.textContent = "Runs are shown while Airflow answers; the latest events below are read from the warehouse.";
      tellJobs(error.message);
    }
  }

  async function startJob(button) {
    button.disabled = true;
    try {
      const run = await write("POST", `/scheduler/jobs/${encodeURIComponent(button.dataset.run)}/run`, {});
      say(`${run.job_id} of ${run.session} was asked for.`);
      await askForJobs();
    } catch (error) {
      tellJobs(error.message);
      button.disabled = false;
    }
  }

  if ($("#jobs[data-ask]")) askForJobs();
})();
