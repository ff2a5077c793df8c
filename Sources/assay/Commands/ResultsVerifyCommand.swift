import Artifacts
import Base
import EvalModel
import Git

/// `assay results verify`: checks the integrity of results.
enum ResultsVerifyCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results verify", summary: "Check results: ids, formats, history, duplicates, objects.",
        details: """
            Checks each record's id against its fields and its place, each document against its schema, records against the history that a \
            listing shows, the history itself, and git's objects (git fsck --strict). Exits 0 when all is well, 1 when something is not, 2 when \
            that cannot be told. Of a remote, every record is fetched.
            """,
        options: ResultsPlaceOptions.options + [
            .init(name: "no-fsck", value: nil, help: "Do not let git check its objects."),
            .init(name: "output", value: "FORMAT", help: "text (default) or json (a finding a line)."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "text"
        guard format == "text" || format == "json" else { throw UsageError("--output takes text or json, not \"\(format.replacingControls)\"") }
        var verifier = ResultsVerifier()
        verifier.checksObjects = !arguments.flag("no-fsck")
        do {
            let store = try await ResultsPlaceOptions(arguments).open(whole: true)
            let report = try await verifier.verify(store) { finding in
                if format == "json" {
                    Output.write(finding.json.serialized() + [10])
                } else {
                    Output.write(
                        "\(finding.isFault ? "" : "note: ")\(finding.kind.rawValue): \(finding.place): \(finding.message)".replacingControls + "\n")
                }
            }
            if format == "text" {
                Output.write(
                    "\(Count.of(report.runs, "run")), \(report.retries == 1 ? "1 retry" : "\(report.retries) retries") and \(Count.of(report.jobs, "job")) in \(store.place.replacingControls): "
                )
                Output.write(report.faults == 0 ? "all is well\n" : Count.of(report.faults, "fault") + "\n")
            }
            return report.faults == 0 ? ExitStatus.success : ExitStatus.belowBar
        } catch let error as ArtifactError {
            throw UsageError(error.message.replacingControls)
        }
    }
}
