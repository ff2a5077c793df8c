import Base
import EvalModel
import Planning
import SourceSync
import TrialRuntime

/// A job's plan for a terminal.
struct PlanText {
    let text: String

    init(_ plan: JobPlan) {
        var table = TextTable([
            ("AGENT", .left), ("DATASET", .left), ("TASK", .left), ("ATTEMPTS", .right), ("IMAGE", .left), ("FROM", .left), ("USER", .left),
            ("NETWORK", .left), ("INSTALL", .right), ("EXECUTE", .right), ("VERIFY", .right), ("CPUS", .right), ("MEMORY", .right),
            ("STORAGE", .right), ("FAMILY", .left), ("VERIFIER", .left), ("RUNS", .left),
        ])
        for line in plan.lines {
            let limits = line.program?.steps.first?.limits
            let resources = line.program?[.trial]?.resources
            table.add([
                line.agent, line.dataset, line.task, "\(line.attempts)", line.imageName, line.imageOrigin, line.user,
                line.network ?? "-", Self.limit(limits?.installSec), limits.map { Self.limit($0.executeSec) } ?? "-",
                Self.limit(limits?.verifySec), resources.map { Self.number($0.cpus) } ?? "-", resources.map { "\($0.memoryLimitMB)Mi" } ?? "-",
                resources.map { "\($0.storageMB)Mi" } ?? "-", line.program?.identity.family.rawValue ?? "-", Self.verifier(line),
                line.refusal == nil ? "yes" : "no",
            ])
        }
        var text = "job \(plan.job.replacingControls), \(plan.repo.replacingControls) at \(plan.commit.prefix(12))\n\n" + table.render() + "\n"
        for line in plan.overlayLines { text += Self.overlay(line).replacingControls + "\n" }
        for entry in plan.variables.asked {
            let state = entry.isGiven ? "given" : entry.isRequired ? "missing" : "default"
            text += "variable ${\(entry.name.replacingControls)}: \(state); asked for by \(entry.names.replacingControls)\n"
        }
        if let problem = plan.variables.problem { text += "refused: \(problem.replacingControls)\n" }
        for warning in plan.warnings { text += "warning: \(warning.line.replacingControls)\n" }
        // One line for a task, whatever the number of agents that it is refused for.
        var told: Set<String> = []
        for line in plan.lines {
            guard let refusal = line.refusal, told.insert("\(line.dataset)/\(line.task): \(refusal.message)").inserted else { continue }
            text += "refused: \(refusal.type.rawValue): \(refusal.message.replacingControls)\n"
        }
        text += "\(plan.trials) \(plan.trials == 1 ? "trial" : "trials")" + (plan.refused > 0 ? ", \(plan.refused) would be refused\n" : "\n")
        self.text = text
    }

    /// What an overlay adds, in one line.
    private static func overlay(_ line: JobPlan.OverlayLine) -> String {
        let overlay = line.overlay
        var parts = OverlaySurface.allCases.compactMap { surface -> String? in
            guard let names = overlay.offers.names[surface], !names.isEmpty else { return nil }
            return "\(surface.rawValue): \(names.map(\.text).joined(separator: ", "))"
        }
        if parts.isEmpty { parts = ["offers nothing"] }
        if !line.shadows.isEmpty { parts.append("shadows \(line.shadows.map(\.description).joined(separator: ", "))") }
        if !line.similarities.isEmpty {
            parts.append("names that differ only in case or Unicode form: \(line.similarities.map(\.description).joined(separator: ", "))")
        }
        if !overlay.notes.isEmpty { parts.append("skipped: \(overlay.notes.joined(separator: ", "))") }
        return "overlay \(overlay.name), \(overlay.source.url.text) at \(overlay.source.commit.hex.prefix(12)): \(parts.joined(separator: "; "))"
    }

    /// Where the tests run: `shared`, or the images of separate verifiers.
    private static func verifier(_ line: JobPlan.Line) -> String {
        let images = line.verifierImages
        if images.isEmpty { return line.images == nil ? "-" : "shared" }
        return images.map(\.name).joined(separator: ",")
    }

    private static func limit(_ seconds: Double?) -> String { seconds.map { number($0) + "s" } ?? "none" }
    private static func number(_ value: Double) -> String { value == value.rounded() ? Figure.fixed(value, 0) : "\(value)" }
}
