import Base
import EvalModel

/// Reads `healthcheck` of a service.
struct ComposeHealth {
    let service: ComposeNode

    /// nil when there is none, or it is disabled.
    func check(_ notes: inout ComposeNotes) -> ServiceCheck? {
        guard let node = service["healthcheck"] else { return nil }
        if node["disable"]?.flag == true { return nil }
        guard let test = node["test"] else {
            notes.refuse(node.path, "needs a `test`: the health check of an image is not known in a pod")
            return nil
        }
        guard let command = command(test, &notes) else { return nil }
        var check = ServiceCheck(command: command)
        if let value = seconds(node["interval"], &notes), value > 0 { check.intervalSec = value }
        if let value = seconds(node["timeout"], &notes), value > 0 { check.timeoutSec = value }
        if let value = seconds(node["start_period"], &notes) { check.startPeriodSec = value }
        if let retries = node["retries"] {
            guard let number = retries.text.flatMap({ Int($0) }), number >= 0, number <= 100_000 else {
                notes.refuse(retries.path, "\"\(retries.value.text)\" must be a whole number")
                return nil
            }
            if number > 0 { check.retries = number }
        }
        return check
    }

    private func command(_ test: ComposeNode, _ notes: inout ComposeNotes) -> [String]? {
        if let text = test.text { return ["/bin/sh", "-c", text] }
        guard let words = test.texts, let kind = words.first else {
            notes.refuse(test.path, "must be a text or a list that begins with CMD, CMD-SHELL or NONE")
            return nil
        }
        switch kind {
        case "NONE": return nil
        case "CMD" where words.count > 1: return Array(words.dropFirst())
        case "CMD-SHELL" where words.count > 1: return ["/bin/sh", "-c", words.dropFirst().joined(separator: " ")]
        default:
            notes.refuse(test.path, "must begin with CMD, CMD-SHELL or NONE, and a command")
            return nil
        }
    }

    private func seconds(_ node: ComposeNode?, _ notes: inout ComposeNotes) -> Double? {
        guard let node else { return nil }
        if let value = node.text.flatMap(ComposeValues.seconds) { return value }
        notes.refuse(node.path, "\"\(node.value.text)\" is no duration, as 10s or 1m30s is")
        return nil
    }
}

extension Healthcheck {
    /// A service's check as the trial's runner does it. The words of its command are quoted for a shell.
    init(_ check: ServiceCheck) {
        let isShell = check.command.count == 3 && check.command[0] == "/bin/sh" && check.command[1] == "-c"
        let quoted = check.command.map { "'" + $0.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'" }
        self.init(
            command: isShell ? check.command[2] : quoted.joined(separator: " "), intervalSec: check.intervalSec, timeoutSec: check.timeoutSec,
            startPeriodSec: check.startPeriodSec, retries: check.retries)
    }
}
