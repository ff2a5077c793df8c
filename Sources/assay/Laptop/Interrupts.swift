import Base
import Dispatch
import Glibc

/// SIGINT and SIGTERM as events: the first asks to stop, the second insists.
///
/// The kernel's default is switched off for the whole process, so this is for commands that stop by themselves.
final class Interrupts: Sendable {
    private let sources: Locked<[any DispatchSourceSignal]>

    init(_ handler: @escaping @Sendable (_ count: Int) -> Void) {
        let count = Locked(0)
        let made = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)  // Dispatch sees the signal all the same; children get the default back from the spawn
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                handler(count.withLock { count in
                    count += 1
                    return count
                })
            }
            source.activate()
            return source
        }
        sources = Locked(made)
    }
}
