import AssayAPI
import Base
import Dependencies
import KubeCore
import Planning
import SourceSync

/// `assay doctor`: whether this machine has what targets need.
enum DoctorCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "doctor", summary: "Show which programs targets need, and what is missing here.",
        details: """
            Lists every program that the EvalTargets of FILE need on this machine, with version and path, and how to install what is
            missing, and looks at the hosts of vm targets. Without FILE, or when FILE has no EvalTarget: what `assay run` needs.

            Exit status: 0 all is there; 1 something is missing or too old; 2 bad input.
            """,
        positionals: [.init(name: "FILE", help: "The file of a job with its EvalTargets; - reads standard input.", required: false)],
        options: [
            .init(name: "target", value: "NAME", help: "Only this EvalTarget of FILE."),
            .init(name: "json", value: nil, help: "Print JSON."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let (targets, objects) = try targets(arguments)
        let hasGitHubApp = objects.contains { type, object in
            type == .secrets && ["data", "stringData"].contains { object.at($0, GitHubApp.idKey) != nil }
        }
        var report = await DoctorReport(targets, hasGitHubApp: hasGitHubApp)
        // Without ssh here nothing is known of a host.
        if report.programs.allSatisfy({ $0.status.program != TargetPrograms.ssh || $0.status.problem == nil }) {
            report.hosts = await DoctorHosts.look(targets, in: objects)
        }
        if arguments.flag("json") {
            Output.write(report.json.serialized(pretty: true) + [0x0A])
        } else {
            Output.write(report.text)
        }
        return report.isReady ? ExitStatus.success : ExitStatus.belowBar
    }

    /// The targets to look at, and all objects of the file.
    private static func targets(
        _ arguments: Arguments
    ) throws -> (targets: [(name: String, spec: EvalTargetSpec)], objects: [(type: ResourceType, object: JSONValue)]) {
        var found: [(name: String, spec: EvalTargetSpec)] = []
        var objects: [(type: ResourceType, object: JSONValue)] = []
        if let file = arguments.positionals.first, case .resources(let documents) = try JobInput(file: file) {
            objects = documents.others
            for (type, object) in documents.others where type == .evalTargets {
                do {
                    let target = try EvalTarget(json: object)
                    found.append((target.metadata.name, target.spec))
                } catch {
                    throw UsageError("\(file): EvalTarget \(object.at("metadata", "name")?.string ?? ""): \(error)")
                }
            }
        }
        guard let name = arguments.value("target") else { return (found.isEmpty ? [("this machine", Laptop.target)] : found, objects) }
        guard let target = found.first(where: { $0.name == name }) else {
            throw UsageError(
                arguments.positionals.isEmpty
                    ? "--target needs the FILE that has the EvalTarget"
                    : "there is no EvalTarget \"\(name.replacingControls)\" in \(arguments.positionals[0])")
        }
        return ([target], objects)
    }
}

/// What `assay doctor` has found.
struct DoctorReport {
    var programs: [(status: ProgramStatus, targets: [String])] = []
    /// Fields of targets that this version does not support.
    var refusals: [(target: String, field: UnsupportedField)] = []
    /// The hosts of vm targets, with what is wrong.
    var hosts: [(target: String, problem: String?)] = []

    /// Looks at this machine.
    ///
    /// - Parameter hasGitHubApp: whether there is a Secret of a GitHub App.
    init(_ targets: [(name: String, spec: EvalTargetSpec)], hasGitHubApp: Bool, check: ProgramCheck = ProgramCheck()) async {
        var needs: [(program: RequiredProgram, targets: [String])] = []
        for (name, spec) in targets {
            // Which repositories a target gets is not known here, so that ssh is listed for all.
            for program in TargetPrograms.needed(by: spec, for: hasGitHubApp ? [.sshAddress, .gitHubApp] : [.sshAddress]) {
                if let index = needs.firstIndex(where: { $0.program == program }) {
                    needs[index].targets.append(name)
                } else {
                    needs.append((program, [name]))
                }
            }
            for field in UnsupportedFields.check(spec) { refusals.append((name, field)) }
        }
        programs = Array(zip(await check.look(for: needs.map(\.program)), needs.map(\.targets))).map { (status: $0, targets: $1) }
    }

    var isReady: Bool { refusals.isEmpty && hosts.allSatisfy { $0.problem == nil } && programs.allSatisfy { $0.status.problem == nil } }

    var json: JSONValue {
        [
            "ready": .bool(isReady),
            "programs": .array(
                programs.map { status, targets in
                    [
                        "name": .string(status.program.name), "found": .bool(status.path != nil), "path": status.path.map { .string($0) } ?? .null,
                        "version": status.version.map { .string($0) } ?? .null, "purpose": .string(status.program.purpose),
                        "targets": .array(targets.map { .string($0) }), "problem": status.problem.map { .string($0) } ?? .null,
                        "install": .string(status.program.installHint),
                    ]
                }),
            "hosts": .array(
                hosts.map { ["target": .string($0.target), "ready": .bool($0.problem == nil), "problem": $0.problem.map { .string($0) } ?? .null] }),
            "unsupported": .array(
                refusals.map { ["target": .string($0.target), "field": .string($0.field.path), "message": .string($0.field.why)] }),
        ]
    }

    var text: String {
        var table = TextTable([("PROGRAM", .left), ("VERSION", .left), ("PATH", .left), ("TARGETS", .left)])
        for (status, targets) in programs {
            table.add([status.program.name, status.version ?? "-", status.path ?? "missing", targets.joined(separator: ", ")])
        }
        let problems =
            programs.compactMap(\.status.problem)
            + hosts.map { "EvalTarget \($0.target): \($0.problem ?? "its host can run trials")" }
            + refusals.map { "EvalTarget \($0.target): \($0.field.message)" }
        return table.render() + problems.map { "\n\($0.replacingControls)\n" }.joined()
    }
}
