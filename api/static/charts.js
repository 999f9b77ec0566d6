// Draws the charts from the numbers embedded in the page. Each has its sentence and its table beside it.
(() => {
  "use strict";
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const LIGHT = ["#1f5fbf", "#c05a00", "#17703a", "#a8328c", "#6a4fc0", "#8a6d00", "#0b7a7a", "#b3261e", "#5b6675", "#3d8bd4"];
  const DARK = ["#6ea8fe", "#f2a65a", "#5fcf8a", "#e58ad0", "#b8a1ff", "#f0d264", "#6fd6d6", "#ff8a80", "#a9b4c2", "#3f8fe0"];
  const DASHES = ["solid", "dot", "dash"];
  const series = (i) => (isDark() ? DARK : LIGHT)[i % LIGHT.length];

  function layout(extra, wide) {
    const axis = {
      gridcolor: colour("--line"), linecolor: colour("--line"), zeroline: false, automargin: true, fixedrange: true,
    };
    const shown = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--quiet"), size: 12, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 52, r: 16, t: 8, b: 34 },
      legend: { orientation: "h", y: -0.14, x: 0, font: { size: 11 } },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("--card"), font: { color: colour("--text") } },
      dragmode: false,
      ...extra(wide),
    };
    for (const name of ["xaxis", "xaxis2", "yaxis", "yaxis2"]) {
      if (name === "xaxis" || name === "yaxis" || shown[name]) shown[name] = { ...axis, ...(shown[name] || {}) };
    }
    return shown;
  }

  // A few sessions are named one by one: an axis of dates would show hours and weekends between them.
  const sessions = (x) => (x.length <= 12 ? { type: "category" } : { type: "date" });

  const CHARTS = {
    performance: (d) => [
      [
        { x: d.x, y: d.equity, name: "Account", mode: "lines+markers", line: { color: series(0), width: 2 }, marker: { size: d.x.length > 60 ? 1 : 5 }, hovertemplate: "$%{y:,.0f}" },
        { x: d.x, y: d.benchmark_equity, name: `Same money in ${d.benchmark}`, mode: "lines", line: { color: series(1), width: 1.6, dash: "dot" }, hovertemplate: "$%{y:,.0f}" },
        { x: d.x, y: d.drawdown, name: "Drawdown", yaxis: "y2", mode: "lines", fill: "tozeroy", line: { color: series(0), width: 1.2 }, showlegend: false, hovertemplate: "%{y:.2%}" },
        { x: d.x, y: d.benchmark_drawdown, name: `Drawdown of ${d.benchmark}`, yaxis: "y2", mode: "lines", line: { color: series(1), width: 1.2, dash: "dot" }, showlegend: false, hovertemplate: "%{y:.2%}" },
      ],
      () => ({
        xaxis: { ...sessions(d.x), anchor: "y2" },
        yaxis: { domain: [0.36, 1], tickprefix: "$", tickformat: ",.0f", title: { text: "Equity", font: { size: 11 } } },
        yaxis2: { domain: [0, 0.28], tickformat: ".1%", rangemode: "tozero", title: { text: "Drawdown", font: { size: 11 } } },
      }),
    ],
    allocation: (d) => {
      const few = d.x.length <= 40;
      const style = (i) =>
        few
          ? { type: "bar", marker: { color: series(i), opacity: i < 10 ? 1 : 0.6 } }
          : { type: "scatter", mode: "lines", stackgroup: "one", line: { width: 0.5, color: series(i) } };
      const given = d.series.map((one, i) => ({ x: d.x, y: one.y, name: one.name, hovertemplate: "%{y:.1%}", ...style(i) }));
      const cash = { x: d.x, y: d.cash, name: "Cash", hovertemplate: "%{y:.1%}", ...style(0) };
      if (few) cash.marker = { color: colour("--neutral-back"), line: { color: colour("--line"), width: 1 } };
      else Object.assign(cash, { line: { width: 0.5, color: colour("--line") }, fillcolor: colour("--neutral-back") });
      return [
        [...given, cash],
        (wide) => ({
          barmode: "stack",
          bargap: 0.35,
          hovermode: "closest",
          xaxis: sessions(d.x),
          yaxis: { tickformat: ".0%", range: [0, 1], title: { text: "Share of equity", font: { size: 11 } } },
          legend: wide ? { x: 1.01, y: 1, font: { size: 11 }, traceorder: "normal" } : { orientation: "h", y: -0.12, font: { size: 10 } },
          showlegend: wide,
        }),
      ];
    },
    sectors: (d) => [
      [{
        type: "bar", orientation: "h", y: [...d.sectors].reverse(), x: [...d.weights].reverse(),
        marker: { color: series(0) }, text: [...d.weights].reverse().map((v) => `${(v * 100).toFixed(1)} %`),
        customdata: [...d.symbols].reverse(), textposition: "auto", textfont: { size: 11 }, constraintext: "none", cliponaxis: false,
        hovertemplate: "%{y}: %{x:.2%} in %{customdata} symbols<extra></extra>",
      }],
      () => ({ xaxis: { tickformat: ".1~%", rangemode: "tozero" }, hovermode: "closest", showlegend: false, bargap: 0.3 }),
    ],
    correlation: (d) => {
      const short = d.names.map((name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name));
      const few = d.names.length <= 8;
      return [
        [{
          type: "heatmap", x: short.map((_, i) => i), y: short.map((_, i) => i), z: d.z, zmin: -1, zmax: 1,
          customdata: d.names.map((a) => d.names.map((b) => `${a} and ${b}`)),
          colorscale: isDark()
            ? [[0, "#e0894a"], [0.5, "#222c38"], [1, "#5b9bf5"]]
            : [[0, "#c05a00"], [0.5, "#f4f5f7"], [1, "#1f5fbf"]],
          texttemplate: few ? "%{z:.2f}" : "", xgap: 1, ygap: 1,
          hovertemplate: "%{customdata}: %{z:.2f}<extra></extra>",
          showscale: false,
        }],
        (wide) => ({
          hovermode: "closest",
          xaxis: { tickvals: short.map((_, i) => i), ticktext: short, tickangle: -60, showgrid: false, tickfont: { size: wide ? 11 : 9 } },
          yaxis: { tickvals: short.map((_, i) => i), ticktext: short, autorange: "reversed", showgrid: false, tickfont: { size: wide ? 11 : 9 } },
        }),
      ];
    },
    growth: (d) => [
      d.series.map((one, i) => ({
        x: one.x, y: one.y, name: one.name, mode: "lines",
        line: { color: series(i), width: 1.5, dash: DASHES[Math.floor(i / LIGHT.length) % DASHES.length] },
        hovertemplate: "%{y:.3f} %{x}",
      })),
      (wide) => ({
        hovermode: "closest",
        xaxis: { type: "date" },
        yaxis: { tickformat: ".2f", title: { text: "Growth of 1", font: { size: 11 } } },
        legend: wide ? { x: 1.01, y: 1, font: { size: 11 } } : {},
        showlegend: wide,
      }),
    ],
    regime: (d) => [
      [
        { x: d.x, y: d.cci, name: "Crisis indicator (left)", mode: "lines", line: { color: series(1), width: 1.8 }, hovertemplate: "%{y:.2f}" },
        { x: d.x, y: d.scale, name: "Exposure scale S (right)", mode: "lines", yaxis: "y2", line: { color: series(0), width: 1.8, shape: "hv" }, hovertemplate: "%{y:.2f}" },
      ],
      () => ({
        xaxis: sessions(d.x),
        yaxis: { rangemode: "tozero", tickformat: ".1f" },
        yaxis2: { overlaying: "y", side: "right", range: [0, 1.05], tickvals: [0, 0.25, 0.5, 0.75, 1], showgrid: false },
        margin: { l: 44, r: 44, t: 8, b: 34 },
      }),
    ],
    parts: (d) => {
      const names = [...d.names].reverse();
      const adds = [...d.adds].reverse();
      return [
        [{
          type: "bar", orientation: "h", y: names, x: adds, customdata: [...d.z].reverse(),
          marker: { color: series(1) }, text: adds.map((v) => (v ? v.toFixed(3) : "")), textposition: "auto", textfont: { size: 11 }, constraintext: "none", cliponaxis: false,
          hovertemplate: "%{y} adds %{x:.3f}, z %{customdata:.2f}<extra></extra>",
        }],
        () => ({ xaxis: { tickformat: ".2f", rangemode: "tozero" }, hovermode: "closest", showlegend: false, bargap: 0.3 }),
      ];
    },
  };

  function drawAll() {
    const data = JSON.parse(document.getElementById("chart-data").textContent);
    for (const [key, values] of Object.entries(data)) {
      const place = document.getElementById(`chart-${key}`);
      if (!place || !CHARTS[key]) continue;
      const [traces, extra] = CHARTS[key](values);
      const shown = layout(extra, place.clientWidth >= 640);
      Plotly.react(place, traces, shown, { displayModeBar: false, responsive: true, showTips: false });
    }
    if (root.dataset.chartsReady !== "yes") performance.mark("charts-ready");
    root.dataset.chartsReady = "yes";
  }

  document.addEventListener("pas:theme", drawAll);
  document.addEventListener("pas:data", drawAll);
  prefersDark.addEventListener("change", drawAll);
  drawAll();
})();
