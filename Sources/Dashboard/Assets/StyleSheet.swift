/// assets/style.css: one calm sheet for a phone, a desk, and both colour schemes.
enum StyleSheet {
    static let text = #"""
        :root {
          color-scheme: light dark;
          --ground: #f6f7f8; --card: #ffffff; --ink: #1a2027; --soft: #56616d; --line: #dfe3e8; --faint: #eef1f4;
          --accent: #1d5fbf; --good: #14703f; --part: #8a5a00; --bad: #b3261e; --infra: #6a4bb0; --skip: #5d6772;
          --good-ground: #e3f4ea; --part-ground: #fbf0d9; --bad-ground: #fdeae8; --infra-ground: #efeafb; --skip-ground: #edf0f2;
          --bar-good: #3fa66e; --bar-part: #e0a93b; --bar-bad: #d9564c; --bar-infra: #9a82d6; --bar-skip: #b4bcc4;
          --heat-low: #f9d5d1; --heat-mid: #fbf0cf; --heat-high: #bfe6cd;
          --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Segoe UI Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #0e1216; --card: #151b21; --ink: #e4e9ee; --soft: #9ba7b4; --line: #2b343e; --faint: #1c242c;
            --accent: #7db0ff; --good: #5fce94; --part: #e8bd66; --bad: #ff8f86; --infra: #bda6ff; --skip: #a5b0bb;
            --good-ground: #12301f; --part-ground: #33270c; --bad-ground: #3a1613; --infra-ground: #241b3f; --skip-ground: #222a32;
            --bar-good: #3b9968; --bar-part: #b98826; --bar-bad: #c24f46; --bar-infra: #7f68bd; --bar-skip: #5c6771;
            --heat-low: #4a1f1c; --heat-mid: #3d3312; --heat-high: #14472b;
          }
        }
        *, *::before, *::after { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
        body {
          margin: 0; background: var(--ground); color: var(--ink); font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
          font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
        }
        a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 0.15em; }
        a:hover { text-decoration-thickness: 2px; }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
        main:focus { outline: none; }
        .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
        .to-content { position: absolute; left: 0.5rem; top: -4rem; padding: 0.5rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.4rem; z-index: 2; }
        .to-content:focus { top: 0.5rem; }

        .top { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1.5rem; padding: 0.6rem max(1rem, calc((100vw - 74rem) / 2)); background: var(--card); border-bottom: 1px solid var(--line); }
        .brand { display: inline-flex; align-items: center; gap: 0.55rem; color: var(--ink); font-weight: 650; text-decoration: none; }
        .mark { width: 1.05rem; height: 1.05rem; border-radius: 0.28rem; background: linear-gradient(135deg, var(--bar-good) 0 50%, var(--accent) 50%); flex: none; }
        nav ul { display: flex; flex-wrap: wrap; gap: 0.15rem; margin: 0; padding: 0; list-style: none; }
        .top nav a { display: block; padding: 0.35rem 0.7rem; border-radius: 0.4rem; color: var(--soft); text-decoration: none; }
        .top nav a:hover { color: var(--ink); background: var(--faint); }
        .top nav a[aria-current] { color: var(--ink); background: var(--faint); font-weight: 600; }
        main { max-width: 76rem; margin: 0 auto; padding: 1.25rem 1rem 2rem; }
        footer { max-width: 76rem; margin: 0 auto; padding: 1rem; color: var(--soft); font-size: 0.8125rem; border-top: 1px solid var(--line); }
        footer p { margin: 0 0 0.25rem; }

        h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; font-weight: 680; letter-spacing: -0.01em; }
        h2 { font-size: 1.0625rem; margin: 2rem 0 0.6rem; font-weight: 650; }
        .title { margin-bottom: 1rem; }
        .crumbs { margin: 0 0 0.15rem; color: var(--soft); font-size: 0.875rem; }
        .sub { display: flex; flex-wrap: wrap; align-items: center; gap: 0.3rem 0.9rem; margin: 0.4rem 0 0; color: var(--soft); }
        .note, .more, .remark, .empty { color: var(--soft); }
        .note { margin: -0.3rem 0 0.6rem; font-size: 0.875rem; }
        .more { margin: 0.5rem 0 0; }
        .remark { font-size: 0.8125rem; font-weight: 400; }
        .empty { padding: 1rem; background: var(--card); border: 1px dashed var(--line); border-radius: 0.5rem; margin: 0; }
        .id, .code { font-family: var(--mono); font-size: 0.86em; }
        .id { white-space: nowrap; }
        .quiet { color: var(--soft); }

        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: 0.6rem; margin: 0; }
        .tile { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.6rem 0.8rem; min-width: 0; }
        .tile dt { color: var(--soft); font-size: 0.8125rem; }
        .tile dd { margin: 0; }
        .tile b { display: block; font-size: 1.4rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
        .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.4rem 0.9rem; column-gap: 2rem; }
        .tiles + .facts { margin-top: 0.6rem; }
        .facts div { display: grid; grid-template-columns: 7rem 1fr; gap: 0.6rem; padding: 0.25rem 0; min-width: 0; }
        .facts dt { color: var(--soft); }
        .facts dd { margin: 0; min-width: 0; }

        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; max-width: 100%; }
        table { border-collapse: collapse; width: max-content; min-width: 100%; font-size: 0.875rem; }
        th, td { padding: 0.4rem 0.6rem; text-align: left; vertical-align: middle; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
        tbody tr:last-child > * { border-bottom: 0; }
        thead th { color: var(--soft); font-weight: 550; font-size: 0.8125rem; white-space: nowrap; background: var(--faint); }
        tbody tr:hover > td { background: var(--faint); }
        td { max-width: 24rem; overflow-wrap: anywhere; }
        td time, .name { white-space: nowrap; }
        .name { display: block; max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
        .name + .remark { display: block; white-space: nowrap; max-width: 18rem; overflow: hidden; text-overflow: ellipsis; line-height: 1.2; }
        .num { text-align: right; white-space: nowrap; }
        .share { display: inline-flex; align-items: center; gap: 0.5rem; white-space: nowrap; }
        .share svg { width: 5rem; height: 0.5rem; border-radius: 0.25rem; flex: none; }
        .share .track { fill: var(--line); }
        .share .fill { fill: var(--bar-good); }

        .badge { display: inline-flex; align-items: center; gap: 0.35em; padding: 0.08rem 0.5rem; border-radius: 1rem; font-size: 0.8125rem; font-weight: 550; border: 1px solid transparent; white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
        .badge.good { color: var(--good); background: var(--good-ground); }
        .badge.part { color: var(--part); background: var(--part-ground); }
        .badge.bad { color: var(--bad); background: var(--bad-ground); }
        .badge.infra { color: var(--infra); background: var(--infra-ground); border: 1px dashed var(--infra); }
        .badge.skip, .badge.plain { color: var(--skip); background: var(--skip-ground); }
        .badge.live { color: var(--accent); background: var(--faint); }
        span.bad, b.bad, a.bad { color: var(--bad); } span.infra, a.infra { color: var(--infra); } b.good, a.good, .sign.good { color: var(--good); } .sign.part, a.part { color: var(--part); } a.skip { color: var(--skip); }

        .scroll:has(> .matrix) { width: fit-content; }
        .matrix { min-width: 0; }
        .matrix thead th { text-align: center; vertical-align: bottom; }
        .matrix thead th:first-child { text-align: left; }
        .matrix .remark { display: block; font-size: 0.75rem; line-height: 1.3; }
        .matrix tbody th { font-weight: 500; position: sticky; left: 0; background: var(--card); max-width: 18rem; overflow-wrap: anywhere; }
        .matrix thead th:first-child { position: sticky; left: 0; z-index: 1; }
        .cell { text-align: center; min-width: 5.5rem; border-left: 1px solid var(--line); }
        tbody tr:hover > td.cell { background: var(--cell, none); }
        .cell { background: var(--cell, none); }
        .cell .value { color: var(--ink); font-weight: 600; text-decoration: none; display: block; }
        .cell .value:hover { text-decoration: underline; }
        .cell .mean { display: block; font-size: 0.75rem; color: var(--ink); }
        .cell.none { color: var(--soft); }
        .cell.lost, .swatch.lost { background: repeating-linear-gradient(45deg, var(--infra-ground) 0 6px, var(--card) 6px 12px) !important; }
        .cell.lost .value { color: var(--infra); }
        .attempts { display: flex; justify-content: center; gap: 0.1rem; font-size: 0.8125rem; }
        .attempts a { text-decoration: none; padding: 0.1rem 0.25rem; min-width: 1.4rem; border-radius: 0.25rem; background: var(--card); }
        .attempts a:hover { background: var(--faint); }
        .h0 { --cell: var(--heat-low); } .h5 { --cell: var(--heat-mid); } .h10 { --cell: var(--heat-high); }
        .h1 { --cell: color-mix(in srgb, var(--heat-mid) 20%, var(--heat-low)); } .h2 { --cell: color-mix(in srgb, var(--heat-mid) 40%, var(--heat-low)); }
        .h3 { --cell: color-mix(in srgb, var(--heat-mid) 60%, var(--heat-low)); } .h4 { --cell: color-mix(in srgb, var(--heat-mid) 80%, var(--heat-low)); }
        .h6 { --cell: color-mix(in srgb, var(--heat-high) 20%, var(--heat-mid)); } .h7 { --cell: color-mix(in srgb, var(--heat-high) 40%, var(--heat-mid)); }
        .h8 { --cell: color-mix(in srgb, var(--heat-high) 60%, var(--heat-mid)); } .h9 { --cell: color-mix(in srgb, var(--heat-high) 80%, var(--heat-mid)); }

        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0.75rem; }
        .chart { margin: 0; padding: 0.75rem 0.9rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; min-width: 0; }
        .chart figcaption { font-weight: 550; font-size: 0.875rem; margin-bottom: 0.6rem; }
        .plot { display: grid; grid-template: 9rem auto / auto 1fr; column-gap: 0.5rem; }
        .plot svg { width: 100%; height: 100%; overflow: visible; display: block; min-width: 0; }
        .scale-y { display: flex; flex-direction: column; justify-content: space-between; text-align: right; font-size: 0.75rem; color: var(--soft); line-height: 1; margin: -0.35rem 0; }
        .scale-x { grid-column: 2; display: flex; justify-content: space-between; font-size: 0.75rem; color: var(--soft); padding-top: 0.4rem; }
        .grid { stroke: var(--line); stroke-width: 1; }
        rect.good { fill: var(--bar-good); } rect.part { fill: var(--bar-part); } rect.bad { fill: var(--bar-bad); } rect.infra { fill: var(--bar-infra); } rect.skip { fill: var(--bar-skip); }
        .curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
        .dot { stroke: var(--accent); stroke-width: 6; stroke-linecap: round; }
        .legend { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; list-style: none; margin: 0.5rem 0 0; padding: 0; font-size: 0.8125rem; color: var(--soft); }
        .legend li { display: inline-flex; align-items: center; gap: 0.35rem; }
        .legend .sign { font-weight: 600; }
        .legend.heat { margin: 0 0 0.6rem; }
        .swatch { display: inline-block; width: 0.75rem; height: 0.75rem; min-width: 0; border-radius: 0.2rem; border: 0; flex: none; padding: 0; }
        .swatch.good { background: var(--bar-good); } .swatch.part { background: var(--bar-part); } .swatch.bad { background: var(--bar-bad); } .swatch.infra { background: var(--bar-infra); } .swatch.skip { background: var(--bar-skip); }

        .phases { margin: 0.6rem 0 0; padding: 0.7rem 0.8rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; }
        .phases svg { width: 100%; height: 0.6rem; display: block; border-radius: 0.3rem; }
        .phases dl { display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; margin: 0.5rem 0 0; font-size: 0.8125rem; }
        .phases dl div { display: flex; gap: 0.5rem; }
        .phases dt { display: inline-flex; align-items: center; gap: 0.35rem; color: var(--soft); }
        .phases dd { margin: 0; }
        rect.p0 { fill: #7d8a97; } rect.p1 { fill: #3f8fbf; } rect.p2 { fill: #2f6fd0; } rect.p3 { fill: #3fa66e; } rect.p4 { fill: #c99a3a; } rect.p5 { fill: #a0727f; }
        .swatch.p0 { background: #7d8a97; } .swatch.p1 { background: #3f8fbf; } .swatch.p2 { background: #2f6fd0; } .swatch.p3 { background: #3fa66e; } .swatch.p4 { background: #c99a3a; } .swatch.p5 { background: #a0727f; }

        .notice { margin: 0.6rem 0 0; padding: 0.7rem 0.9rem; border-radius: 0.5rem; border: 1px solid var(--line); border-left-width: 4px; background: var(--card); }
        .notice p { margin: 0; }
        .notice.bad { border-left-color: var(--bad); } .notice.infra { border-left-color: var(--infra); } .notice.skip { border-left-color: var(--skip); }
        .notice pre { margin-top: 0.5rem; }
        pre { margin: 0; padding: 0.6rem 0.8rem; font: 0.8125rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; background: var(--faint); border-radius: 0.4rem; max-height: 36rem; overflow-y: auto; tab-size: 4; }
        .gap { color: var(--part); font-weight: 600; }
        .cut { margin: 0.4rem 0; font-size: 0.8125rem; color: var(--part); }
        details { margin-top: 0.5rem; }
        summary { cursor: pointer; color: var(--soft); padding: 0.15rem 0; }
        .log { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.3rem 0.8rem; margin-top: 0.5rem; }
        .log summary .remark { margin-left: 0.75rem; }
        .log summary .code { color: var(--ink); }
        .log[open] { padding-bottom: 0.8rem; }
        .log[open] > summary { margin-bottom: 0.3rem; }
        h2 ~ .log:first-of-type { margin-top: 0; }

        .transcript { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.5rem; grid-template-columns: minmax(0, 1fr); }
        .step { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 0.5rem; padding: 0.5rem 0.8rem 0.6rem; min-width: 0; }
        .step.assistant { border-left-color: var(--accent); } .step.user { border-left-color: var(--bar-good); } .step.tool { border-left-color: var(--bar-part); } .step.system { border-left-color: var(--bar-skip); }
        .step.line { padding: 0; border-left-width: 1px; }
        .who { display: flex; justify-content: space-between; gap: 1rem; margin: 0 0 0.25rem; font-size: 0.8125rem; }
        .said { background: none; padding: 0; font: inherit; max-height: none; }
        .call, .result { margin-top: 0.35rem; }
        .call p, .result p { margin: 0 0 0.2rem; }
        .thought { margin: 0 0 0.3rem; }

        .pages { margin: 0.75rem 0; }
        .pages a, .pages li[aria-hidden] { display: block; min-width: 2rem; text-align: center; padding: 0.2rem 0.5rem; border-radius: 0.4rem; text-decoration: none; }
        .pages a { border: 1px solid var(--line); background: var(--card); }
        .pages a[aria-current] { background: var(--accent); border-color: var(--accent); color: var(--card); font-weight: 600; }
        .compare { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0.75rem; }
        fieldset { min-width: 0; margin: 0; padding: 0.6rem 0.9rem 0.9rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); }
        fieldset legend { font-weight: 600; padding: 0 0.3rem; }
        label { display: block; color: var(--soft); font-size: 0.8125rem; margin-top: 0.3rem; }
        select { width: 100%; font: inherit; padding: 0.35rem 0.5rem; color: var(--ink); background: var(--ground); border: 1px solid var(--line); border-radius: 0.4rem; }
        .verdict { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; align-items: baseline; margin: 0; padding: 0.7rem 0.9rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; }
        .up { color: var(--good); font-weight: 600; } .down { color: var(--bad); font-weight: 600; }
        #fresh button { font: inherit; margin-left: 0.6rem; }
        @media (max-width: 40rem) {
          h1 { font-size: 1.25rem; }
          .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
          .tile b { font-size: 1.2rem; }
          .facts div { grid-template-columns: 1fr; gap: 0; }
          th, td { padding: 0.35rem 0.55rem; }
          .matrix tbody th { max-width: 10rem; }
          td { max-width: 16rem; }
          .top nav a { padding: 0.35rem 0.5rem; }
        }
        @media (prefers-reduced-motion: no-preference) { .to-content { transition: top 0.1s; } }
        @media (forced-colors: active) { .badge, .cell, .step, .attempts a { border: 1px solid; } }
        @media print { .top nav, .pages, .to-content { display: none; } pre { max-height: none; } }

        """#

    /// assets/icon.svg.
    static let icon = #"""
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1d5fbf"/><path d="M0 24V8a8 8 0 0 1 8-8h16z" fill="#3fa66e"/><path d="M8 17l6 6 11-13" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/></svg>

        """#
}
