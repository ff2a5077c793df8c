import Artifacts
import Base
import Git
import Glibc

/// `assay results prune --older-than D`: removes old runs after asking.
enum ResultsPruneCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results prune", summary: "Remove runs that ended before a time.",
        details: """
            A run goes with its retries; a job's record stays as long as a run of it does. In a directory their folders are removed. A branch gets a \
            new history of what stays, pushed in place of the old one if nobody wrote to it meanwhile; commits of others lose their history, their \
            files stay. Asks before it does so. Exits 0 when it is done or there is nothing to do, 1 when it was not done, 2 for bad input.
            """,
        options: ResultsPlaceOptions.options + [
            .init(name: "older-than", value: "AGE", help: "How old: 90d, 12h, or a date or time (2026-01-02, 2026-01-02T03:04:05Z). Needed."),
            .init(name: "dry-run", value: nil, help: "Only say what would be removed."),
            .init(name: "yes", value: nil, help: "Do not ask."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        guard let text = arguments.value("older-than") else { throw UsageError("--older-than is missing (see: assay results prune --help)") }
        let cutoff = try RunFilterOptions.moment(text, option: "older-than", now: SystemTime().now())
        let mayAsk = isatty(STDIN_FILENO) == 1
        guard arguments.flag("yes") || arguments.flag("dry-run") || mayAsk else {
            throw UsageError("there is no terminal to ask at: look with --dry-run first, then say --yes")
        }
        do {
            let options = try ResultsPlaceOptions(arguments)
            switch options.place {
            case .directory: return try await directory(options, cutoff, arguments)
            case .branch(let remote, let branch, let path):
                return try await Self.branch(
                    try await BranchPruner(options.query, remote: remote, branch: branch, path: path), branch, cutoff, arguments)
            }
        } catch let error as ArtifactError {
            let isInput = [.invalid, .notFound, .branchIsDefault].contains(error.kind)
            Assay.printError(error.message.replacingControls)
            return isInput ? ExitStatus.badInput : ExitStatus.belowBar
        }
    }

    private static func directory(_ options: ResultsPlaceOptions, _ cutoff: Timestamp, _ arguments: Arguments) async throws -> Int32 {
        guard let reader = try await options.open() as? DirectoryReader else { return ExitStatus.badInput }
        let pruner = DirectoryPruner(reader)
        let plan = try await pruner.plan(before: cutoff)
        show(plan, reader.place)
        guard !plan.isEmpty, !arguments.flag("dry-run") else { return ExitStatus.success }
        guard arguments.flag("yes") || asked() else { return declined() }
        try pruner.apply(plan)
        Output.write("Removed \(PrunePlan.count(plan.pruned)).\n")
        return ExitStatus.success
    }

    private static func branch(_ pruner: BranchPruner, _ branch: GitBranch, _ cutoff: Timestamp, _ arguments: Arguments) async throws -> Int32 {
        let proposal = try await pruner.proposal(before: cutoff)
        show(proposal.plan, "\(branch)")
        guard !proposal.plan.isEmpty else { return ExitStatus.success }
        Output.write("The branch is at \(proposal.tip.hex); it would be replaced by a new history of what stays.\n")
        if proposal.foreignCommits > 0 {
            Output.write("\(proposal.foreignCommits) commits of others would be gone from its history; their files stay.\n")
        }
        if SystemTime().now() - proposal.plan.cutoff < ConfirmedRetention().seconds {
            Output.write("An operator that works on the branch keeps what it pushed for a day: younger runs of its own it brings back.\n")
        }
        guard !arguments.flag("dry-run") else { return ExitStatus.success }
        guard arguments.flag("yes") || asked() else { return declined() }
        switch try await pruner.apply(proposal) {
        case .pruned(let tip, let plan): Output.write("Removed \(PrunePlan.count(plan.pruned)); the branch is at \(tip.hex).\n")
        case .nothingToPrune: Output.write("Somebody else has pruned it meanwhile.\n")
        }
        return ExitStatus.success
    }

    private static func show(_ plan: PrunePlan, _ place: String) {
        guard !plan.isEmpty else { return Output.write("Nothing in \(place.replacingControls) ended before \(plan.cutoff.rfc3339).\n") }
        Output.write(
            "\(PrunePlan.count(plan.pruned)) of \(place.replacingControls) ended before \(plan.cutoff.rfc3339); \(PrunePlan.count(plan.kept)) would stay.\n"
        )
        var table = TextTable([("JOB", .left), ("RUNS", .right), ("FIRST", .left), ("LAST", .left)])
        let byJob = Dictionary(grouping: plan.pruned.filter { $0.kind == .run }) { $0.job ?? "-" }
        for (job, runs) in byJob.sorted(by: { $0.key < $1.key }).prefix(30) {
            table.add([job, "\(runs.count)", runs.map(\.date).min()?.rfc3339 ?? "-", runs.map(\.date).max()?.rfc3339 ?? "-"])
        }
        if !byJob.isEmpty { Output.write(table.render()) }
        if byJob.count > 30 { Output.write("and runs of \(byJob.count - 30) more jobs\n") }
    }

    private static func asked() -> Bool {
        Output.write("Remove them? This cannot be undone. Type yes: ")
        return readLine(strippingNewline: true)?.lowercased() == "yes"
    }

    private static func declined() -> Int32 {
        Output.write("Nothing was removed.\n")
        return ExitStatus.belowBar
    }
}
