/* Counterpoise figures: draws every <figure data-figure="ID"> from the JSON in <script id="figure-data-ID">.
   One file for the report and the web desk. Needs window.echarts and <script id="figure-themes">.
   Options come from Python as plain JSON: colours are tokens ("@RUS"), formatters are {"fn": name, ...}. */
(function () {
  "use strict";

  var NARROW_BELOW = 560;
  var MINUS = "\u2212";
  var mounted = [];
  var themes = null;
  var printing = false;

  function escapeText(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
  }

  function writeNumber(value, format) {
    var decimals = format.decimals < 0 ? Math.max(0, -Math.floor(Math.log10(Math.abs(value) || 1))) : format.decimals;
    var body = Math.abs(value).toLocaleString("en-US", {
      minimumFractionDigits: decimals, maximumFractionDigits: decimals
    });
    var zero = !/[1-9]/.test(body);
    var sign = zero ? "" : value < 0 ? MINUS : format.sign ? "+" : "";
    return sign + (format.prefix || "") + body + (format.suffix || "");
  }

  /* The registry of named formatters: all the functions that an option can ask for. */
  var FORMATTERS = {
    number: function (format) { return function (value) { return writeNumber(value, format); }; },
    year: function () { return function (value) { return String(Math.round(value)); }; },
    rectangles: function (spec) {
      return function (params, api) {
        var r = spec.rectangles[params.dataIndex], stretch = api.getWidth() / spec.width;
        return { type: "group", children: [
          { type: "rect", shape: { x: r.x * stretch, y: r.y, width: r.width * stretch, height: r.height }, style: { fill: r.fill } },
          { type: "text", silent: true, style: { text: r.words, x: r.x * stretch + 5, y: r.y + 4, fill: r.ink,
            fontSize: spec.size, lineHeight: spec.line, fontFamily: spec.font,
            width: Math.max(0, r.width * stretch - 7), overflow: "truncate" } }
        ] };
      };
    },
    tooltip: function () {
      return function (params) {
        var items = (Array.isArray(params) ? params : [params]).filter(function (p) { return p.data && p.data.tip; });
        if (!items.length) { return ""; }
        var rows = [];
        items.forEach(function (item) {
          item.data.tip.forEach(function (pair) {
            rows.push("<tr><td style='padding:0 14px 0 0'>" + (pair[0] && items.length > 1 ? item.marker || "" : "") +
              escapeText(pair[0]) + "</td><td style='text-align:right;font-variant-numeric:tabular-nums'>" +
              escapeText(pair[1]) + "</td></tr>");
          });
        });
        return "<div style='max-width:300px;white-space:normal'><b>" + escapeText(items[0].data.head) +
          "</b><table style='border-collapse:collapse'>" + rows.join("") + "</table></div>";
      };
    }
  };

  function resolve(value, tokens) {
    if (typeof value === "string") {
      return value.charAt(0) === "@" && tokens[value] !== undefined ? tokens[value] : value;
    }
    if (Array.isArray(value)) { return value.map(function (item) { return resolve(item, tokens); }); }
    if (value && typeof value === "object") {
      var out = {};
      Object.keys(value).forEach(function (key) { out[key] = resolve(value[key], tokens); });
      return typeof out.fn === "string" && FORMATTERS[out.fn] ? FORMATTERS[out.fn](out) : out;
    }
    return value;
  }

  function paperName() {
    if (printing) { return "light"; }
    var chosen = document.documentElement.dataset.theme;
    if (chosen === "light" || chosen === "dark") { return chosen; }
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function draw(entry, width) {
    var space = width || entry.holder.clientWidth;
    if (!space) { return; }
    var layout = space < NARROW_BELOW ? entry.payload.narrow : entry.payload.wide;
    entry.holder.style.height = layout.height + "px";
    if (entry.chart) { entry.chart.dispose(); }
    entry.chart = window.echarts.init(entry.holder, null, { renderer: "svg", width: space, height: layout.height });
    entry.chart.setOption(resolve(layout.option, themes[paperName()]));
    entry.space = space;
    entry.step = -1;
    entry.holder.dataset.drawn = "true";
  }

  function redraw(width) { mounted.forEach(function (entry) { draw(entry, width); }); }

  /* ---- downloads ---- */

  function save(name, blob) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 2000);
  }

  function fold(text, width, font) {
    var pen = fold.pen || (fold.pen = document.createElement("canvas").getContext("2d"));
    pen.font = font;
    var lines = [];
    String(text).split(/\s+/).forEach(function (word) {
      var longer = lines.length ? lines[lines.length - 1] + " " + word : word;
      if (lines.length && pen.measureText(longer).width <= width) { lines[lines.length - 1] = longer; }
      else { lines.push(word); }
    });
    return lines;
  }

  /* A picture that stands alone: title, units, key, chart, note and source in one SVG. */
  function picture(entry) {
    var p = entry.payload, tokens = themes[paperName()], margin = 20;
    var inner = entry.chart.getWidth(), width = inner + 2 * margin, y = margin, parts = [];
    var family = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif";
    function write(text, size, weight, token) {
      if (!text) { return; }
      fold(text, inner, weight + " " + size + "px " + family).forEach(function (line) {
        y += size * 1.3;
        parts.push("<text x='" + margin + "' y='" + y.toFixed(1) + "' font-size='" + size + "' font-weight='" + weight +
          "' fill='" + tokens[token] + "'>" + escapeText(line) + "</text>");
      });
    }
    write(p.title, 18, 700, "@ink");
    y += 3;
    write(p.subtitle, 13, 400, "@muted");
    if (p.legend.length) {
      var x = margin;
      y += 22;
      p.legend.forEach(function (key) {
        fold("", inner, "400 12px " + family);
        var wide = fold.pen.measureText(key[0]).width + 32;
        if (x > margin && x + wide > width - margin) { x = margin; y += 18; }
        parts.push("<rect x='" + x + "' y='" + (y - 9) + "' width='10' height='10' rx='" + (key[2] === "dot" ? 5 : 1) +
          "' fill='" + tokens[key[1]] + "'/><text x='" + (x + 15) + "' y='" + y + "' font-size='12' fill='" +
          tokens["@ink"] + "'>" + escapeText(key[0]) + "</text>");
        x += wide;
      });
    }
    y += 12;
    var markup = entry.chart.renderToSVGString().replace("<svg ", "<svg x='" + margin + "' y='" + Math.round(y) + "' ");
    y += entry.chart.getHeight();
    write(p.note, 11, 400, "@muted");
    write("Source: " + p.source, 11, 400, "@muted");
    var height = Math.ceil(y + margin);
    return { width: width, height: height, text:
      "<svg xmlns='http://www.w3.org/2000/svg' width='" + width + "' height='" + height + "' viewBox='0 0 " + width + " " +
      height + "' font-family=\"" + family + "\"><rect width='100%' height='100%' fill='" + tokens["@paper"] + "'/>" +
      parts.join("") + markup + "</svg>" };
  }

  var DOWNLOADS = {
    csv: function (entry) {
      save(entry.payload.id + ".csv", new Blob(["\ufeff" + entry.payload.csv], { type: "text/csv;charset=utf-8" }));
    },
    svg: function (entry) {
      save(entry.payload.id + ".svg", new Blob([picture(entry).text], { type: "image/svg+xml" }));
    },
    png: function (entry) {
      var drawn = picture(entry), scale = 2, image = new Image();
      image.onload = function () {
        var canvas = document.createElement("canvas");
        canvas.width = drawn.width * scale;
        canvas.height = drawn.height * scale;
        var pen = canvas.getContext("2d");
        pen.scale(scale, scale);
        pen.drawImage(image, 0, 0);
        canvas.toBlob(function (blob) { save(entry.payload.id + ".png", blob); }, "image/png");
      };
      image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(drawn.text);
    }
  };

  /* ---- keyboard: arrow keys walk through the points of a focused chart, Escape leaves ---- */

  function walk(entry, direction) {
    var points = [];
    (entry.chart.getOption().series || []).forEach(function (series, seriesIndex) {
      (series.data || []).forEach(function (item, dataIndex) {
        if (item && item.tip && item.value !== null) { points.push([seriesIndex, dataIndex, item]); }
      });
    });
    if (!points.length) { return; }
    entry.step = (entry.step + direction + points.length) % points.length;
    var at = points[entry.step];
    entry.chart.dispatchAction({ type: "showTip", seriesIndex: at[0], dataIndex: at[1] });
    entry.live.textContent = at[2].head + ": " + at[2].tip.map(function (pair) { return pair.join(" "); }).join(", ");
  }

  function onKey(entry, event) {
    if (event.key === "ArrowRight" || event.key === "ArrowDown") { walk(entry, 1); }
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") { walk(entry, -1); }
    else if (event.key === "Escape") { entry.chart.dispatchAction({ type: "hideTip" }); }
    else { return; }
    event.preventDefault();
  }

  /* Draw one figure; the web desk calls this again with a new payload when numbers move. */
  function mount(figure, payload) {
    var known = mounted.filter(function (entry) { return entry.figure === figure; })[0];
    if (known) { known.payload = payload; draw(known); return known; }
    var entry = {
      figure: figure, payload: payload, holder: figure.querySelector(".chart"),
      live: figure.querySelector("[aria-live]"), chart: null, space: 0, step: -1
    };
    mounted.push(entry);
    entry.holder.addEventListener("keydown", function (event) { onKey(entry, event); });
    figure.querySelectorAll("[data-download]").forEach(function (button) {
      button.addEventListener("click", function () { DOWNLOADS[button.dataset.download](entry); });
    });
    draw(entry);
    if (window.ResizeObserver) {
      new ResizeObserver(function () {
        if (!printing && entry.holder.clientWidth && entry.holder.clientWidth !== entry.space) { draw(entry); }
      }).observe(entry.holder);
    }
    return entry;
  }

  function setTheme(name) {
    document.documentElement.dataset.theme = name;
    try { window.localStorage.setItem("counterpoise-theme", name); } catch (refused) { /* private windows refuse */ }
    labelToggle();
    redraw();
  }

  function labelToggle() {
    document.querySelectorAll("[data-theme-toggle]").forEach(function (button) {
      var dark = paperName() === "dark";
      button.textContent = dark ? "Light" : "Dark";
      button.setAttribute("aria-label", dark ? "Switch to light paper" : "Switch to dark paper");
    });
  }

  function start() {
    themes = JSON.parse(document.getElementById("figure-themes").textContent);
    try {
      var kept = window.localStorage.getItem("counterpoise-theme");
      if (kept === "light" || kept === "dark") { document.documentElement.dataset.theme = kept; }
    } catch (refused) { /* private windows refuse */ }
    document.documentElement.classList.add("scripted");
    document.querySelectorAll("details[data-fallback]").forEach(function (drawer) { drawer.open = false; });
    document.querySelectorAll("figure[data-figure]").forEach(function (figure) {
      var held = document.getElementById("figure-data-" + figure.dataset.figure);
      if (held) { mount(figure, JSON.parse(held.textContent)); }
    });
    document.querySelectorAll("[data-theme-toggle]").forEach(function (button) {
      button.addEventListener("click", function () { setTheme(paperName() === "dark" ? "light" : "dark"); });
    });
    labelToggle();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { labelToggle(); redraw(); });
    window.addEventListener("beforeprint", function () { printing = true; redraw(670); });
    window.addEventListener("afterprint", function () { printing = false; redraw(); });
  }

  window.CounterpoiseFigures = { mount: mount, redraw: redraw, setTheme: setTheme, formatters: FORMATTERS };
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();
