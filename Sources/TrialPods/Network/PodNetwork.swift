import EvalModel

/// The two kinds of trial pods, as the label `assay.dev/network` names them.
public enum PodNetwork: String, Sendable, Hashable, CaseIterable {
    /// Reaches every public address.
    case `public`
    /// Reaches only the cache service and the egress proxy, because some phase of the trial is restricted.
    case proxied

    public init(_ network: TrialNetwork) { self = network.isOpen ? .public : .proxied }
}
