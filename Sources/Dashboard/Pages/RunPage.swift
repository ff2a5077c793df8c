import Base
import EvalModel

/// The page of one run: its record, transcript and logs. It depends only on the run.
struct RunPage {
    let run: RunDossier
    let path: SitePath
    /// The whole files that the page shows only in part.
    private(set) var raw: [(number: Int, path: SitePath, bytes: [UInt8])] = []
    private var content: [HTML] = []

    init(_ run: RunDossier) {
        self.run = run
        path = .run(run.facts.id)
        content = [heading, outcome, timings] + [record]
        content.append(tries)
        content.append(transcript())
        content += logs()
        content.append(files)
        content.append(metadata)
    }

    func bytes(_ frame: SiteFrame) -> [UInt8] {
        Page(path, title: "Run \(run.facts.id)", section: .runs) { content }.bytes(frame)
    }

    // MARK: Outcome

    private var heading: HTML {
        let facts = run.facts
        return tag("header", .classes("title")) {
            tag("p", .classes("crumbs")) {
                tag("a", .link(SiteLink(.job(facts.job), from: path)), text: facts.jobName)
                tag("span", .fixed("aria-hidden", "true"), text: " / ")
                tag("span", text: facts.agentKey.text)
            }
            tag("h1", text: facts.taskKey.text)
            tag("p", .classes("sub")) {
                Pieces.badge(facts)
                tag("span", text: "attempt \(facts.attempt)" + (facts.rerun > 0 ? ", rerun \(facts.rerun)" : ""))
                tag("span", .classes("id"), text: facts.id.rawValue)
                Pieces.time(facts.ended)
            }
        }
    }

    private var outcome: HTML {
        let facts = run.facts
        let scores = (run.metadata["scores"]?.object ?? [:]).filter { $0.key != "reward" }.sorted { $0.key < $1.key }.prefix(20)
        return .group([
            tag("dl", .classes("tiles")) {
                Pieces.tile("Reward", Figures.reward(facts.reward), facts.counts ? nil : "does not count")
                Pieces.tile(
                    "Time", Figures.duration(facts.seconds),
                    facts.retries > 0 ? "after \(Figures.plural(facts.retries, "lost try", "lost tries"))" : nil)
                if let cost = facts.cost { Pieces.tile("Cost", Figures.cost(cost)) }
                if let tokens { tokens }
                for (name, value) in scores { Pieces.tile(name, value.double.map { Figures.fixed($0, 3) } ?? Figures.none, "score") }
            },
            error,
        ])
    }

    private var tokens: HTML? {
        guard let tokens = run.metadata["tokens"] else { return nil }
        let prompt = tokens["prompt"]?.int, completion = tokens["completion"]?.int
        guard prompt != nil || completion != nil else { return nil }
        let cached = tokens["cached"]?.int.map { ", \(Figures.count($0)) of the first cached" } ?? ""
        return Pieces.tile(
            "Tokens", [prompt, completion].map { $0.map(Figures.count) ?? Figures.none }.joined(separator: " / "), "prompt / completion" + cached)
    }

    private var error: HTML {
        guard let error = run.metadata["error"], let type = error["type"]?.string else { return .empty }
        let kind = TrialErrorType(rawValue: type)
        let remark =
            switch kind?.consequence {
            case .outcome where run.facts.outcome == .completed:
                "The agent ended with this error; its work was verified nevertheless, and the reward counts."
            case .outcome: "An outcome of the agent or its verification: it counts as not passed."
            case .infrastructure: "Infrastructure, not the agent: it does not count."
            case .input: "The task or its input is at fault: it does not count."
            case .cancelled: "Stopped: it does not count."
            case .advisory: "The verdict is still valid."
            case nil: "An error that this version does not know."
            }
        let look: CSSClass = run.facts.outcome == .failed ? "bad" : run.facts.outcome == .infrastructure ? "infra" : "skip"
        return tag("section", .classes("notice", look), .label("Error")) {
            tag("p") {
                tag("b", .classes("code"), text: type)
                tag("span", text: " " + remark)
            }
            if let message = error["message"]?.string, !message.isEmpty { tag("pre", text: clip(message, RunLimits.part)) }
        }
    }

    /// A phase with its place in the bar; of a task with steps, each step has its own.
    private struct Span {
        let label: String
        let look: CSSClass
        let seconds: Double
    }

