/// How many pods of a job are created at the same time: one at first, twice as many in each round that succeeds. An error that affects every
/// pod then occurs once, not a thousand times, as in the Job controller. An error that affects some pods (a quota too small for a large
/// task) does not prevent the others from starting. Pure.
struct SlowStart: Sendable, Hashable {
    /// More gain nothing: the client allows no more calls at the same time.
    static let widest = 64
    /// Until a pod could be created, this many are tried one after the other, to tell errors of single trials from errors that affect all.
    static let patience = 8

    /// Creations at the same time.
    private(set) var width = 1
    private var hasStarted = false
    private var failuresInARow = 0

    mutating func succeeded() {
        hasStarted = true
        failuresInARow = 0
        width = min(Self.widest, width + 1)
    }

    mutating func failed() { failuresInARow += 1 }

    /// Nothing more is to be tried in this pass.
    var isOver: Bool { failuresInARow >= (hasStarted ? width : Self.patience) }
}
