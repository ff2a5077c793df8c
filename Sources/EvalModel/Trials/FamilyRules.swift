extension TaskSchema {
    /// Whether tests run although the agent failed or timed out. An agent whose installation failed has done no work to verify.
    public var verifiesFailedAgents: Bool { self == .harbor }

    /// Whether test.sh and solve.sh are made executable and run as files, so that their `#!` lines count; else bash runs them.
    public var runsScriptsAsFiles: Bool { self == .harbor }
}