    private var spans: [Span] {
        let looks: [CSSClass] = ["p0", "p1", "p2", "p3", "p4", "p5"]
        func spans(_ timings: JSONValue?, _ prefix: String = "", only: Set<TrialPhase> = Set(TrialPhase.allCases)) -> [Span] {
            zip(TrialPhase.allCases, looks).compactMap { phase, look in
                guard only.contains(phase), let seconds = timings?.at(phase.rawValue, "seconds")?.double else { return nil }
                return Span(label: prefix + phase.rawValue, look: look, seconds: max(0, seconds))
            }
        }
        guard let steps = run.metadata["steps"]?.array, !steps.isEmpty else { return spans(run.metadata["timings"]) }
        return steps.prefix(100).flatMap { spans($0["timings"], ($0["name"]?.string ?? "") + ": ") }
            + spans(run.metadata["timings"], only: [.collect, .teardown])
    }

    private var timings: HTML {
        let spans = self.spans
        let total = spans.reduce(0) { $0 + $1.seconds }
        guard total > 0, total.isFinite else { return .empty }
        var left = 0.0
        let bars = spans.map { span -> HTML in
            let width = span.seconds / total * 1000
            defer { left += width }
            return tag("rect", .classes(span.look), .number("x", left), .number("y", 0), .number("width", max(width, 1)), .number("height", 10))
        }
        return tag("section", .classes("phases"), .label("Time by phase")) {
            tag("svg", .fixed("viewBox", "0 0 1000 10"), .fixed("preserveAspectRatio", "none"), .fixed("aria-hidden", "true")) { bars }
            tag("dl") {
                for span in spans {
                    tag("div") {
                        tag("dt") {
                            tag("span", .classes("swatch", span.look), .fixed("aria-hidden", "true"))
                            tag("span", text: span.label)
                        }
                        tag("dd", text: Figures.duration(span.seconds))
                    }
                }
            }
        }
    }

    // MARK: Record

    private var record: HTML {
        let m = run.metadata
        let config = m["config"] ?? .null
        var rows: [(String, String)] = []
        func add(_ name: String, _ value: String?) { if let value, !value.isEmpty { rows.append((name, clip(value, 2000))) } }
        func number(_ value: JSONValue?) -> String? { value?.double.map { $0 == $0.rounded() ? Figures.fixed($0, 0) : "\($0)" } }
        add("Agent", run.facts.agent)
        add("Model", run.facts.model)
        add("Dataset", run.facts.dataset)
        add("Task folder", m["evalFile"]?.string)
        add(
            "Source",
            [m["sourceRepo"]?.string, m["sourceCommit"]?.string].compactMap { $0 }.joined(separator: " @ ")
                + (m["sourceRef"]?.string.map { " (\($0))" } ?? ""))
        add(
            "Overlays",
            m["overlays"]?.array?.prefix(50).map { "\($0["name"]?.string ?? "?") @ \($0["revision"]?.string ?? "?")" }.joined(separator: ", "))
        add("Image", config["image"]?.string)
        add(
            "Resources",
            [
                (number(config["cpus"]), number(config["cpus"]) == "1" ? "CPU" : "CPUs"), (number(config["memoryMB"]), "MB memory"),
                (number(config["storageMB"]), "MB storage"),
            ]
            .compactMap { value, unit in value.map { "\($0) \(unit)" } }.joined(separator: ", "))
        add(
            "Timeouts",
            [("install", config["installTimeoutSec"]), ("agent", config["agentTimeoutSec"]), ("verifier", config["verifierTimeoutSec"])]
                .compactMap { name, value in number(value).map { "\(name) \($0) s" } }.joined(separator: ", "))
        add("Environment", config["environment"]?.array?.compactMap(\.string).joined(separator: ", "))
        add(
            "Exit codes",
            m["exitCodes"]?.object?.sorted { $0.key < $1.key }.compactMap { key, value in value.int.map { "\(key) \($0)" } }.joined(separator: ", "))
        add("Outputs", outputs)
        add("Started", m["startedAt"]?.string)
        add("Ended", m["timestamp"]?.string)
        return Pieces.section("Record", "record") {
            tag("dl", .classes("facts")) {
                for (name, value) in rows {
                    tag("div") {
                        tag("dt", text: name)
                        tag("dd", text: value)
                    }
                }
            }
        }
    }

