import Testing

@testable import Artifacts

@Suite("Packs that are checked together")
struct PackGatheringTests {
    @Test("the first is checked at once, those that follow at the end of the window")
    func window() {
        var gathering = PackGathering()
        #expect(gathering.delay(packs: 1, bytes: 100, now: 10) == 0)
        gathering.begun(at: 10)
        #expect(abs(gathering.delay(packs: 1, bytes: 100, now: 10.1) - 0.15) < 1e-9)
        #expect(gathering.delay(packs: 1, bytes: 100, now: 10.25) == 0)
        #expect(gathering.delay(packs: 1, bytes: 100, now: 99) == 0, "a pack that comes alone does not wait")
    }

    @Test("a full batch does not wait", arguments: [(PackGathering.packs, 0), (1, PackGathering.bytes), (1000, 1 << 30)])
    func full(packs: Int, bytes: Int) {
        var gathering = PackGathering()
        gathering.begun(at: 10)
        #expect(gathering.delay(packs: packs, bytes: bytes, now: 10) == 0)
        #expect(gathering.delay(packs: PackGathering.packs - 1, bytes: PackGathering.bytes - 1, now: 10) > 0)
    }

    @Test("a thousand packs in five seconds are a few dozen checks")
    func economy() {
        var gathering = PackGathering()
        var (waiting, checks) = (0, 0)
        for number in 0..<1000 {
            waiting += 1
            let now = Double(number) / 200
            if gathering.delay(packs: waiting, bytes: waiting * 1000, now: now) == 0 {
                gathering.begun(at: now)
                (waiting, checks) = (0, checks + 1)
            }
        }
        #expect((15...30).contains(checks), "\(checks)")
    }
}
