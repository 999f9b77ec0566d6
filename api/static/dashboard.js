// Draws the charts from the data embedded in the page; the tables need no script.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = localStorage.getItem("pas-theme");
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const series = () =>
    isDark()
      ? ["#6ea8fe", "#f2a65a", "#5fcf8a", "#e58ad0", "#b8a1ff", "#f0d264", "#6fd6d6", "#ff8a80"]
      : ["#1f5fbf", "#c05a00", "#17703a", "#a8328c", "#6a4fc0", "#8a6d00", "#0b7a7a", "#b3261e"];

  function layout(extra) {
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zeroline: false, automargin: true };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--quiet"), size: 12, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 50, r: 20, t: 8, b: 34 },
      legend: { orientation: "h", y: -0.16, x: 0, font: { size: 11 } },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("--card"), font: { color: colour("--text") } },
      ...extra,
      xaxis: { ...axis, ...(extra.xaxis || {}) },
      yaxis: { ...axis, ...(extra.yaxis || {}) },
      ...(extra.yaxis2 ? { yaxis2: { ...axis, ...extra.yaxis2 } } : {}),
    };
  }

  // A few sessions are labelled one by one: an axis of dates would show hours between them.
  const days = (x) => (x.length <= 8 ? { tickvals: x, tickformat: "%b %-d" } : {});

  function draw(id, traces, extra) {
    const place = document.getElementById(id);
    if (place) Plotly.react(place, traces, layout(extra), { displayModeBar: false, responsive: true, showTips: false });
  }

  function all() {
    const [c0, c1] = series();
    draw(
      "chart-equity",
      [
        { x: data.equity.x, y: data.equity.equity, name: "Equity", mode: "lines+markers", line: { color: c0, width: 2 }, marker: { size: 4 } },
        { x: data.equity.x, y: data.equity.cash, name: "Cash", mode: "lines", line: { color: c1, width: 1.5, dash: "dot" } },
      ],
      { yaxis: { tickprefix: "$", rangemode: "tozero" }, xaxis: { type: "date", ...days(data.equity.x) } },
    );
    draw(
      "chart-model",
      data.model.series.map((one, i) => ({
        x: one.x, y: one.y, name: one.name, mode: "lines", line: { color: series()[i % series().length], width: 1.6 },
      })),
      { yaxis: { tickformat: ".2f" }, xaxis: { type: "date" } },
    );
    draw(
      "chart-allocation",
      [{
        type: "bar", orientation: "h", y: data.allocation.labels, x: data.allocation.shares,
        marker: { color: data.allocation.labels.map((name) => (name === "Cash" ? colour("--quiet") : c0)) },
        text: data.allocation.shares.map((v) => (v === null ? "" : `${(v * 100).toFixed(1)} %`)),
        textposition: "auto", cliponaxis: false, hoverinfo: "y+text",
      }],
      { xaxis: { tickformat: ".0%", rangemode: "tozero" }, hovermode: "closest", showlegend: false, bargap: 0.35 },
    );
    draw(
      "chart-regime",
      [
        { x: data.regime.x, y: data.regime.cci, connectgaps: false, name: "CCI (left)", mode: "lines", line: { color: c1, width: 1.8 } },
        { x: data.regime.x, y: data.regime.scale, name: "S (right)", mode: "lines", yaxis: "y2", line: { color: c0, width: 1.8, shape: "hv" } },
      ],
      {
        xaxis: { type: "date", ...days(data.regime.x) },
        yaxis: { rangemode: "tozero" },
        yaxis2: { overlaying: "y", side: "right", range: [0, 1.05], tickvals: [0, 0.25, 0.5, 0.75, 1], showgrid: false },
        margin: { l: 50, r: 44, t: 8, b: 34 },
      },
    );
  }

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("pas-theme", root.dataset.theme);
    all();
  });
  prefersDark.addEventListener("change", all);
  all();
  root.dataset.charts = "drawn";
})();
