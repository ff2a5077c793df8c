import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Testing

@testable import Dashboard

/// Sites in a real browser: headless Chromium, controlled over the DevTools protocol.
@Suite(.serialized) struct BrowserTests {
    /// No console message, no request to another host, no dialog.
    private func expectQuiet(_ answer: JSONValue, base: String) {
        #expect(answer.texts("console").isEmpty)
        #expect(answer.texts("violations").isEmpty)
        #expect(answer.texts("failed").isEmpty)
        #expect(!answer.texts("requests").isEmpty)
        for request in answer.texts("requests") { #expect(request.hasPrefix(base)) }
    }

    @Test("catalogue 55: from a disk, every link leads to a page; no script of a trial runs, nothing is fetched, no console message")
    func crawl() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        // Long enough for a raw file, which is visited, too.
        try await bench.write(
            [
                SiteBench.pending(
                    .init(
                        task: "long", at: 9,
                        files: ["logs/agent/stdout.txt": Array(String(repeating: SiteBench.hostile + "\n", count: 400).utf8) + [0xFF]]))
            ], directory: "ledger-2")
        try await bench.generate()
        let base = "file://\(bench.site)/"
        let answer = try await bench.browse([
            "start": .string(base + "index.html"), "crawl": true,
            "evaluate": "document.querySelectorAll('script, img, iframe, object, embed, form, style, [style]').length",
        ])
        expectQuiet(answer, base: base)
        let pages = answer.list("pages")
        let opened = Set(pages.compactMap { $0["url"]?.string.map { String($0.dropFirst(base.count)) } })
        // Every page and every raw file is reached by links.
        #expect(opened.filter { !$0.contains("?") } == bench.files().filter { !$0.hasPrefix("assets/") && !$0.hasPrefix("data/") })
        for page in pages {
            let name = page["url"]?.string ?? ""
            #expect(page.texts("external").isEmpty && page.texts("missingAnchors").isEmpty, "\(name)")
            guard !name.contains("/raw/") else {
                #expect(page["type"]?.string == "text/plain")
                continue
            }
            #expect(page["headings"]?.int == 1 && page["title"]?.string?.contains("owned") == false, "\(name)")
            // Our own script, and on the comparison page the scripts with the jobs' figures.
            #expect(page["value"]?.int == 1 || name.contains("compare.html"), "\(name)")
        }
    }

