"use strict";
(() => {
  const runs = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const colours = ["#4f8ad9", "#c9741a", "#3c9a5f", "#b9549c", "#8a79d6", "#a5802a", "#d2605a", "#3b98a5"];
  const PAGE = 200;
  const charts = [];

  // --- charts

  const css = name => getComputedStyle(root).getPropertyValue(name).trim();

  function chart(place) {
    const { labels, width, ticks, counts } = runs[place.dataset.run].timeline;
    const axis = {
      stroke: () => css("--text"),
      grid: { stroke: () => css("--line"), width: 1 },
      ticks: { stroke: () => css("--line"), width: 1 },
    };
    const step = uPlot.paths.stepped({ align: 1 });
    const options = {
      width: Math.max(200, place.clientWidth),
      height: 220,
      scales: { x: { time: false } },
      axes: [{ ...axis, space: 90, values: (_, all) => all.map(v => v.toLocaleString("en")) }, { ...axis, size: 60 }],
      series: [
        { label: "tick" },
        ...labels.map((label, i) => ({ label, stroke: colours[i % colours.length], width: 1.5, paths: step, points: { show: ticks.length < 3 } })),
      ],
    };
    const made = new uPlot(options, [ticks, ...counts], place);
    charts.push(made);
    new ResizeObserver(() => {
      const room = Math.max(200, place.clientWidth);
      if (room !== made.width) made.setSize({ width: room, height: 220 });
    }).observe(place);
  }

  document.querySelectorAll(".chart").forEach(chart);

  // --- light and dark

  const themes = [["", "as the system"], ["light", "light"], ["dark", "dark"]];
  let theme = 0;
  const redraw = () => charts.forEach(each => each.redraw(false, true));
  const button = document.getElementById("theme");
  button.addEventListener("click", () => {
    theme = (theme + 1) % themes.length;
    const [value, name] = themes[theme];
    if (value) root.dataset.theme = value;
    else delete root.dataset.theme;
    button.textContent = `Theme: ${name}`;
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  // --- messages

  function messages(section) {
    const { rows, total, kept } = runs[section.dataset.run].messages;
    const body = section.querySelector("tbody");
    const form = section.querySelector("form");
    const more = section.querySelector(".more");
    const status = section.querySelector("[role=status]");
    let found = rows;
    let shown = 0;

    function row([tick, event, process, place, text]) {
      const line = document.createElement("tr");
      for (const value of [tick, event, process, place, text]) {
        line.appendChild(document.createElement("td")).textContent = value;
      }
      line.firstChild.className = "number";
      return line;
    }

    function grow() {
      body.append(...found.slice(shown, shown + PAGE).map(row));
      shown = Math.min(found.length, shown + PAGE);
      more.hidden = shown === found.length;
      const of = total > kept ? `; the page has the first ${kept} of ${total} messages` : "";
      status.textContent = `${shown} of ${found.length} shown${of}`;
    }

    function filter() {
      const wanted = form.elements.text.value.toLowerCase();
      const event = form.elements.event.value;
      found = rows.filter(each => (!event || each[1] === event) && (!wanted || `${each[3]}\n${each[4]}`.toLowerCase().includes(wanted)));
      shown = 0;
      body.replaceChildren();
      grow();
    }

    form.addEventListener("input", filter);
    form.addEventListener("submit", submitted => submitted.preventDefault());
    more.addEventListener("click", grow);
    grow();
  }

  document.querySelectorAll(".messages").forEach(messages);
})();
