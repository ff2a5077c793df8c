import Base

@testable import KubeRuntime

/// The changes that a store reported: `+new`, `~new`, `-old`.
final class Recorded: Sendable {
    private let state = Locked<[String]>([])

    init(_ store: Store<String>) {
        store.subscribe { [state] change in
            state.withLock { lines in
                switch change {
                case .added(let entry): lines.append("+\(entry.object)")
                case .updated(_, let new): lines.append("~\(new.object)")
                case .deleted(let entry): lines.append("-\(entry.object)")
                }
            }
        }
    }

    var lines: [String] { state.withLock { $0 } }
}
