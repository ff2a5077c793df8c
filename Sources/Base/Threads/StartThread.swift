import Glibc

/// Runs work on a new thread, which is never joined.
/// - Parameters:
///   - name: as `ps -T` shows it; the kernel keeps 15 bytes.
///   - stackBytes: the size of the stack; parsing deeply nested JSON is recursive.
/// - Returns: false when the system cannot create a thread; the work then does not run.
@discardableResult
public func startThread(name: String, stackBytes: Int = 4 << 20, _ work: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    let start = Unmanaged.passRetained(ThreadStart(name: name, work: work))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, &attributes,
        { pointer in
            guard let pointer else { return nil }
            let start = Unmanaged<ThreadStart>.fromOpaque(pointer).takeRetainedValue()
            // pthread_setname_np(3) is a GNU extension that Swift's Glibc module omits. A failure is ignored: the name only helps
            // debugging.
            try? FileWriting.write(start.name.utf8, to: "/proc/thread-self/comm")
            start.work()
            return nil
        }, start.toOpaque())
    if code != 0 { start.release() }
    return code == 0
}

private final class ThreadStart: Sendable {
    let name: String
    let work: @Sendable () -> Void

    init(name: String, work: @escaping @Sendable () -> Void) {
        self.name = name
        self.work = work
    }
}
