/// The scripts of an agent; the raw values are their keys in the ConfigMap that the agent's trials share.
public enum AgentScript: String, Sendable, Hashable, CaseIterable {
    case install
    case execute
}
