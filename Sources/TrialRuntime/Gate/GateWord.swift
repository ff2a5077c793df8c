import Base
import EvalModel

/// A message ("word") from the runner through the gate; each is one line.
///
/// In shared mode the agent has the runner's rights and could send any of these words. So a word is trusted only as far as the design trusts an
/// agent in shared mode, and every value has a limit.
enum GateWord: Sendable, Hashable {
    /// The first part of a line.
    enum Keyword: String, CaseIterable {
        case phase
        case done
        case setupFailed = "setup-failed"
        case taskInvalid = "task-invalid"
        case agentEnd = "agent-end"
        case stepEnd = "step-end"
        case step
        case end
        case hostLost = "host-lost"
        case hostEvicted = "host-evicted"
        case imageFailed = "image-failed"
        case runnerDied = "runner-died"
    }

    case phase(TrialPhase, at: Int64)
    case done(TrialPhase, at: Int64, exit: Int, timedOut: Bool)
    case setupFailed(String)
    /// The image lacks what the task names, such as a user.
    case taskInvalid(String)
    /// The agent is done, and its work is to be verified or not.
    case agentEnd(verify: Bool)
    /// The step is over, and the runner asks whether a further one may begin.
    case stepEnd
    /// A further step begins; for the first step no word is sent.
    case step(Int)
    case end(stopped: Bool)
    /// From `assay remote-trial` only: the trial's host cannot be reached any more.
    case hostLost(String)
    /// From `assay remote-trial` only: the trial was ended because its host has no room.
    case hostEvicted(String)
    /// From `assay remote-trial` only: the host cannot get the task's image.
    case imageFailed(String)
    /// From `assay remote-trial` only: the runner on the host ended before its last word, and why.
    case runnerDied(String)

    init?(line: String) {
        let parts = line.split(separator: " ", maxSplits: 4).map(String.init)
        switch parts.first.flatMap(Keyword.init(rawValue:)) {
        case .phase where parts.count == 3:
            guard let phase = Self.phase(parts[1]), let at = Self.milliseconds(parts[2]) else { return nil }
            self = .phase(phase, at: at)
        case .done where parts.count == 5:
            guard let phase = Self.phase(parts[1]), let at = Self.milliseconds(parts[2]), let exit = Int(parts[3]),
                (0...255).contains(exit)
            else { return nil }
            self = .done(phase, at: at, exit: exit, timedOut: parts[4] == "1")
        case .setupFailed:
            self = .setupFailed(Self.text(line, after: .setupFailed))
        case .taskInvalid:
            self = .taskInvalid(Self.text(line, after: .taskInvalid))
        case .stepEnd where parts.count == 1:
            self = .stepEnd
        case .agentEnd:
            guard let payload = Self.payload(line) else { return nil }
            self = .agentEnd(verify: payload["verify"]?.bool == true)
        case .step where parts.count == 2:
            guard let index = Int(parts[1]), (1...1000).contains(index) else { return nil }
            self = .step(index)
        case .end:
            guard let payload = Self.payload(line) else { return nil }
            self = .end(stopped: payload["stopped"]?.bool == true)
        case .hostLost: self = .hostLost(Self.text(line, after: .hostLost))
        case .hostEvicted: self = .hostEvicted(Self.text(line, after: .hostEvicted))
        case .imageFailed: self = .imageFailed(Self.text(line, after: .imageFailed))
        case .runnerDied: self = .runnerDied(Self.text(line, after: .runnerDied))
        case .phase, .done, .stepEnd, .step, nil:
            return nil
        }
    }

    /// The keyword of the word, as the runner sends it; for messages.
    var name: String {
        switch self {
        case .phase(let phase, _): "\(Keyword.phase.rawValue) \(phase.rawValue)"
        case .done(let phase, _, _, _): "\(Keyword.done.rawValue) \(phase.rawValue)"
        case .setupFailed: Keyword.setupFailed.rawValue
        case .taskInvalid: Keyword.taskInvalid.rawValue
        case .stepEnd: Keyword.stepEnd.rawValue
        case .agentEnd: Keyword.agentEnd.rawValue
        case .step(let index): "\(Keyword.step.rawValue) \(index)"
        case .end: Keyword.end.rawValue
        case .hostLost: Keyword.hostLost.rawValue
        case .hostEvicted: Keyword.hostEvicted.rawValue
        case .imageFailed: Keyword.imageFailed.rawValue
        case .runnerDied: Keyword.runnerDied.rawValue
        }
    }

    private static func phase(_ name: String) -> TrialPhase? {
        guard let phase = TrialPhase(rawValue: name), phase != .collect, phase != .teardown else { return nil }
        return phase
    }

    /// Parses a time within limits, so that arithmetic on times cannot overflow.
    private static func milliseconds(_ text: String) -> Int64? {
        guard let value = Int64(text), (0...(1 << 50)).contains(value) else { return nil }
        return value
    }

    /// The rest of a line that holds a message, at most 500 characters.
    private static func text(_ line: String, after keyword: Keyword) -> String {
        String(line.dropFirst(keyword.rawValue.count + 1).prefix(500)).replacingControls
    }

    private static func payload(_ line: String) -> JSONValue? {
        guard let space = line.firstIndex(of: " ") else { return nil }
        return try? JSONValue(parsing: String(line[line.index(after: space)...]))
    }
}

/// Divides the bytes from the gate into words. Lines that are not words, and lines longer than one atomic write to a pipe, are dropped.
struct GateReader: Sendable {
    private var line: [UInt8] = []
    private var overlong = false
    private static let maximumLine = 4096

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [GateWord] {
        var words: [GateWord] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                if line.count < Self.maximumLine { line.append(byte) } else { overlong = true }
                continue
            }
            if !overlong, let word = GateWord(line: String(decoding: line, as: UTF8.self)) { words.append(word) }
            line.removeAll(keepingCapacity: true)
            overlong = false
        }
        return words
    }
}
