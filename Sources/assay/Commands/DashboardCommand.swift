import Artifacts
import Base
import Dashboard
import EvalModel
import Git

/// `assay dashboard`: writes a site of the results as files, or serves it.
enum DashboardCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "dashboard", summary: "Make a web site of the results, or serve one that follows them.",
        details: """
            With --out the site is written as plain files, for any web server or for opening from the disk. Run again, it
            writes what changed. With --serve it is served from this machine and follows new commits; both may be given.
            """,
        options: ResultsPlaceOptions.options + [
            .init(name: "out", value: "DIR", help: "Where the site goes: a new or empty folder, or one that an earlier call made."),
            .init(
                name: "serve", value: "[ADDR:PORT]",
                help:
                    "Serve the site, at 127.0.0.1 and a free port unless told otherwise. Other addresses let everybody who reaches them read the results.",
                valueIsOptional: true),
            .init(name: "interval", value: "SECONDS", help: "With --serve: how often the results are looked at (default 10)."),
            .init(name: "title", value: "TEXT", help: "On every page (default: the name of the repository or folder)."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        guard arguments.value("out") != nil || arguments.has("serve") else {
            throw UsageError("say where the site goes with --out DIR, or look at it with --serve (see: assay dashboard --help)")
        }
        guard arguments.has("serve") || arguments.value("interval") == nil else { throw UsageError("--interval is for --serve") }
        let interval = try arguments.integer("interval", in: 1...86400) ?? 10
        let address = try arguments.has("serve") ? listenAddress(arguments.value("serve")) : nil
        let options = try ResultsPlaceOptions(arguments)
        let title = arguments.value("title") ?? options.place.shortName
        guard !title.isEmpty, title.count <= 200 else { throw UsageError("--title takes 1 to 200 characters") }
        let directory = arguments.value("out").map { Path.absolute($0) } ?? options.siteCache
        // Opened first, so that no folder is created when the place of the results is wrong.
        let reader = try await options.open()
        let generator = try SiteGenerator(directory: directory, title: title, isLive: address != nil)
        let first = try await generator.update(from: reader, origin: options.place.origin)
        printReport(first, arguments.value("out"))
        guard let address else { return ExitStatus.success }

        let server = DashboardServer(directory: directory)
        let port = try server.start(address)
        Output.write("serving http://\(address.host):\(port)/\n")
        let follower = Task {
            var failing = false
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(interval))
                do {
                    let report = try await generator.update(from: options.open(), origin: options.place.origin)
                    if failing { Assay.printError("the results can be read again") }
                    failing = false
                    if report.written > 0 || report.removed > 0 { printReport(report, nil) }
                } catch is CancellationError {
                    return
                } catch {
                    // Reported once, not on every refresh. The site stays unchanged until the results can be read again.
                    if !failing { Assay.printError("the site is not brought up to date: \(error)") }
                    failing = true
                }
            }
        }
        let (stops, stop) = AsyncStream<Void>.makeStream()
        let interrupts = Interrupts { _ in stop.finish() }
        for await _ in stops {}
        follower.cancel()
        server.stop()
        withExtendedLifetime(interrupts) {}
        return ExitStatus.success
    }

    private static func listenAddress(_ text: String?) throws(UsageError) -> ListenAddress {
        do throws(DashboardError) { return try ListenAddress(parsing: text ?? "127.0.0.1:0") } catch { throw UsageError(error.description) }
    }

    private static func printReport(_ report: SiteGenerator.Report, _ out: String?) {
        let removed = report.removed > 0 ? ", \(report.removed) removed" : ""
        Output.write(
            "\(Count.of(report.runs, "run")) of \(Count.of(report.jobs, "job")); \(Count.of(report.written, "file")) written\(removed)"
                + (out.map { " to \($0)" } ?? "") + "\n")
        guard let first = report.unreadable.first else { return }
        Assay.printError("\(report.unreadable.count) folders hold no record that is understood and were left out (the first: \(first))")
    }
}

extension ResultsPlaceOptions {
    /// The directory of the site when only `--serve` is given.
    fileprivate var siteCache: String { "\(query.cacheDirectory)/dashboard/\(SHA256.hex(of: "\(place)".utf8).prefix(16))" }
}

extension ResultsPlace {
    /// The name for a title. It contains no local folder and no host, because the page may be published.
    fileprivate var shortName: String {
        let text =
            switch self {
            case .directory(let directory): directory
            case .branch(let remote, _, _): remote
            }
        var name = text.split(whereSeparator: { $0 == "/" || $0 == ":" }).last.map(String.init) ?? "results"
        if name.hasSuffix(".git"), name.count > 4 { name.removeLast(4) }
        return name == "." || name == ".." ? "results" : name
    }

    fileprivate var origin: String {
        switch self {
        case .directory: "Results of \(shortName)"
        case .branch(_, let branch, let path): "Branch \(branch) of \(shortName)" + (path.isRoot ? "" : ", below \(path)")
        }
    }
}
