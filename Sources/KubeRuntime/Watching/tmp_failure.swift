import KubeCore
extension WatcherFailure {
    init(_ error: any Error) {
        if let status = error as? KubeStatus { self.init(status) } else { self = .unreachable(String(describing: error)) }
    }
}
