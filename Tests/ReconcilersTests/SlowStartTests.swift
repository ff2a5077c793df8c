import Testing

@testable import Reconcilers

@Suite("How fast pods are created")
struct SlowStartTests {
    @Test("twice as many in each round that succeeds, up to a bound")
    func grows() {
        var pace = SlowStart()
        var widths: [Int] = []
        for _ in 0..<8 {
            widths.append(pace.width)
            for _ in 0..<pace.width { pace.succeeded() }
        }
        #expect(widths == [1, 2, 4, 8, 16, 32, 64, 64])
        #expect(!pace.isOver)
    }

    @Test("an error that affects all pods ends the creation after eight attempts; an error of single pods does not")
    func failsFromTheStart() {
        var pace = SlowStart()
        for number in 1...8 {
            #expect(pace.width == 1 && !pace.isOver)
            pace.failed()
            #expect(pace.isOver == (number == 8))
        }
        var mixed = SlowStart()
        for _ in 0..<7 { mixed.failed() }
        mixed.succeeded()
        #expect(!mixed.isOver)
    }

    @Test("later, the creation ends after as many failures in a row as there are simultaneous creations")
    func failsLater() {
        var pace = SlowStart()
        for _ in 0..<3 { pace.succeeded() }
        #expect(pace.width == 4)
        for _ in 0..<3 { pace.failed() }
        #expect(!pace.isOver)
        pace.failed()
        #expect(pace.isOver)
    }
}