    private var outputs: String {
        let o = run.metadata["outputs"] ?? .null
        let counts = [
            (o["truncatedFiles"]?.int ?? 0, "cut"), (o["skippedFiles"]?.int ?? 0, "not collected"), (o["unreadableFiles"]?.int ?? 0, "unreadable"),
            (o["redactions"]?.int ?? 0, "secret values redacted"),
        ]
        var parts = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let short = o["unredacted"]?.array?.compactMap(\.string) ?? []
        if !short.isEmpty { parts.append("too short to redact: \(short.joined(separator: ", "))") }
        return parts.joined(separator: "; ")
    }

    private var tries: HTML {
        let rows = run.tries.prefix(50).map { number, metadata -> [HTML] in
            [
                .text("\(number)"), .text(clip(metadata["timestamp"]?.string ?? Figures.none, 100)),
                Pieces.badge("infra", "\u{26A0}", clip(metadata.at("error", "type")?.string ?? "infrastructure", 100)),
                .text(clip(metadata.at("error", "message")?.string ?? "", 1000)),
            ]
        }
        guard !rows.isEmpty else { return .empty }
        return Pieces.section("Tries ended by infrastructure failures", "tries", note: "Each was followed by another try; none counts.") {
            DataTable(
                caption: "Tries ended by infrastructure failures", columns: [.number("Try"), .text("Ended"), .text("Error"), .text("Message")],
                rows: Array(rows)
            ).html
        }
    }

    // MARK: The session

    private mutating func transcript() -> HTML {
        let lines = run.file("transcript.jsonl")
        let atif = run.file("trajectory.json") ?? run.file("logs/agent/trajectory.json")
        var read = lines.flatMap { found -> (Transcript, Int)? in
            guard var bytes = found.file.bytes?[...] else { return nil }
            // An incomplete line at the end of the bytes is ignored.
            if !found.file.isWhole, let end = bytes.lastIndex(of: 10) { bytes = bytes[..<end] }
            return (Transcript(jsonLines: bytes, limit: RunLimits.steps), found.number)
        }
        if read?.0.hasSteps != true, let atif, let bytes = atif.file.bytes, let steps = Transcript(trajectory: bytes, limit: RunLimits.steps) {
            read = (steps, atif.number)
        }
        guard let (transcript, number) = read, !transcript.entries.isEmpty else {
            return Pieces.section("Transcript", "transcript") {
                tag("p", .classes("empty"), text: "This run has no transcript: its agent wrote none into /logs/agent/transcript.jsonl.")
            }
        }
        let view = TranscriptView(transcript)
        let isCut = view.isCut || transcript.omitted > 0 || !run.files[number].isWhole
        let note = isCut ? cutNote(number, "This page shows the beginning of the session.") : .empty
        return Pieces.section("Transcript", "transcript") {
            note
            view.html
        }
    }

    // MARK: Logs and files

    private mutating func logs() -> [HTML] {
        var left = RunLimits.logs
        var shown: [HTML] = []
        // The verifier's log comes first, because it explains the reward.
        let order = run.files.indices.filter { run.files[$0].path.hasPrefix("logs/") && !isSession(run.files[$0]) }.sorted { a, b in
            (Self.rank(run.files[a].path), run.files[a].path) < (Self.rank(run.files[b].path), run.files[b].path)
        }
        var without = 0
        for number in order {
            let file = run.files[number]
            guard let bytes = file.bytes, !bytes.isEmpty, !InertText.isBinary(bytes[...]), left > 0 else {
                if file.bytes?.isEmpty != true { without += 1 }
                continue
            }
            let limit = min(RunLimits.log, left)
            left -= min(bytes.count, limit)
            shown.append(log(number, file, bytes, limit, isOpen: file.path.hasPrefix("logs/verifier/") || shown.isEmpty))
        }
        guard !shown.isEmpty || without > 0 else { return [] }
        return [
            Pieces.section(
                "Logs", "logs", note: without > 0 ? "\(Figures.plural(without, "file")) not shown here: binary, or past what one page shows." : nil
            ) {
                shown.isEmpty ? tag("p", .classes("empty"), text: "No log to show.") : .group(shown)
            }
        ]
    }

    /// Whether a file below logs/ is the session, which is shown separately.
    private func isSession(_ file: RunDossier.File) -> Bool {
        file.path == "logs/agent/trajectory.json"
            || file.path == "logs/agent/transcript.jsonl" && file.bytes == run.file("transcript.jsonl")?.file.bytes
    }