    @Test("no page scrolls sideways on a phone, in both colour schemes", arguments: ["light", "dark"])
    func phone(_ scheme: String) async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        let long = String(repeating: "unbroken", count: 60)
        try await bench.write(
            [SiteBench.pending(.init(agent: long, model: long, task: long, reward: nil, error: TrialError(.verifierFailed, long), at: 9))],
            directory: "ledger-2")
        try await bench.generate(title: "a title of some length for a narrow screen")
        let base = "file://\(bench.site)/"
        let ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
        let answer = try await bench.browse([
            "start": .string(base + "index.html"), "crawl": true, "width": 360, "height": 740, "mobile": true, "scheme": .string(scheme),
            "evaluate": .string(ground),
        ])
        expectQuiet(answer, base: base)
        #expect(answer.list("pages").count > 20)
        for page in answer.list("pages") where page["type"]?.string == "text/html" {
            #expect(page["overflow"]?.int == 0, "\(page["url"]?.string ?? "")")
            let brightness = try #require(page["value"]?.int)
            #expect(scheme == "dark" ? brightness < 120 : brightness > 640)
        }
    }

    @Test("text has the contrast that WCAG AA requires, in both colour schemes", arguments: ["light", "dark"])
    func contrast(_ scheme: String) async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        let script = """
            (() => {
              const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
              const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
              const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
              const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
              const poor = new Set();
              for (const e of document.querySelectorAll('main *, header *, footer *')) {
                if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
                if (e.closest('svg, .unseen, option')) continue;
                const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
                const ratio = (a + 0.05) / (b + 0.05);
                if (ratio < 4.5) poor.add(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
              }
              return [...poor].join('; ');
            })()
            """
        let base = "file://\(bench.site)/"
        let answer = try await bench.browse([
            "start": .string(base + "index.html"), "crawl": true, "scheme": .string(scheme), "evaluate": .string(script),
        ])
        for page in answer.list("pages") where page["type"]?.string == "text/html" {
            #expect(page["value"]?.string == "", "\(page["url"]?.string ?? "")")
        }
    }

    @Test("by keyboard: first the skip link, then the navigation, then the page, each with a visible focus")
    func keyboard() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        let focus =
            "(() => { const e = document.activeElement, s = getComputedStyle(e); return [e.tagName, e.textContent.trim().slice(0, 40), s.outlineStyle, parseFloat(s.outlineWidth) >= 2, e.getBoundingClientRect().top >= 0].join('|'); })()"
        var steps: [JSONValue] = [["open": .string("file://\(bench.site)/index.html")]]
        for _ in 0..<9 { steps += [["press": "Tab"], ["wait": "new Promise((r) => setTimeout(() => r(true), 150))"], ["evaluate": .string(focus)]] }
        // The skip link leads to the content after the navigation.
        steps += [
            ["open": .string("file://\(bench.site)/runs.html")], ["press": "Tab"], ["press": "Enter"],
            ["evaluate": "document.activeElement.id + location.hash"],
        ]
        steps += [["press": "Tab"], ["evaluate": "document.activeElement.getAttribute('aria-label')"]]
        let values = try await bench.browse(["steps": .array(steps)]).texts("values")
        let order = values.prefix(9).map { String($0.split(separator: "|")[1]) }
        #expect(order.prefix(7) == ["Skip to content", "evals", "Overview", "Jobs", "Runs", "Matrix", "Compare"])
        for value in values.prefix(9) { #expect(value.contains("|solid|true|true") || value.contains("|auto|true|true"), "\(value)") }
        #expect(values[9] == "content#content")
        // A table that scrolls can be focused and has a name.
        #expect(values[10] == "Runs, newest first")
    }

    @Test("the comparison of two jobs in the page equals ours: by task, for all agents and for one")
    func compare() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        let runs = SiteBench.everything().compactMap { run in
            (try? JSONValueEncoder().encode(SiteBench.record(run))).flatMap { RunFacts(id: SiteBench.record(run).runId, metadata: $0) }
        }
        let (one, two) = (RunID(jobUID: "uid-1"), RunID(jobUID: "uid-2"))
        let wanted = try #require(JobComparison(before: runs.filter { $0.job == one }, after: runs.filter { $0.job == two })).total
        let tiles = "[...document.querySelectorAll('#compared dd b')].map((b) => b.textContent).join('|')"
        let rows = "[...document.querySelectorAll('#compared tbody tr')].map((r) => [...r.cells].map((c) => c.textContent).join(' ')).join('|')"
        let answer = try await bench.browse([
            "steps": [
                ["open": .string("file://\(bench.site)/compare.html?a=\(one)&b=\(two)")], ["wait": "document.querySelector('#compared dd') !== null"],
                ["evaluate": .string(tiles)], ["evaluate": .string(rows)],
                [
                    "evaluate":
                        "(() => { const s = document.getElementById('after-agent'); s.value = [...s.options].find((o) => o.text === 'oracle').value; s.dispatchEvent(new Event('change')); })()"
                ],
                ["wait": "document.querySelectorAll('#compared tbody tr').length === 1"], ["evaluate": .string(rows)],
                // An invalid id, and the id of no job: the choice stays, and nothing is loaded.
                ["open": .string("file://\(bench.site)/compare.html?a=../../etc/passwd&b=<script>")],
                ["wait": "document.querySelector('#compared dd') !== null"],
            ]
        ])
        expectQuiet(answer, base: "file://\(bench.site)/")
        let values = answer.texts("values")
        #expect(values[0].hasPrefix("\(wanted.wins)|\(wanted.losses)|\(wanted.ties)|\(Figures.signed(wanted.meanDifference))|"))
        #expect(wanted.wins == 1 && wanted.losses == 1 && wanted.ties == 3)
        #expect(
            values[1].contains("claude basics/hello 0.500 1.000 \u{25B2} +0.500")
                && values[1].contains("claude basics/parse 0.500 0.250 \u{25BC} -0.250"))
        #expect(values[1].contains("basics/t\"><img src=x onerror=alert(6)>"))
        #expect(values[2] == "oracle basics/hello 1.000 1.000 0.000")
    }

    @Test("served: the page is reloaded after a new commit; other hosts and other paths are refused")
    func served() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate(isLive: true)
        let server = DashboardServer(directory: bench.site)
        let port = try server.start(ListenAddress(parsing: "127.0.0.1:0"))
        defer { server.stop() }
        let base = "http://127.0.0.1:\(port)/"
        let opened = try await bench.browse(["start": .string(base), "crawl": true])
        expectQuiet(opened, base: base)
        #expect(opened.list("pages").count > 20)

        async let watched = bench.browse([
            "steps": [
                ["open": .string(base + "runs.html")], ["wait": "document.body?.textContent.includes('15 runs') === true"],
                ["evaluate": "document.querySelectorAll('tbody tr').length"],
            ]
        ])
        try await bench.write([SiteBench.pending(.init(task: "new", at: 200_000))], directory: "ledger-2")
        try await bench.generate(isLive: true)
        let answer = try await watched
        expectQuiet(answer, base: base)
        #expect(answer.list("values").first?.int == 15)
    }
}
