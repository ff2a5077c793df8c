/// Why the tests could not be put where the trial runs them.
enum ReleaseFailure: Sendable, Hashable {
    /// The trial left something in the way: that is its own doing, as any other way to be without a verdict is. Were it not, an
    /// agent could have every trial that it loses run again.
    case obstructed(String)
    /// The machine could not: its disk, its memory.
    case failed(String)

    /// From what `cp` said. The tests are the collector's own and readable; what else keeps them from being copied is at the target.
    init(copying errors: String) {
        let machine = ["no space left", "disk quota", "input/output error", "cannot allocate memory", "stale file handle", "too many open files"]
        let text = errors.lowercased()
        self = machine.contains { text.contains($0) } ? .failed(errors) : .obstructed(errors)
    }
}
