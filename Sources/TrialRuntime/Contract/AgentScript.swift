/// The scripts of an agent, by their keys in the ConfigMap that its trials share.
public enum AgentScript: String, Sendable, Hashable, CaseIterable {
    case install
    case execute
}