    private static func rank(_ path: String) -> Int {
        for (rank, folder) in ["logs/verifier/", "logs/agent/", "logs/command/", "logs/setup/"].enumerated() where path.hasPrefix(folder) {
            return rank
        }
        return 9
    }

    private mutating func log(_ number: Int, _ file: RunDossier.File, _ bytes: [UInt8], _ limit: Int, isOpen: Bool) -> HTML {
        let whole = file.isWhole && bytes.count <= limit
        let note = whole ? HTML.empty : cutNote(number, "The middle is left out here.")
        var parts: [HTML] = []
        if whole {
            parts = [.text(String(decoding: bytes, as: UTF8.self))]
        } else {
            let head = InertText.prefix(bytes[...], limit / 2)
            let tail = InertText.suffix(bytes[...], limit / 2)
            parts = [
                .text(String(decoding: head, as: UTF8.self)),
                tag(
                    "span", .classes("gap"),
                    text: " \u{2026} \(Figures.bytes(max(0, (file.size ?? bytes.count) - head.count - tail.count))) left out \u{2026} "),
                .text(String(decoding: tail, as: UTF8.self)),
            ]
        }
        let name = clip(String(file.path.dropFirst("logs/".count)), 300)
        let size = file.size ?? bytes.count
        let body: [HTML] = [
            tag("summary") {
                tag("span", .classes("code"), text: name)
                tag("span", .classes("remark"), text: Figures.bytes(size))
            },
            note,
            .element("pre", [.fixed("tabindex", "0"), .label("Log \(name)")], parts),
        ]
        return .element("details", isOpen ? [.classes("log"), .flag("open")] : [.classes("log")], body)
    }

    /// Adds a note that something is cut and where the whole file is. Adds the file to the site if all of it was read.
    private mutating func cutNote(_ number: Int, _ what: String) -> HTML {
        let file = run.files[number]
        guard file.isWhole, let bytes = file.bytes else {
            let log = file.path == "transcript.jsonl" ? "--transcript" : "--log PATH"
            return tag(
                "p", .classes("cut"),
                text: "\(what) The file is too large to be copied; print it with: assay results show \(run.facts.id) \(log) --raw")
        }
        let target = SitePath.raw(run.facts.id, number)
        if !raw.contains(where: { $0.path == target }) { raw.append((number, target, bytes)) }
        return tag("p", .classes("cut")) {
            "\(what) "
            tag("a", .link(SiteLink(target, from: path)), text: "The whole file (\(Figures.bytes(bytes.count)), as it is)")
        }
    }

    private var files: HTML {
        let rows = run.files.prefix(RunLimits.listed).enumerated().map { number, file -> [HTML] in
            let target = SitePath.raw(run.facts.id, number)
            let name = clip(file.path, 500)
            let isCopied = raw.contains { $0.path == target }
            return [
                isCopied ? tag("a", .classes("code"), .link(SiteLink(target, from: path)), text: name) : tag("span", .classes("code"), text: name),
                .text(file.size.map { Figures.bytes($0) } ?? Figures.none),
            ]
        }
        let more = run.files.count - rows.count
        return tag("details", .classes("log")) {
            tag("summary") {
                tag("span", text: "Files")
                tag("span", .classes("remark"), text: "\(run.files.count)")
            }
            DataTable(caption: "Files of this run", columns: [.text("Path"), .number("Size")], rows: rows).html
            if more > 0 { tag("p", .classes("cut"), text: "\(Figures.count(more)) more are not listed.") }
        }
    }

    private var metadata: HTML {
        let text = run.metadata.excerpt(RunLimits.record + 1)
        return tag("details", .classes("log")) {
            tag("summary") {
                tag("span", .classes("code"), text: "metadata.json")
                tag(
                    "span", .classes("remark"),
                    text: (text.count > RunLimits.record ? "over " : "") + Figures.bytes(min(text.count, RunLimits.record)))
            }
            if text.count > RunLimits.record { tag("p", .classes("cut"), text: "Cut at \(Figures.bytes(RunLimits.record)).") }
            tag(
                "pre", .fixed("tabindex", "0"), .label("metadata.json"),
                text: String(decoding: InertText.prefix(text[...], RunLimits.record), as: UTF8.self))
        }
    }

    private func clip(_ text: String, _ limit: Int) -> String {
        text.utf8.count <= limit ? text : String(decoding: InertText.prefix(Array(text.utf8)[...], limit), as: UTF8.self) + "\u{2026}"
    }
}
