/// Why a trial has no reward, or what else went wrong. The raw values are written to records and must not change.
public enum TrialErrorType: String, Sendable, Hashable, Codable, CaseIterable {
    case environmentBuildFailed = "environment_build_failed"
    case environmentBuildTimeout = "environment_build_timeout"
    case environmentImagePullFailed = "environment_image_pull_failed"
    case environmentStartFailed = "environment_start_failed"
    case environmentResourceAllocationFailed = "environment_resource_allocation_failed"
    case agentInstallFailed = "agent_install_failed"
    case agentInstallTimeout = "agent_install_timeout"
    case agentExecutionFailed = "agent_execution_failed"
    case agentExecutionTimeout = "agent_execution_timeout"
    case verifierFailed = "verifier_failed"
    case verifierTimeout = "verifier_timeout"
    case verifierRewardMissing = "verifier_reward_missing"
    case verifierRewardInvalid = "verifier_reward_invalid"
    case taskInvalid = "task_invalid"
    case taskNotFound = "task_not_found"
    case internalError = "internal_error"
    case sourceSyncFailed = "source_sync_failed"
    case fixtureMismatch = "fixture_mismatch"
    case artifactTruncated = "artifact_truncated"
    case cancelled = "cancelled"
    case environmentNodeLost = "environment_node_lost"
    case environmentEvicted = "environment_evicted"
    /// The egress proxy of a trial with a restricted network was away while a phase needed it.
    case environmentNetworkFailed = "environment_network_failed"
    case environmentServiceFailed = "environment_service_failed"

    /// What an error means for the score and for a retry.
    public enum Consequence: Sendable, Hashable {
        /// A failure of the agent or the verifier: it lowers the pass rate and is not retried.
        case outcome
        /// The infrastructure failed: the trial does not count, and a retry may succeed.
        case infrastructure
        /// The input is wrong: the trial does not count, and a retry would fail the same way.
        case input
        /// The trial was stopped: it does not count, and is skipped.
        case cancelled
        /// A note beside a verdict that remains valid.
        case advisory
    }

    public var consequence: Consequence {
        switch self {
        case .agentInstallFailed, .agentInstallTimeout, .agentExecutionFailed, .agentExecutionTimeout,
            .verifierFailed, .verifierTimeout, .verifierRewardMissing, .verifierRewardInvalid:
            .outcome
        case .environmentBuildFailed, .environmentBuildTimeout, .environmentImagePullFailed, .environmentStartFailed,
            .environmentResourceAllocationFailed, .internalError, .sourceSyncFailed, .environmentNodeLost,
            .environmentEvicted, .environmentNetworkFailed, .environmentServiceFailed:
            .infrastructure
        case .taskInvalid, .taskNotFound, .fixtureMismatch:
            .input
        case .cancelled:
            .cancelled
        case .artifactTruncated:
            .advisory
        }
    }

    /// Whether the failure is not the agent's, so that the trial is left out of the pass rate.
    public var isInfrastructure: Bool {
        switch consequence {
        case .infrastructure, .input: true
        case .outcome, .cancelled, .advisory: false
        }
    }

    /// Whether a retry may succeed.
    public var isRetryable: Bool { consequence == .infrastructure }

    /// Whether the reward remains valid in spite of the error.
    public var isAdvisory: Bool { consequence == .advisory }

    /// The phase whose script failed; nil when the error is not of one of the scripts.
    public var phase: TrialPhase? {
        switch self {
        case .agentInstallFailed, .agentInstallTimeout: .install
        case .agentExecutionFailed, .agentExecutionTimeout: .execute
        case .verifierFailed, .verifierTimeout, .verifierRewardMissing, .verifierRewardInvalid: .verify
        default: nil
        }
    }

    /// Whether the agent failed or timed out, in either of its phases.
    public var isAgentError: Bool { phase == .install || phase == .execute }

    /// Whether a trial may have a reward beside the error: an advisory one, or that of an agent whose work was verified all the same, as for
    /// a Harbor task. An agent that could not be installed has done no work.
    public var allowsReward: Bool { isAdvisory || phase == .execute }
}

/// The error of a trial.
public struct TrialError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    public var type: TrialErrorType
    /// What, where and what to do; for people.
    public var message: String

    public init(_ type: TrialErrorType, _ message: String) {
        self.type = type
        self.message = message
    }

    public var isInfrastructure: Bool { type.isInfrastructure }
    public var isRetryable: Bool { type.isRetryable }

    public var description: String { "\(type.rawValue): \(message)" }

    /// The error of a trial whose agent failed first, and whose verification then gave no reward either: the type stays the agent's.
    public func followed(by verification: TrialError?) -> TrialError {
        guard let verification else { return self }
        return TrialError(type, "\(message); its work was verified all the same, without a reward (\(verification))")
    }
}
