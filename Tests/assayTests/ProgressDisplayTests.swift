import Base
import Testing

@testable import assay

@Suite struct ProgressDisplayTests {
    /// What was written, in order.
    final class Screen: Sendable {
        private let pieces = Locked<[String]>([])
        var text: String { pieces.withLock { $0.joined() } }
        @Sendable func write(_ text: String) { pieces.withLock { $0.append(text) } }
    }

    @Test func elsewhereThanOnATerminalEachChangeIsALine() {
        let screen = Screen()
        let display = ProgressDisplay(isTerminal: false, write: screen.write)
        display.show(.init())
        display.show(.init(total: 4, running: 2))
        display.show(.init(total: 4, running: 2))
        display.say("waiting: no room")
        display.show(.init(total: 4, done: 3, failed: 1))
        display.finish()
        #expect(screen.text == "0/4 trials done, 2 running\nwaiting: no room\n3/4 trials done, 0 running, 1 failed\n")
    }

    @Test func onATerminalOneLineIsDrawnAnew() {
        let screen = Screen()
        let display = ProgressDisplay(isTerminal: true, write: screen.write)
        display.say("before")
        display.show(.init(total: 3, done: 1, running: 1))
        display.say("between")
        display.finish()
        display.finish()
        let bar = "[##########....................] 1/3 trials done, 1 running"
        let erase = "\r\u{1B}[2K"
        #expect(screen.text == "before\n" + erase + bar + erase + "between\n" + bar + "\n")
    }

    @Test func theBarIsFullAtTheEnd() {
        let screen = Screen()
        ProgressDisplay(isTerminal: true, write: screen.write).show(.init(total: 7, done: 7))
        #expect(screen.text.contains("[" + String(repeating: "#", count: 30) + "] 7/7"))
    }
}
