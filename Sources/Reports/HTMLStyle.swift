extension HTMLReport {
    /// The style sheet; colours carry nothing that words do not say.
    static let style = """
        :root {
          --text: #1d2329; --soft: #5a6570; --page: #f4f5f7; --card: #fff; --line: #d9dee3; --code: #eef1f4;
          --pass: #1a7f4b; --fail: #c1272d; --open: #9a6300; --baseline: #2563c9; --candidate: #d9641e; --control: #7a8591;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --text: #e4e8ec; --soft: #9aa5b0; --page: #14181c; --card: #1d2329; --line: #343d46; --code: #262e36;
            --pass: #4cc38a; --fail: #ff7b72; --open: #e3b341; --baseline: #79a9ff; --candidate: #ff9d5c; --control: #9aa5b0;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
        header, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          padding: 1.25rem 1.5rem; margin-bottom: 1.25rem; overflow-wrap: anywhere; }
        header { border-top: 6px solid var(--tone); }
        .pass { --tone: var(--pass); } .fail { --tone: var(--fail); }
        .inconclusive, .error { --tone: var(--open); } .skipped { --tone: var(--soft); }
        h1 { font-size: 1.45rem; line-height: 1.3; margin: .4rem 0 1rem; }
        h2 { font-size: 1.15rem; margin: 0 0 .4rem; } h3 { font-size: 1rem; margin: 0 0 .25rem; }
        p { margin: .25rem 0 .75rem; }
        .badge { display: inline-block; margin: 0; padding: .1rem .7rem; border-radius: 99px; background: var(--tone);
          color: var(--card); font-weight: 700; letter-spacing: .02em; }
        .result { color: var(--tone); font-weight: 600; font-size: .95rem; margin-left: .35rem; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0 0 1rem; }
        dt { color: var(--soft); } dd { margin: 0; }
        code, pre { font: .86rem/1.45 ui-monospace, "Liberation Mono", monospace; }
        pre { background: var(--code); border-radius: 6px; padding: .6rem .8rem; margin: .4rem 0; overflow-x: auto;
          white-space: pre-wrap; }
        .stages { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; margin: 0; }
        .stages li { border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 6px;
          padding: .2rem .7rem; }
        .stages a { color: inherit; text-decoration: none; } .stages a:hover { text-decoration: underline; }
        .stages span { color: var(--tone); font-weight: 600; }
        .findings { list-style: none; padding: 0; margin: .75rem 0; }
        .findings li { border-left: 4px solid var(--soft); padding: .1rem 0 .1rem .8rem; margin-bottom: .7rem; }
        .findings .critical, .findings .major { border-color: var(--fail); }
        .findings .minor { border-color: var(--open); }
        .findings .critical strong, .findings .major strong { color: var(--fail); }
        .advice, .aside { color: var(--soft); margin: .2rem 0; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; overflow-wrap: normal; margin: .5rem 0 .75rem; font-size: .93rem; }
        th, td { text-align: left; padding: .3rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top; }
        th { color: var(--soft); font-weight: 500; } .number { text-align: right; font-variant-numeric: tabular-nums; }
        .measure { border-top: 1px solid var(--line); padding-top: .9rem; margin-top: .9rem; }
        details { margin: .4rem 0; } summary { cursor: pointer; color: var(--soft); }
        details ul { margin: .3rem 0; padding-left: 1.2rem; color: var(--soft); font-size: .93rem; }
        svg { display: block; width: 100%; height: auto; margin: .3rem 0; }
        svg .grid { stroke: var(--line); } svg .margin { stroke: var(--fail); stroke-width: 1.5; stroke-dasharray: 5 4; }
        svg text { fill: var(--soft); font-size: 12px; } svg .arm { fill: var(--text); font-size: 13px; }
        svg circle { fill-opacity: .75; stroke: var(--card); stroke-width: 1; }
        svg circle.baseline { fill: var(--baseline); } svg circle.candidate { fill: var(--candidate); }
        svg circle.control { fill: var(--control); }
        svg .median { stroke-width: 2; } svg .median.baseline { stroke: var(--baseline); }
        svg .median.candidate { stroke: var(--candidate); } svg .median.control { stroke: var(--control); }
        @media print { body { background: #fff; } header, section { break-inside: avoid; } }

        """
}
