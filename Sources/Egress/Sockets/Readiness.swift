import CShims

/// What a descriptor is watched for, and what it is found to be.
struct Readiness: OptionSet {
    let rawValue: UInt32

    static let readable = Readiness(rawValue: UInt32(ASSAY_EPOLL_IN))
    static let writable = Readiness(rawValue: UInt32(ASSAY_EPOLL_OUT))
    /// The peer sends no more.
    static let peerEnded = Readiness(rawValue: UInt32(ASSAY_EPOLL_RDHUP))
    /// Reported without being asked for.
    static let failed = Readiness(rawValue: UInt32(ASSAY_EPOLL_ERR))
    /// Both directions are closed. Reported without being asked for.
    static let closed = Readiness(rawValue: UInt32(ASSAY_EPOLL_HUP))
}
