"use strict";
(() => {
  const TOLERANCE = 1e-9;
  const ROWS = 1000;
  const jobs = new Map();
  const waiting = new Map();

  // Elements are created, not parsed from HTML, so text from a job stays text.
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  // As in the pages: control and invisible characters become visible.
  const inert = (text) => text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (c) => { const code = c.charCodeAt(0); return code < 0xa0 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}"; });
  const number = (value, digits) => value === null ? "\u2013" : value.toFixed(digits);
  const signed = (value) => { const text = number(value, 3); return value > 0 && text !== "0.000" ? "+" + text : text === "-0.000" ? "0.000" : text; };
  // A task is [dataset, task].
  const taskName = (task) => task[0] ? task[0] + "/" + task[1] : task[1];
  const percent = (value) => value === null ? "\u2013" : (value * 100).toFixed(1).replace(/\.0$/, "") + "%";

  // Called by data/<job>.js.
  globalThis.assayJob = (job) => {
    jobs.set(job.id, job);
    for (const done of waiting.get(job.id) ?? []) done(job);
    waiting.delete(job.id);
  };

  const load = (id) => new Promise((resolve, reject) => {
    if (!/^[0-9a-f]{16}$/.test(id)) return reject(new Error("no such job"));
    if (jobs.has(id)) return resolve(jobs.get(id));
    if (waiting.has(id)) return void waiting.get(id).push(resolve);
    waiting.set(id, [resolve]);
    const script = document.createElement("script");
    script.src = "data/" + id + ".js";
    script.onerror = () => { waiting.delete(id); reject(new Error("cannot read the figures of this job")); };
    document.head.append(script);
  });

  // The mean score of each agent, of one or of all, at each task.
  const means = (job, agent) => {
    const sums = new Map();
    let passes = 0, runs = 0;
    for (const [who, task, score, passed] of job.runs) {
      if (agent !== "" && who !== Number(agent)) continue;
      runs += 1;
      passes += passed;
      if (score === null) continue;
      const key = who + " " + task;
      const unit = sums.get(key) ?? { agent: job.agents[who], task: job.tasks[task], sum: 0, count: 0 };
      unit.sum += score;
      unit.count += 1;
      sums.set(key, unit);
    }
    const agents = agent === "" ? job.agents : [job.agents[Number(agent)]];
    return { units: [...sums.values()].map((unit) => ({ ...unit, score: unit.sum / unit.count })), agents, passRate: runs ? passes / runs : null };
  };

  const compare = (before, after) => {
    // By name; where each side has a single agent, these two.
    const counterpart = before.agents.length === 1 && after.agents.length === 1 ? after.agents[0] : null;
    const key = (agent, task) => JSON.stringify([agent, task]);
    const others = new Map(after.units.map((unit) => [key(unit.agent, unit.task), unit]));
    const pairs = [];
    for (const unit of before.units) {
      const other = others.get(key(counterpart ?? unit.agent, unit.task));
      if (other) pairs.push({ agent: other.agent, task: unit.task, before: unit.score, after: other.score, difference: other.score - unit.score });
    }
    pairs.sort((a, b) => a.difference - b.difference || (key(a.agent, a.task) < key(b.agent, b.task) ? -1 : 1));
    const wins = pairs.filter((p) => p.difference > TOLERANCE).length;
    const losses = pairs.filter((p) => p.difference < -TOLERANCE).length;
    return {
      pairs, wins, losses, ties: pairs.length - wins - losses,
      mean: pairs.length ? pairs.reduce((sum, p) => sum + p.difference, 0) / pairs.length : null,
      onlyBefore: before.units.length - pairs.length, onlyAfter: after.units.length - pairs.length,
    };
  };

  const tile = (name, value, remark) => {
    const box = make("div", "tile"), dd = make("dd");
    dd.append(make("b", "", value));
    if (remark) dd.append(make("span", "remark", remark));
    box.append(make("dt", "", name), dd);
    return box;
  };

  const show = (target, result, before, after) => {
    const tiles = make("dl", "tiles");
    tiles.append(
      tile("Better", String(result.wins), "of " + result.pairs.length + " pairs"), tile("Worse", String(result.losses)), tile("The same", String(result.ties)),
      tile("Mean difference", signed(result.mean), "of the scores"),
      tile("Pass rate", percent(before.passRate) + " \u2192 " + percent(after.passRate), "of the runs that count"));
    const parts = [make("h2", "", "Result"), tiles];
    if (result.onlyBefore || result.onlyAfter) {
      parts.push(make("p", "note", "Agents at tasks without a counterpart: " + result.onlyBefore + " before, " + result.onlyAfter + " after."));
    }
    if (!result.pairs.length) {
      parts.push(make("p", "empty", "No agent and task have a verdict on both sides. Choose one agent of each to compare agents of different names."));
      target.replaceChildren(...parts);
      return;
    }
    const region = make("div", "scroll");
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "Agents and tasks, the largest loss first");
    const table = make("table"), head = make("tr"), body = make("tbody"), top = make("thead");
    table.append(make("caption", "unseen", "Agents and tasks, the largest loss first"));
    for (const [title, look] of [["Agent", ""], ["Task", ""], ["Before", "num"], ["After", "num"], ["Difference", "num"]]) {
      const th = make("th", look, title);
      th.scope = "col";
      head.append(th);
    }
    for (const pair of result.pairs.slice(0, ROWS)) {
      const row = make("tr");
      const look = pair.difference > TOLERANCE ? " up" : pair.difference < -TOLERANCE ? " down" : "";
      const sign = look === " up" ? "\u25b2 " : look === " down" ? "\u25bc " : "";
      row.append(make("td", "", inert(pair.agent)), make("td", "", inert(taskName(pair.task))), make("td", "num", number(pair.before, 3)), make("td", "num", number(pair.after, 3)), make("td", "num" + look, sign + signed(pair.difference)));
      body.append(row);
    }
    top.append(head);
    table.append(top, body);
    region.append(table);
    parts.push(make("h2", "", "Agents and tasks"), region);
    if (result.pairs.length > ROWS) parts.push(make("p", "note", (result.pairs.length - ROWS) + " more are not listed."));
    target.replaceChildren(...parts);
  };

  const comparison = () => {
    const target = document.getElementById("compared");
    const sides = ["before", "after"].map((name) => ({ job: document.getElementById(name), agent: document.getElementById(name + "-agent") }));
    if (!target || sides.some((side) => !side.job || !side.agent)) return;
    const asked = new URLSearchParams(location.search);
    const choose = (select, id) => { if ([...select.options].some((option) => option.value === id)) select.value = id; };
    // The default is the two newest jobs.
    if (sides[0].job.options.length > 1) sides[0].job.selectedIndex = 1;
    choose(sides[0].job, asked.get("a"));
    choose(sides[1].job, asked.get("b"));
    let turn = 0;
    const update = async () => {
      const mine = ++turn;
      try {
        const loaded = await Promise.all(sides.map((side) => load(side.job.value)));
        if (mine !== turn) return;
        sides.forEach((side, index) => {
          const job = loaded[index];
          if (side.agent.dataset.job !== job.id) {
            side.agent.replaceChildren(...[["", "all agents"], ...job.agents.map((name, place) => [String(place), inert(name)])].map(([value, text]) => {
              const option = make("option", "", text);
              option.value = value;
              return option;
            }));
            side.agent.dataset.job = job.id;
          }
        });
        const [before, after] = sides.map((side, index) => means(loaded[index], side.agent.value));
        show(target, compare(before, after), before, after);
      } catch (error) {
        if (mine === turn) target.replaceChildren(make("p", "empty", error.message));
      }
    };
    for (const side of sides) { side.job.addEventListener("change", update); side.agent.addEventListener("change", update); }
    update();
  };

  // Asks the server for this page's version, and reloads it when it changed and the reader has nothing selected or open.
  const watch = () => {
    const status = document.getElementById("fresh");
    const entry = performance.getEntriesByType("navigation")[0];
    let mine = entry?.serverTiming?.find((item) => item.name === "version")?.description;
    const isBusy = () => {
      const focus = document.activeElement;
      return !document.getSelection()?.isCollapsed || (focus && /^(SELECT|INPUT|TEXTAREA)$/.test(focus.tagName));
    };
    const look = async () => {
      try {
        const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
        const theirs = answer.headers.get("ETag")?.replaceAll('"', "");
        if (!answer.ok || !theirs) throw new Error();
        mine ??= theirs;
        if (status.textContent) status.replaceChildren();
        if (theirs !== mine) {
          if (!isBusy()) return void location.reload();
          const button = make("button", "", "Load it");
          button.type = "button";
          button.addEventListener("click", () => location.reload());
          status.replaceChildren("There is a newer version of this page. ", button);
        }
      } catch {
        status.textContent = "The server does not answer: this page may be old.";
      }
      setTimeout(look, document.hidden ? 30000 : 3000);
    };
    setTimeout(look, 1000);
  };

  comparison();
  if (document.documentElement.dataset.live === "on") watch();
})();
