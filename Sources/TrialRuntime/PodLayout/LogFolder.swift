import EvalModel

/// The folders below `/logs`.
public enum LogFolder: String, Sendable, Hashable, CaseIterable {
    case agent
    case verifier
    case artifacts
    /// The output of `install`.
    case setup
    /// The output of `execute`.
    case command

    /// When a further step begins, the previous step's `setup`, `command` and `verifier` are moved to a folder with that step's name in here.
    static let earlierSteps = "steps"

    /// The output of the task's collect hooks: a folder for each, numbered from 1.
    static let collectHooks = "collect"

    /// The folder for the output of a phase's script; nil for a phase that runs no script.
    init?(of phase: TrialPhase) {
        switch phase {
        case .install: self = .setup
        case .execute: self = .command
        case .verify: self = .verifier
        case .setup, .collect, .teardown: return nil
        }
    }
}
