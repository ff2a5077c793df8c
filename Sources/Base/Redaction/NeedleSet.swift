/// Searches for many byte strings at once (Aho and Corasick, 1975).
///
/// The time is linear in the text, whatever its content, and the memory is linear in the strings: no output of a trial can make
/// the search slow. The tables are raw memory, because this loop runs over every byte that leaves a trial.
final class NeedleSet: @unchecked Sendable {
    // The tables are written only by `init` and read-only afterwards, so threads may share them.

    private struct Node {
        var firstChild: Int32 = 0
        var sibling: Int32 = 0
        /// The node of the longest proper suffix that is a prefix of a needle.
        var fail: Int32 = 0
        /// The node of the longest needle that ends here: this node or one reached through `fail`; 0 when there is none.
        var report: Int32 = 0
        var depth: Int32 = 0
        var owner: Int32 = -1
        var byte: UInt8 = 0
    }

    /// 0 is the initial state: no part of a needle has been seen.
    typealias State = Int32

    private let nodes: UnsafeMutablePointer<Node>
    private let root: UnsafeMutablePointer<State>
    let maximumLength: Int
    let isEmpty: Bool

    /// - Parameter needles: the strings, each with its owner; of equal strings the first owner is used.
    init(_ needles: [(bytes: [UInt8], owner: Int)]) {
        let capacity = needles.reduce(1) { $0 + $1.bytes.count }
        nodes = .allocate(capacity: capacity)
        nodes.initialize(to: Node())
        root = .allocate(capacity: 256)
        root.initialize(repeating: 0, count: 256)
        maximumLength = needles.map(\.bytes.count).max() ?? 0
        isEmpty = maximumLength == 0

        var count = 1
        for needle in needles where !needle.bytes.isEmpty {
            var at = 0
            for byte in needle.bytes {
                var child = Int(nodes[at].firstChild)
                while child != 0, nodes[child].byte != byte { child = Int(nodes[child].sibling) }
                if child == 0 {
                    child = count
                    count += 1
                    (nodes + child).initialize(to: Node(sibling: nodes[at].firstChild, depth: nodes[at].depth + 1, byte: byte))
                    nodes[at].firstChild = Int32(child)
                    if at == 0 { root[Int(byte)] = Int32(child) }
                }
                at = child
            }
            if nodes[at].owner < 0 { nodes[at].owner = Int32(needle.owner) }
        }
        link(count)
    }

    deinit {
        nodes.deallocate()
        root.deallocate()
    }

    /// Links the nodes level by level, because a node needs the links of shorter prefixes.
    private func link(_ count: Int) {
        var queue: [Int] = [0]
        queue.reserveCapacity(count)
        var next = 0
        while next < queue.count {
            let parent = queue[next]
            next += 1
            var child = Int(nodes[parent].firstChild)
            while child != 0 {
                let fail = parent == 0 ? 0 : step(nodes[parent].fail, nodes[child].byte)
                nodes[child].fail = fail
                nodes[child].report = nodes[child].owner >= 0 ? Int32(child) : nodes[Int(fail)].report
                queue.append(child)
                child = Int(nodes[child].sibling)
            }
        }
    }

    func step(_ state: State, _ byte: UInt8) -> State {
        var at = state
        while at != 0 {
            var child = nodes[Int(at)].firstChild
            while child != 0 {
                if nodes[Int(child)].byte == byte { return child }
                child = nodes[Int(child)].sibling
            }
            at = nodes[Int(at)].fail
        }
        return root[Int(byte)]
    }

    /// The number of bytes of a needle that have been seen.
    func depth(_ state: State) -> Int { Int(nodes[Int(state)].depth) }

    func fail(_ state: State) -> State { nodes[Int(state)].fail }

    /// The longest needle that ends in this state.
    func match(_ state: State) -> (length: Int, owner: Int)? {
        let report = nodes[Int(state)].report
        guard report != 0 else { return nil }
        return (Int(nodes[Int(report)].depth), Int(nodes[Int(report)].owner))
    }
}
