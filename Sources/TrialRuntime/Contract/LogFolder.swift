import EvalModel

/// The folders below `/logs`.
public enum LogFolder: String, Sendable, Hashable, CaseIterable {
    case agent
    case verifier
    case artifacts
    /// What `install` printed.
    case setup
    /// What `execute` printed.
    case command

    /// Where a step's `setup`, `command` and `verifier` are kept, by the step's name, when a further step begins.
    static let earlierSteps = "steps"

    /// Where the output of a phase's script is kept; nil for a phase that runs no script.
    init?(of phase: TrialPhase) {
        switch phase {
        case .install: self = .setup
        case .execute: self = .command
        case .verify: self = .verifier
        case .setup, .collect, .teardown: return nil
        }
    }
}
