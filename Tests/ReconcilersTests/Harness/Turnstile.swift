/// Lets only so many in at a time. Tests run in parallel, and each of their worlds is a whole cluster: all at once they would wait
/// for the processor and not for what they test.
actor Turnstile {
    static let worlds = Turnstile(4)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
