import Artifacts
import Base
import EvalModel
import Git
import Glibc

/// `assay results export`: exports runs as files or as lines.
enum ResultsExportCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results export", summary: "Write runs to a directory, or their records to one file.",
        details: """
            As files, runs keep their layout, and the other commands read the directory with --dir. As jsonl, each line is a whole metadata.json; \
            csv has its fields as columns. Exits 1 when something was left out, which is then named.
            """,
        options: ResultsPlaceOptions.options + RunFilterOptions.options + [
            .init(name: "kind", value: "KIND", help: "run (default; as files with its retries), retry, job, or all."),
            .init(name: "format", value: "FORMAT", help: "files (default), jsonl or csv."),
            .init(
                name: "out", value: "PATH",
                help:
                    "With files: a directory that is empty or not there yet. With jsonl and csv: a file that is not there yet, or - for standard output. Needed."
            ),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("format") ?? "files"
        guard format == "files" || ResultsExport.LineFormat(rawValue: format) != nil else {
            throw UsageError("--format takes files, jsonl or csv, not \"\(format.replacingControls)\"")
        }
        guard let out = arguments.value("out"), !out.isEmpty else { throw UsageError("--out is missing (see: assay results export --help)") }
        var filter = try RunFilterOptions.filter(arguments)
        filter.kinds = try RunFilterOptions.kinds(arguments.value("kind"))
        do {
            let export = ResultsExport(try await ResultsPlaceOptions(arguments).open())
            let report: ResultsExport.Report
            if let lines = ResultsExport.LineFormat(rawValue: format) {
                report = try await write(export, filter, lines, to: out)
                if out != "-" { Output.write("\(Count.of(report.records, "record")) to \(out.replacingControls)\n") }
            } else {
                report = try await export.files(filter, to: out)
                Output.write(
                    "\(Count.of(report.records, "record")), \(Count.of(report.files, "file")), \(Count.of(report.bytes, "byte")) to \(out.replacingControls)\n"
                )
            }
            for path in report.leftOut.prefix(20) { Assay.printError("left out: \(path.replacingControls)") }
            if report.leftOut.count > 20 { Assay.printError("left out: \(report.leftOut.count - 20) more") }
            return report.leftOut.isEmpty ? ExitStatus.success : ExitStatus.belowBar
        } catch let error as ArtifactError {
            throw UsageError(error.message.replacingControls)
        }
    }

    private static func write(_ export: ResultsExport, _ filter: RunFilter, _ format: ResultsExport.LineFormat, to out: String) async throws
        -> ResultsExport.Report
    {
        guard out != "-" else {
            return try await export.lines(filter, as: format) { line in Output.write(line) }
        }
        let fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard fd >= 0 else {
            throw UsageError(
                "cannot create \(out.replacingControls): \(String(cString: strerror(errno)))"
                    + (errno == EEXIST ? "; name a file that is not there yet" : ""))
        }
        defer { close(fd) }
        do {
            return try await export.lines(filter, as: format) { (line) throws(ArtifactError) in
                do throws(FileError) { try FileWriting.write(line, to: fd, path: out) } catch {
                    throw ArtifactError(.storage, "cannot export: \(error)")
                }
            }
        } catch {
            // Removed, because an incomplete export could be mistaken for a complete one.
            unlink(out)
            throw error
        }
    }
}
