/// Why the tests could not be copied to the place where the trial runs them.
enum ReleaseFailure: Sendable, Hashable {
    /// The trial left something at the target. This counts as an outcome of the trial; otherwise an agent could get a new run for every trial
    /// that it is about to lose.
    case obstructed(String)
    /// The machine failed, for example because its disk or memory is full.
    case failed(String)

    /// Classifies the error output of `cp`. The tests belong to the collector and are readable, so any other error comes from the target.
    init(copying errors: String) {
        let machine = ["no space left", "disk quota", "input/output error", "cannot allocate memory", "stale file handle", "too many open files"]
        let text = errors.lowercased()
        self = machine.contains { text.contains($0) } ? .failed(errors) : .obstructed(errors)
    }
}
